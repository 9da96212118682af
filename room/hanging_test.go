package room_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
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

// A diary is a log that is read while it is written.
type diary struct {
	mu   sync.Mutex
	text strings.Builder
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

// says counts how often something is said in it.
func (d *diary) says(what string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Count(d.text.String(), what)
}

// TestStoreHangsIsSaidOnce: a store that says nothing is logged by who asked it,
// not by the many who wait behind, and not where nobody waits any more.
func TestStoreHangsIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		id, _ := h.instance(t, "i1").opened(9)
		i := h.stopped(t, "i2") // does not have it in memory
		var log diary
		i.Log = slog.New(slog.NewTextHandler(&log, nil))
		i.run()
		h.faults(slow(time.Hour), nil)
		view := func(ctx context.Context) {
			if err := i.View(ctx, id, func(room.View) {}); !errors.Is(err, room.ErrUnavailable) {
				t.Errorf("a look: %v", err)
			}
		}
		said := func() int { return log.says("load a room") }
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if view(ctx); said() > 0 {
			t.Error("it is said of one who has gone")
		}
		var all sync.WaitGroup
		for n := range 1000 {
			all.Go(func() {
				time.Sleep(time.Duration(n) * time.Millisecond)
				view(t.Context())
			})
		}
		all.Wait()
		if n := said(); n != 1 {
			t.Errorf("a thousand looks: it is said %d times", n)
		}
		h.faults(nil, nil)
	})
}
