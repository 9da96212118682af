package room_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
)

// weighty is a store whose entries take their time, each.
type weighty struct {
	*memory
	each time.Duration
}

func (w weighty) Entries(ctx context.Context, id room.ID, after int64, limit int) ([]room.Entry, error) {
	entries, err := w.memory.Entries(ctx, id, after, limit)
	if err == nil {
		err = slow(time.Duration(len(entries)) * w.each)(ctx)
	}
	return entries, err
}

// An instance that has missed more than can be read in the time for it gets
// there in several tries.
func TestFarBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one := h.instance(t, "i1")
		h.bus = away{}
		two := h.stopped(t, "i2")
		two.Store = weighty{h.memory, 10 * time.Millisecond}
		two.run()
		id, code := one.opened(1000)
		two.header(id)
		two.hold(true)
		for n := range 400 {
			one.must(join(id, code, student(n)))
		}
		time.Sleep(10 * time.Second)
		if v := two.version(); v != 401 {
			t.Errorf("at version %d of 401 ten seconds later", v)
		}
	})
}

// copyOf is what the store has of a room.
func (h *hall) copyOf(id room.ID) *stored {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.rooms[id]
	return &stored{s.header, maps.Clone(s.people), slices.Clone(s.log)}
}

// An instance on which nobody asks for anything sees at once that the store
// has lost entries, and goes on with the room as others do.
func TestStoreHasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		quiet := h.instance(t, "i1")
		id, code := quiet.opened(9)
		quiet.must(join(id, code, student(1)))
		backup := h.copyOf(id)
		quiet.must(join(id, code, student(2)))
		quiet.must(join(id, code, student(3)))
		quiet.hold(true)
		synctest.Wait() // who asked is answered before the listener is told
		h.mu.Lock()
		h.rooms[id] = backup
		h.mu.Unlock()
		quiet.mu.Lock()
		quiet.heard = nil // it begins anew
		quiet.mu.Unlock()
		time.Sleep(2200 * time.Millisecond) // until the room is compared
		if v := quiet.version(); v != 2 {
			t.Errorf("told of version %d, the store has 2", v)
		}
		h.instance(t, "i2").must(join(id, code, student(4)))
		synctest.Wait()
		if v := quiet.version(); v != 3 {
			t.Errorf("told of version %d, elsewhere it is 3", v)
		}
	})
}
