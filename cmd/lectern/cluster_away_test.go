package main

import (
	"testing"
	"time"

	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// awayFor is how long Postgres is gone.
	awayFor = 10 * time.Second
	// refusedWithin is how soon someone is refused meanwhile, backWithin how
	// soon after its return the first seat is given.
	refusedWithin = 2500 * time.Millisecond
	backWithin    = 2 * time.Second
)

// TestPostgresAway: while Postgres is away everyone is told so soon; when it
// is back everyone joins, on the same socket.
func TestPostgresAway(t *testing.T) {
	c := newCluster(t, 2)
	l := c.instances[0].open("t", manySeats)
	watchers := c.watch(l)
	var gone, back time.Time
	pupils, right := c.lasting("Postgres away", l, watchers, func() time.Time {
		gone = time.Now()
		c.postgres.Stop(true)
		during(awayFor)
		if err := c.postgres.Restart(); err != nil {
			t.Fatal(err)
		}
		back = time.Now()
		return back
	})
	refused := waits(pupils, func(a asking) bool { return a.answer.Type != "joined" })
	first := back.Add(patience)
	for _, p := range pupils {
		for _, a := range p.asked {
			if a.answer.Type == "joined" && a.to.After(gone.Add(awayFor/2)) && a.to.Before(first) {
				first = a.to
			}
		}
	}
	slow, after := latencyOf(refused), first.Sub(back)
	if most := bound(t, refusedWithin, awayFor); len(refused) == 0 || slow.Max > float64(most.Milliseconds()) {
		t.Errorf("%d refusals, one after %v ms", len(refused), slow.Max)
	}
	if after > bound(t, backWithin, awayFor) {
		t.Errorf("the first seat was given %v after Postgres was back", after)
	}
	c.checkLog(l.id)
	if !t.Failed() {
		roomtest.Proved(t, "Postgres away %v: %d sockets stayed, %d refusals after %v ms (may be %v), the first seat %v after it was back (may be %v), rosters right after %v",
			awayFor, len(pupils)+len(watchers), len(refused), slow, bound(t, refusedWithin, awayFor), after, bound(t, backWithin, awayFor), right)
	}
}
