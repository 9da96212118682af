package room_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
)

// scheduled opens a room of kim's that is to start after a time, and closes an
// hour after that.
func (i *instance) scheduled(in time.Duration) (id room.ID, startsAt time.Time) {
	i.t.Helper()
	startsAt = i.Now().UTC().Add(in).Truncate(time.Millisecond)
	return i.openedWith(2, room.OptionsEdit{StartsAt: &room.Timestamp{Time: startsAt}, MaxMinutes: new(60)}), startsAt
}

func (i *instance) openedWith(capacity int, e room.OptionsEdit) room.ID {
	i.t.Helper()
	id, _, err := i.Open(i.t.Context(), kim, room.Change{Title: new("Logic"), Capacity: &capacity, Options: &e}, "")
	if err != nil {
		i.t.Fatal(err)
	}
	return id
}

// once returns when an event of the type is said to have happened, which must
// have been once.
func (h *hall) once(t *testing.T, id room.ID, what room.EventType) (at time.Time) {
	t.Helper()
	count := 0
	for _, e := range h.log(t, id) {
		for _, event := range e.Events {
			if event.Type == what {
				count++
				at = event.At
			}
		}
	}
	if count != 1 {
		t.Errorf("%s %d times", what, count)
	}
	return at
}

// A scheduled room that no instance has in memory opens by itself, at the time
// set.
func TestOpensByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		id, startsAt := h.stopped(t, "i0").scheduled(time.Hour)
		i := h.instance(t, "i1")
		time.Sleep(time.Until(startsAt) - time.Second)
		if heard := i.happened(); len(heard) > 0 {
			t.Errorf("happened early: %v", heard)
		}
		time.Sleep(4 * time.Second)
		if !slices.Contains(i.happened(), room.EventStarted) {
			t.Error("not started three seconds late")
		}
		if at := h.once(t, id, room.EventStarted); !at.Equal(startsAt) {
			t.Errorf("started at %v, was to at %v", at, startsAt)
		}
		if now := i.header(id); now.Status != room.Open || !now.OpenedAt.Equal(startsAt) {
			t.Errorf("%s, opened at %v", now.Status, now.OpenedAt)
		}
	})
}

// Until then, whoever comes is told when.
func TestNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, startsAt := i.scheduled(time.Hour)
		_, err := i.do(join(id, i.header(id).Code, student(1)))
		var refusal *room.Refusal
		if !errors.As(err, &refusal) || refusal.Code != room.CodeNotStarted || !refusal.StartsAt.Equal(startsAt) {
			t.Errorf("refused with %+v", err)
		}
		time.Sleep(time.Until(startsAt) + time.Millisecond)
		if a := i.must(join(id, i.header(id).Code, student(1))); a.Seat != 1 {
			t.Errorf("answered %+v", a)
		}
	})
}

