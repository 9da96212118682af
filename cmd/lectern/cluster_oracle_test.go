package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	lectureStudents = 30
	// lectureLasts is longer than a telephone sleeps for which a server gives
	// it up after 60 s.
	lectureLasts = 70 * time.Second
	longSleep    = 62 * time.Second
	// killedAt and backAt are when an instance dies and when it comes back.
	killedAt = 25 * time.Second
	backAt   = 30 * time.Second
	// seatsHeld and lectureOpen are shorter: where the time were not the
	// store's, seats would lapse and the room would close.
	seatsHeld   = 4 * time.Minute
	lectureOpen = 5 * time.Minute
)

// A class is a lecture on two instances, and what its students did as they
// know it themselves.
type class struct {
	*cluster
	lecture  *lecture
	began    time.Time
	steady   *instance
	students []*witness

	moving sync.RWMutex // held by students while they come or go, against the next
	wrong  *instance    // the instance whose clock is wrong; nil: it is dead
	killed time.Time
}

// TestAttendanceOracle: the record of a lecture equals what happened to the
// second, whatever people's browsers and telephones do, an instance dies and
// the clock of a machine is wrong.
func TestAttendanceOracle(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := newClass(t)
	watchers := c.watch(c.lecture)[:1]
	for n := range lectureStudents {
		c.students = append(c.students, &witness{
			class: c, user: room.UserID(fmt.Sprintf("s%d", n)), rand: rand.New(rand.NewPCG(seed, uint64(n))), banned: n == 2,
		})
	}
	c.began = time.Now()
	var living sync.WaitGroup
	defer living.Wait()
	for n, s := range c.students {
		living.Go(func() { s.live(n) })
	}
	during(killedAt)
	c.killWrong()
	during(backAt - killedAt)
	c.startWrong(-wrongBy)
	living.Wait()
	if t.Failed() {
		return
	}
	t.Logf("the watcher was right after %v", c.converge(c.lecture, watchers, time.Now()))
	c.close()
	most := c.checkRecord()
	if !t.Failed() {
		roomtest.Proved(t, "%d students for %v on an instance whose clock is right and one whose clock is %v ahead until it is killed, and then as much behind (on this machine: %v): %d boundaries of the record at most %v off (%s), the times present at most %v; 0 of the holds of %v lapsed, and the room of %v did not close; seed %d",
			lectureStudents, lectureLasts, wrongBy, clocksCanBeWrong, most.boundaries, most.boundary, most.what, most.present, seatsHeld, lectureOpen, seed)
	}
}

func newClass(t *testing.T) *class {
	t.Helper()
	c := &class{cluster: newCluster(t, 1)}
	c.steady = c.instances[0]
	c.startWrong(wrongBy)
	c.lecture = c.steady.openAs("t", `{"title":"Physics 1","capacity":%d,"options":{"seat_hold_seconds":%d,"max_minutes":%d}}`,
		lectureStudents, int(seatsHeld.Seconds()), int(lectureOpen.Minutes()))
	return c
}

// startWrong adds an instance on a machine whose clock is wrong: ahead until it
// dies, and then behind.
func (c *class) startWrong(by time.Duration) {
	i := c.addWrong(by)
	c.moving.Lock()
	defer c.moving.Unlock()
	c.wrong = i
}

// killWrong kills the instance whose clock is wrong. Nobody comes or goes for
// a while before, so that what the crash hides is in no doubt.
func (c *class) killWrong() {
	c.moving.Lock()
	defer c.moving.Unlock()
	during(beatKnown)
	for _, s := range c.students {
		for _, at := range s.tabs {
			if at.tab.at == c.wrong {
				at.leaving.Store(true)
			}
		}
	}
	before := time.Now()
	c.killed = c.lose(c.wrong)
	for _, s := range c.students {
		s.end(span{before.Add(-beatKnown), c.killed}, offlineWithin, func(at *sitting) bool { return at.tab.at == c.wrong })
	}
	c.wrong = nil
	during(beatKnown / 10) // an absence that the record can show
}

// close ends the lecture, by the instance whose clock is wrong.
func (c *class) close() {
	before := time.Now()
	if err := c.wrong.closeRoom(c.t.Context(), c.lecture.passport, c.lecture.id); err != nil {
		c.t.Fatal(err)
	}
	over := span{before, time.Now()}
	for _, s := range c.students {
		s.end(over, 0, everySitting)
		s.giveUp(over)
	}
}
