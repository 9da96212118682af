package room

import (
	"sync/atomic"
	"time"
)

// A clock is the store's, read through this machine's monotonic one.
type clock struct {
	base atomic.Pointer[reading]
}

// drift is how fast two clocks may part: far more than they do, so that a
// reading is not relied on for long.
const drift = 1e-3

// A reading is what the store's clock said at a time here.
type reading struct {
	store, here time.Time
	within      time.Duration // how far it may be off
}

func (r *reading) at(here time.Time) time.Time { return r.store.Add(here.Sub(r.here)) }

// set notes what the store's clock said to a question that was on its way,
// there and back, between two times here. A reading that took long tells less
// than an earlier one that did not, unless the two cannot both be right. It
// returns by how much they differ.
func (c *clock) set(store, asked, answered time.Time) (moved time.Duration) {
	half := answered.Sub(asked) / 2
	next := &reading{store, asked.Add(half), half}
	if last := c.base.Load(); last != nil {
		moved = store.Sub(last.at(next.here)).Abs()
		known := last.within + time.Duration(drift*float64(next.here.Sub(last.here)))
		if half > known && moved <= half+known {
			return moved
		}
	}
	c.base.Store(next)
	return moved
}

func (c *clock) now() time.Time {
	r := c.base.Load()
	if r == nil {
		return time.Now().UTC()
	}
	return r.at(time.Now()).UTC()
}
