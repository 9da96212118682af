package room_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
)

// leaveBehind opens so many rooms, each with a session of an instance.
func (h *hall) leaveBehind(t *testing.T, rooms int, of room.InstanceID) {
	t.Helper()
	for n := range rooms {
		r := &room.Room{Header: room.Header{ID: room.ID(fmt.Sprint("r", n))}}
		open := room.Command{ID: "c1", Type: room.CommandOpen, By: kim, Change: &room.Change{Title: new("Logic"), Capacity: new(9)}}
		came := join(r.ID, "", student(1))
		came.ID, came.Session, came.Instance = "c2", "s1", of
		step := r.Batch([]room.Command{open, came}, time.Now())
		step.Entry.Batch = "b"
		if err := h.Save(t.Context(), step); err != nil {
			t.Fatal(err)
		}
	}
}

// online counts the people who are shown online in all rooms.
func (h *hall) online() (people int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.rooms {
		people += s.header.Online
	}
	return people
}

// survived has all leave many rooms to so many survivors, and returns how long
// it took until nobody was shown online, how many rooms a survivor was at at
// once, and how many they loaded together.
func (h *hall) survived(t *testing.T, rooms, survivors int) (took time.Duration, most, loads int) {
	t.Helper()
	h.leaveBehind(t, rooms, "dead")
	died := time.Now()
	var all []*instance
	for n := range survivors {
		i := h.stopped(t, room.InstanceID(fmt.Sprint("i", n)))
		i.Store = delayed{h.memory, 50 * time.Millisecond}
		all = append(all, i)
		go i.Run(t.Context())
	}
	for h.online() > 0 && time.Since(died) < time.Minute {
		time.Sleep(10 * time.Millisecond)
		for _, i := range all {
			most = max(most, i.Gauges().Commands)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(died), most, h.loads
}

// mostAtOnce is 256, and a few of those before that take long.
const mostAtOnce = 256 + 256/16

// However many rooms an instance leaves behind that dies, one survivor is
// enough for everyone to be shown offline in time.
func TestOneSurvivor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		if _, err := h.Beat(t.Context(), "dead"); err != nil {
			t.Fatal(err)
		}
		if took, most, _ := h.survived(t, 2000, 1); took > 20*time.Second || most > mostAtOnce {
			t.Errorf("it took %v, with up to %d rooms at once", took, most)
		}
	})
}

// Several share them, and do not do the same work all over.
func TestSurvivors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rooms = 2000
		h := newHall() // which has never heard of the dead, and so does not wait
		if took, most, loads := h.survived(t, rooms, 8); took > 10*time.Second || most > mostAtOnce || loads > 3*rooms {
			t.Errorf("it took %v, with up to %d rooms at once, and %d loads", took, most, loads)
		}
	})
}
