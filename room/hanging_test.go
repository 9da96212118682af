package room_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
)

// refusedWithin is how soon whoever asks is told that the store is away.
const refusedWithin = 2500 * time.Millisecond

// A store that says nothing holds nobody for long, also those who wait behind
// others for the same room.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		id, code := h.instance(t, "i1").opened(9)
		i := h.instance(t, "i2") // does not have it in memory
		h.faults(slow(time.Hour), nil)
		var all sync.WaitGroup
		for n := range 10 {
			refused := func(how string, ask func() error) {
				all.Go(func() {
					time.Sleep(time.Duration(n) * 300 * time.Millisecond)
					asked := time.Now()
					err := ask()
					if took := time.Since(asked); !errors.Is(err, room.ErrUnavailable) || took > refusedWithin {
						t.Errorf("%s number %d was answered %v after %v", how, n, err, took)
					}
				})
			}
			refused("a look", func() error { return i.View(t.Context(), id, func(room.View) {}) })
			refused("a join", func() error {
				_, err := i.Do(join(id, code, student(n)), nil)
				return err
			})
		}
		all.Wait()
		h.faults(nil, nil)
		if seat := i.must(join(id, code, student(1))).Seat; seat != 1 {
			t.Errorf("the first who asked afterwards has seat %d", seat)
		}
	})
}
