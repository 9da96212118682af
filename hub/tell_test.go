package hub

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectern-room/lectern/room"
)

// TestTellLaterAfterAll: what was to be told when the store did not say how
// the room is, is told once it does, with no further change.
func TestTellLaterAfterAll(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		config, sqlite := newConfig(t, folder, prometheus.NewRegistry())
		t.Cleanup(func() { sqlite.Close() })
		store := &hangingStore{Store: config.Registrar.Store}
		config.Registrar.Store = store
		c := begin(t, config)
		id, _ := c.instructor("lee").open(9)

		other := c.beside() // has not read the room yet
		h := other.hub.hallOf(room.ID(id))
		h.watchers[&socket{}] = true
		var told atomic.Int32
		change := func() {
			if h.roster.ready(rosterEvery, h.later(&h.roster, func(*hall, *room.Room) { told.Add(1) })) {
				told.Add(1)
			}
		}
		change()
		store.hangs.Store(true)
		change()
		time.Sleep(10 * time.Second)
		if told.Load() != 1 {
			t.Fatalf("told %d times while the store hangs, want once", told.Load())
		}
		store.hangs.Store(false)
		time.Sleep(5 * time.Second)
		if told.Load() != 2 {
			t.Errorf("told %d times, want twice", told.Load())
		}
	})
}
