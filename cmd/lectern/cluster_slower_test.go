package main

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room/roomtest"
	"github.com/lectern-room/lectern/store/servers"
)

const (
	// slowerBy is how much further Postgres is from the slower instance, each
	// way.
	slowerBy = 5 * time.Millisecond
	// slowerStudents ask on each instance for slowerTime, and wait for
	// slowerWait at most.
	slowerStudents = 20
	slowerTime     = 5 * time.Second
	slowerWait     = time.Second
)

// TestSlowerMachine: of instances that share one busy room, and nothing but
// Postgres, one that is further from it saves as well.
func TestSlowerMachine(t *testing.T) {
	c := newCluster(t, 2, "LECTERN_REDIS_URL=")
	line, err := servers.StartProxy(c.postgres.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(line.Close)
	slower := c.add("LECTERN_REDIS_URL=", "LECTERN_POSTGRES_URL="+strings.Replace(c.postgres.URL(), c.postgres.Addr(), line.Addr(), 1))
	l := c.instances[0].open("t", manySeats)
	pupils := c.enrol("s", slowerStudents*len(c.instances))
	if err := line.Delay(slowerBy); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(slowerTime)
	var all sync.WaitGroup
	for _, p := range pupils {
		all.Go(func() {
			for time.Now().Before(end) && p.ask(l.code) {
				during(askAgain)
			}
		})
	}
	all.Wait()
	if told := c.check(l, manySeats, pupils); told["joined"] != len(pupils) {
		t.Errorf("told %v", told)
	}
	c.checkLog(l.id)
	saved := func(of func(asking) bool) latency { return latencyOf(waits(pupils, of)) }
	others := saved(func(a asking) bool { return a.at != slower })
	waited := saved(func(a asking) bool { return a.at == slower })
	if most := bound(t, slowerWait, slowerTime); waited.Max > float64(most.Milliseconds()) {
		t.Errorf("with the slower instance someone waited %v ms", waited.Max)
	}
	_, version := c.truth(l.id)
	if !t.Failed() {
		roomtest.Proved(t, "three instances without Redis, one %v further from Postgres each way, %d versions of one room: there %v ms (may be %v), elsewhere %v ms",
			slowerBy, version, waited, bound(t, slowerWait, slowerTime), others)
	}
}
