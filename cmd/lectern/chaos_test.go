package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// chaosHistories are rooms of chaosSeats, chaosRooms of them at a time, in
	// each of which chaosStudents contend for the seats for chaosTime.
	chaosHistories = 200
	chaosRooms     = 50
	chaosSeats     = 2
	chaosStudents  = 4
	chaosTime      = 8 * time.Second
	// provenHistories are enough where there is time for them.
	provenHistories = 5000
	chaosInstances  = 3
)

// chaosSeed is the environment variable with the seed of the first epoch,
// where one is to be tried again.
const chaosSeed = "LECTERN_CHAOS_SEED"

// An ordeal is a cluster in chaos, and the people who go through it.
type ordeal struct {
	*cluster
	hosts []*host
	redis *redis.Client

	histories, requests, unknown int // gone through

	mu     sync.Mutex     // guards befell
	befell map[string]int // how often which fault did
}

// TestCapacityUnderChaos: while instances are killed and stopped, Redis and
// Postgres go and come and connections are cut, what people are told of small
// rooms is what a room of that many seats could have told them, one after the
// other, and nobody is seated beyond the seats.
func TestCapacityUnderChaos(t *testing.T) {
	seed := rand.Uint64N(math.MaxUint32)
	if given := os.Getenv(chaosSeed); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	until := time.Now().Add(roomtest.ProveFor(t))
	o := newOrdeal(t)
	first := seed
	for ; o.histories < chaosHistories || o.histories < provenHistories && time.Now().Before(until); seed++ {
		o.epoch(seed)
		if t.Failed() {
			t.Fatalf("again: %s=%d go test ./cmd/lectern -run %s", chaosSeed, seed, t.Name())
		}
	}
	roomtest.Proved(t, "%d of %d histories, of %d requests, %d of unknown outcome: 0 illegal, 0 oversold; seeds %d to %d; %v",
		o.histories, provenHistories, o.requests, o.unknown, first, seed-1, o.befell)
}

func newOrdeal(t *testing.T) *ordeal {
	t.Helper()
	o := &ordeal{cluster: newCluster(t, 0), befell: map[string]int{}}
	o.redis = redis.NewClient(&redis.Options{Addr: o.cluster.redis.Addr()})
	t.Cleanup(func() { ended(t, o.redis.Close()) })
	for range chaosInstances {
		o.hosts = append(o.hosts, o.newHost())
	}
	return o
}

// A contest is a room that people contend for, and what they were told.
type contest struct {
	*ordeal
	name    string // no other has
	lecture *lecture
	past    *roomtest.History
	people  sync.WaitGroup
}

// epoch opens rooms, has people contend for them in chaos, and looks at what
// came of it once all is well again.
func (o *ordeal) epoch(seed uint64) {
	o.t.Helper()
	contests := make([]*contest, chaosRooms)
	for n := range contests {
		contests[n] = o.newContest(fmt.Sprintf("%d-%d", seed, n), o.hosts[n%len(o.hosts)])
	}
	ctx, calm := context.WithTimeout(o.t.Context(), chaosTime)
	defer calm()
	for n, c := range contests {
		c.begin(ctx, rand.New(rand.NewPCG(seed, uint64(n))))
	}
	o.torment(ctx, seed)
	for n, c := range contests {
		c.people.Wait()
		if wrong := c.wrong(); wrong != "" {
			o.t.Errorf("seed %d, room %d: %s", seed, n, wrong)
		}
	}
}

// newContest opens a room, as soon as the last epoch is forgotten.
func (o *ordeal) newContest(name string, with *host) *contest {
	o.t.Helper()
	c := &contest{ordeal: o, name: name, past: &roomtest.History{Capacity: chaosSeats}}
	tries := 0
	eventually(o.t, func() string {
		tries++ // each by another: who may have opened one may open no other
		c.lecture = &lecture{instance: with.instance, passport: with.pass(fmt.Sprintf("%s-by-%d", name, tries), room.Instructor)}
		var err error
		if c.lecture.id, c.lecture.code, err = with.openRoom(o.t.Context(), c.lecture.passport, "Physics 1", chaosSeats); err != nil {
			return err.Error()
		}
		return ""
	})
	return c
}

// wrong says what is wrong with a room, "" if nothing is.
func (c *contest) wrong() string {
	id := c.lecture.id
	var log []room.Entry
	eventually(c.t, func() string { // its connections ended with Postgres
		r, _, err := c.rooms.Load(c.t.Context(), id, time.Now())
		if err != nil {
			return err.Error()
		}
		seated := map[int]room.UserID{}
		for _, p := range r.Roster() {
			seated[p.Seat] = p.User
		}
		if log, err = c.rooms.Entries(c.t.Context(), id, 0, math.MaxInt32); err != nil {
			return err.Error()
		}
		if int64(len(log)) != r.Version {
			return fmt.Sprintf("version %d has %d entries", r.Version, len(log))
		}
		c.past.Look(seated)
		return ""
	})
	requests, unknown := c.past.Count()
	c.histories, c.requests, c.unknown = c.histories+1, c.requests+requests, c.unknown+unknown
	if oversold := oversold(log); oversold != "" {
		return oversold
	}
	return c.past.Illegal()
}

// oversold looks through a log for more people than seats, for a hole and for
// a command that was decided twice.
func oversold(log []room.Entry) string {
	var r room.Room
	decided := map[room.CommandID]bool{}
	for n, e := range log {
		r.Apply(e)
		if r.Taken > r.Capacity || e.Version != int64(n)+1 {
			return fmt.Sprintf("entry %d is version %d, with %d people in %d seats", n, e.Version, r.Taken, r.Capacity)
		}
		for _, a := range e.Answers {
			if decided[a.Command] {
				return fmt.Sprintf("command %s was decided twice", a.Command)
			}
			decided[a.Command] = true
		}
	}
	return ""
}