// However many instances have a room in memory, and whichever of them end just
// before, what is due in it happens once, and when it was to.
func TestHappensOnce(t *testing.T) {
	for name, ending := range map[string]int{"all live": 0, "one ends": 1, "two end": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall()
				var all []*instance
				var stops []context.CancelFunc
				var ends []<-chan error
				for _, name := range []room.InstanceID{"i1", "i2", "i3"} {
					i := h.stopped(t, name)
					if err := i.Recover(t.Context()); err != nil {
						t.Fatal(err)
					}
					stop, ended := i.started()
					all, stops, ends = append(all, i), append(stops, stop), append(ends, ended)
				}
				synctest.Wait()
				id, startsAt := all[0].scheduled(time.Hour)
				for _, i := range all {
					i.hold(true)
					i.header(id)
				}
				time.Sleep(time.Until(startsAt) - time.Millisecond)
				for n := range ending {
					stops[n]()
				}
				time.Sleep(2 * time.Hour)
				if at := h.once(t, id, room.EventStarted); !at.Equal(startsAt) {
					t.Errorf("started at %v, was to at %v", at, startsAt)
				}
				if at := h.once(t, id, room.EventClosed); !at.Equal(startsAt.Add(time.Hour)) {
					t.Errorf("closed at %v, was to at %v", at, startsAt.Add(time.Hour))
				}
				for n := range all {
					stops[n]()
					if err := <-ends[n]; err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// The line is one, on whatever instances people wait and give up their seats.
func TestPromotedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one, two := h.instance(t, "i1"), h.instance(t, "i2")
		id := one.openedWith(1, room.OptionsEdit{Waitlist: new(true)})
		code := one.header(id).Code
		one.must(join(id, code, student(0)))
		for n := 1; n <= 4; n++ {
			i := []*instance{one, two}[n%2]
			if a := i.must(join(id, code, student(n))); a.State != room.Waiting || a.Position != n {
				t.Errorf("student %d is answered %+v", n, a)
			}
		}
		two.must(leave(id, student(0)))
		synctest.Wait()
		if seat := one.seated(id, student(1).User); seat != 1 {
			t.Errorf("who waited longest has seat %d", seat)
		}
		if !slices.Contains(one.happened(), room.EventSeated) {
			t.Error("nobody was told of the promotion")
		}
		if a := one.must(join(id, code, student(1))); a.Seat != 1 || !a.Already {
			t.Errorf("who was promoted is answered %+v", a)
		}
		if a := one.must(join(id, code, student(3))); a.Position != 2 || !a.Already {
			t.Errorf("who waits is answered %+v", a)
		}
		time.Sleep(room.LapseAfter + 3*time.Second) // nobody has a socket
		if now := two.header(id); now.Waiting != 0 || now.Taken != 1 {
			t.Errorf("%d wait, %d are seated", now.Waiting, now.Taken)
		}
		h.log(t, id)
	})
}

// erase is what a store does to a person in a closed room.
func (h *hall) erase(id room.ID, u, to room.UserID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.rooms[id]
	gone := *s.people[u]
	delete(s.people, u)
	gone.User, gone.Name = to, string(to)
	s.people[to] = &gone
	s.header.Version++
	s.log = append(s.log, room.Entry{
		Room: id, Version: s.header.Version, At: s.header.At, Batch: "erasure",
		Events: []room.Event{{Type: room.EventErased, User: to}},
	})
}

// A room in which someone was erased is loaded anew: what it says of that
// person is in no memory any more.
func TestErased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(2)
		i.must(join(id, code, student(1)))
		i.must(join(id, code, student(2)))
		i.must(room.Command{Type: room.CommandClose, Room: id, By: kim})
		i.hold(true)
		h.erase(id, student(1).User, "erased:1")
		time.Sleep(2200 * time.Millisecond) // until the room is compared
		var people []room.UserID
		err := i.View(t.Context(), id, func(v room.View) {
			for _, p := range v.Roster() {
				people = append(people, p.User)
			}
			if v.Version != 5 || v.Person(student(1).User) != nil {
				t.Errorf("at version %d of 5, the erased is %+v", v.Version, v.Person(student(1).User))
			}
		})
		if want := []room.UserID{"erased:1", student(2).User}; err != nil || !slices.Equal(people, want) {
			t.Errorf("in the room are %v, want %v, error %v", people, want, err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.loads != 2 {
			t.Errorf("loaded %d times", h.loads)
		}
	})
}

// TestClosedRoomIsSilent: who comes to a closed room, or leaves it, is answered
// and not written down.
func TestClosedRoomIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(2)
		i.must(join(id, code, student(1)))
		i.must(room.Command{Type: room.CommandClose, Room: id, By: kim})
		for _, c := range []room.Command{
			{Type: room.CommandConnect, Room: id, By: student(1)},
			{Type: room.CommandConnect, Room: id, By: student(2)},
			{Type: room.CommandLeave, Room: id, By: student(1)},
			join(id, code, student(3)),
		} {
			answer, err := i.do(c)
			if done := c.Type == room.CommandLeave; done != (err == nil) || errors.Is(err, room.ErrUnavailable) {
				t.Errorf("%s was answered %+v, %v", c.Type, answer, err)
			}
		}
		if v := i.header(id).Version; v != 3 {
			t.Errorf("the room went on to version %d", v)
		}
	})
}
