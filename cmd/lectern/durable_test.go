package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// durableFaults is how often Postgres is stopped at once, and how often an
	// instance is killed; provenFaults where there is time for it.
	durableFaults    = 3
	provenFaults     = 20
	durableInstances = 3
	// In each of durableRooms, durableStudents come and go, for whom there are
	// durableSeats.
	durableRooms    = 8
	durableStudents = 8
	durableSeats    = 4
	// durablePause is the most time before each request: a socket has 10 a
	// second.
	durablePause = 200 * time.Millisecond
	// durableWork is how many requests are acknowledged between two faults.
	durableWork = 250
	// durableGone is how long what was stopped or killed is away, at most.
	durableGone = 500 * time.Millisecond
)

// faultsOf is how often each fault of a proof happens: as often as the long
// form has it where there is time for that.
func faultsOf(t *testing.T) int {
	t.Helper()
	if roomtest.ProveFor(t) > 0 {
		return provenFaults
	}
	return durableFaults
}

// An endurance is a cluster whose parts end without warning while students
// come and go.
type endurance struct {
	*cluster
	random       *rand.Rand
	alive        atomic.Pointer[[]*instance]
	acknowledged atomic.Int64
	regulars     []*regular
}

// TestAcknowledgedIsDurable: while Postgres and instances end without warning,
// under load, what was acknowledged is in the log, at the version that was
// told, once; and no two people ever have one seat.
func TestAcknowledgedIsDurable(t *testing.T) {
	seed, faults := rand.Uint64(), faultsOf(t)
	t.Logf("seed %d", seed)
	e := &endurance{cluster: newCluster(t, durableInstances), random: rand.New(rand.NewPCG(seed, 0))}
	e.live()
	var lectures []*lecture
	for n := range durableRooms {
		lectures = append(lectures, e.instances[0].open(fmt.Sprintf("t%d", n), durableSeats))
	}
	ctx, calm := context.WithCancel(t.Context())
	defer calm()
	var living sync.WaitGroup
	for n := range durableRooms * durableStudents {
		r := &regular{
			endurance: e, lecture: lectures[n%durableRooms], random: rand.New(rand.NewPCG(seed, uint64(n+1))),
			pupil: &pupil{user: named("s", n)},
		}
		e.regulars = append(e.regulars, r)
		living.Go(func() { r.live(ctx) })
	}
	e.suffer(faults)
	calm()
	living.Wait()
	versions := 0
	for _, l := range lectures {
		versions += e.checkDurable(l)
	}
	acknowledged, unknown, refused := e.count()
	if acknowledged == 0 || unknown == 0 || refused == 0 {
		t.Errorf("%d requests were acknowledged, %d unknown, %d refused", acknowledged, unknown, refused)
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d immediate stops of Postgres and %d SIGKILLs of an instance under load: %d requests acknowledged, %d unknown, %d refused; 0 acknowledged lost, 0 double seats in %d versions of %d rooms; seed %d",
			faults, faults, acknowledged, unknown, refused, versions, durableRooms, seed)
	}
}

// live tells the students which instances there are.
func (e *endurance) live() {
	alive := append([]*instance(nil), e.instances...)
	e.alive.Store(&alive)
}

// suffer stops Postgres and kills instances so often each, in any order.
func (e *endurance) suffer(times int) {
	for _, n := range e.random.Perm(2 * times) {
		e.work()
		if n%2 == 0 {
			e.postgres.Stop(true)
			e.pause(durableGone)
			if err := e.postgres.Restart(); err != nil {
				e.t.Fatal(err)
			}
			continue
		}
		e.lose(e.instances[e.random.IntN(len(e.instances))])
		e.live()
		e.pause(durableGone)
		e.add()
		e.live()
	}
	e.work()
}

// work returns amid work, after some of it is done.
func (e *endurance) work() {
	e.t.Helper()
	enough := e.acknowledged.Load() + durableWork
	eventually(e.t, func() string {
		if n := e.acknowledged.Load(); n < enough {
			return fmt.Sprintf("%d requests are to be acknowledged yet", enough-n)
		}
		return ""
	})
	e.pause(durablePause)
}

func (e *endurance) pause(most time.Duration) { during(time.Duration(e.random.Int64N(int64(most)))) }

// count adds up what became of the requests.
func (e *endurance) count() (acknowledged, unknown, refused int) {
	for _, r := range e.regulars {
		acknowledged, unknown, refused = acknowledged+len(r.told), unknown+r.unknown, refused+r.refused
	}
	return acknowledged, unknown, refused
}

// A regular is a student who takes a seat and gives it up, again and again,
// with whatever instance is there.
type regular struct {
	*endurance
	*pupil
	lecture *lecture
	random  *rand.Rand

	told             []acknowledgement // in order
	unknown, refused int
	sure             bool // the last request was acknowledged
}

// An acknowledgement is what was asked and acknowledged.
type acknowledgement struct {
	asked  room.CommandType
	answer answer
}

// live asks until ctx is done.
func (r *regular) live(ctx context.Context) {
	for paused(ctx, time.Duration(r.random.Int64N(int64(durablePause)))) {
		if r.socket == nil && !r.find() {
			continue
		}
		asks, request := room.CommandJoin, fmt.Appendf(nil, `{"id":1,"type":"join","code":%q}`, r.lecture.code)
		if r.random.IntN(2) == 0 {
			asks, request = room.CommandLeave, fmt.Appendf(nil, `{"id":1,"type":"leave","room_id":%q}`, r.lecture.id)
		}
		a, err := r.socket.ask(request)
		if r.note(asks, a, err); err != nil {
			r.socket.conn.Close()
			r.socket = nil
		}
	}
}

// find opens a socket, if the instance is there.
func (r *regular) find() bool {
	alive := *r.alive.Load()
	return r.connect(r.cluster, alive[r.random.IntN(len(alive))]) == nil
}

// note keeps what was answered.
func (r *regular) note(asks room.CommandType, a answer, err error) {
	r.sure = err == nil && (a.Type == "joined" || a.Type == "left")
	switch {
	case err != nil || a.Code == string(room.CodeUnavailable):
		r.unknown++
	case r.sure:
		r.told = append(r.told, acknowledgement{asks, a})
		r.acknowledged.Add(1)
	default:
		r.refused++
	}
}
