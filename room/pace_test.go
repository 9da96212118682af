package room_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestBusyRoomGathers: what is asked of a room one after the other is decided
// together once the room is busy, and at once when it is not.
func TestBusyRoomGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newHall().instance(t, "i1")
		id, code := i.opened(200)
		i.header(id)
		time.Sleep(time.Second)
		took := func(n int) time.Duration {
			began := time.Now()
			i.must(join(id, code, student(n)))
			return time.Since(began)
		}
		for n := range 8 {
			if d := took(n); d > 0 {
				t.Errorf("join %d, to a room that is not busy, took %v", n, d)
			}
		}
		before := i.header(id).Version
		for n := range 100 {
			i.Ask(join(id, code, student(100+n)), nil)
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		time.Sleep(10 * time.Millisecond)
		if entries := i.header(id).Version - before; entries > 22 || i.header(id).Taken != 108 {
			t.Errorf("%d entries for 100 joins in 100 ms, %d seated", entries, i.header(id).Taken)
		}
		time.Sleep(time.Second)
		if d := took(99); d > 0 {
			t.Errorf("a lone join took %v", d)
		}
	})
}
