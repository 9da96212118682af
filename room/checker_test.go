package room_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// histories are rooms, in each of which checkedStudents contend for
	// checkedSeats, checkedVisits times each, on three instances.
	histories       = 200
	checkedStudents = 5
	checkedSeats    = 2
	checkedVisits   = 3
)

// Whatever lockers answer, and whatever answers of the store and commands in
// the queue get lost, what people are told is what a room of that many seats
// could have told them.
func TestTheLockIsNotNeeded(t *testing.T) {
	for name, locker := range map[string]func(random func() float64) room.Locker{
		"always succeeds":   func(func() float64) room.Locker { return anyone{} },
		"never succeeds":    func(func() float64) room.Locker { return nobody{} },
		"always errs":       func(func() float64) room.Locker { return broken{} },
		"answers at random": func(random func() float64) room.Locker { return fickle{random} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests, unknown int
			for seed := range uint64(histories) {
				h := contend(t, seed, locker, func(m *memory) room.Store { return m })
				if illegal := h.Illegal(); illegal != "" {
					t.Fatalf("seed %d: %s", seed, illegal)
				}
				asked, untold := h.Count()
				requests, unknown = requests+asked, unknown+untold
			}
			roomtest.Proved(t, "a locker that %s: %d histories of %d requests, %d of unknown outcome: 0 illegal, 0 oversold; seeds 0 to %d", name, histories, requests, unknown, histories-1)
		})
	}
}

// The test above can fail: a store that saves whatever it is given, as the
// next version and without a look at the seats, is found out.
func TestTheCheckerHasPower(t *testing.T) {
	always := func(func() float64) room.Locker { return anyone{} }
	for seed := range uint64(histories) {
		h := contend(t, seed, always, func(m *memory) room.Store { return rebasing{m} })
		if illegal := h.Illegal(); illegal != "" {
			t.Logf("seed %d: %s", seed, illegal)
			roomtest.Proved(t, "found out by seed %d of those from 0", seed)
			return
		}
	}
	t.Errorf("%d histories are all legal", histories)
}

// rebasing is a store that compares no versions and keeps no keys.
type rebasing struct{ *memory }

func (r rebasing) Save(ctx context.Context, step room.Step) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.mu.Unlock()
	step.Entry.Version = int64(1)
	if s := r.rooms[step.Entry.Room]; s != nil {
		step.Entry.Version += int64(len(s.log))
	}
	step.Room.Version = step.Entry.Version
	return r.try(step)
}

// contend has students contend for the seats of a room, and an instructor
// remove some, while the store is slow and loses answers, and the queue and
// the bus lose what they are given.
func contend(t *testing.T, seed uint64, locker func(func() float64) room.Locker, through func(*memory) room.Store) *roomtest.History {
	t.Helper()
	past := &roomtest.History{Capacity: checkedSeats}
	synctest.Test(t, func(t *testing.T) {
		random, h := newRandom(seed), newHall()
		l := lossy{h.queue, h.bus, random}
		h.queue, h.bus, h.locker = l, l, locker(random)
		c := &contention{t: t, past: past, random: random}
		for _, id := range []room.InstanceID{"i1", "i2", "i3"} {
			i := h.stopped(t, id)
			i.Store = through(h.memory)
			i.run()
			c.instances = append(c.instances, i)
		}
		c.id, c.code = c.instances[0].opened(checkedSeats)
		h.faults(shaky(random), loseAnswers(random))
		var people sync.WaitGroup
		for n := range checkedStudents {
			people.Go(func() { c.visit(n) })
		}
		people.Go(c.police)
		people.Wait()
		h.faults(nil, nil)
		past.Look(h.holders(c.id))
	})
	return past
}

// A contention is a room that people contend for, and what they were told.
type contention struct {
	t         *testing.T
	past      *roomtest.History
	random    func() float64
	instances []*instance
	id        room.ID
	code      string
}

func (c *contention) visit(n int) {
	for range checkedVisits {
		c.ask(join(c.id, c.code, student(n)), student(n).User)
		if c.random() < 0.7 {
			c.ask(leave(c.id, student(n)), student(n).User)
		}
	}
}

func (c *contention) police() {
	for range checkedVisits {
		whom := student(int(c.random() * checkedStudents)).User
		c.ask(room.Command{Type: room.CommandRemove, Room: c.id, By: kim, User: whom}, whom)
	}
}

// ask asks some instance, after a moment.
func (c *contention) ask(command room.Command, about room.UserID) {
	time.Sleep(time.Duration(c.random() * float64(20*time.Millisecond)))
	answered := c.past.Ask(command.Type, about)
	var version int64
	got, err := c.instances[int(c.random()*3)].Do(command, func(o room.Outcome) { version = o.Entry.Version })
	told := roomtest.Answer{Seat: got.Seat, Already: got.Already, Version: version}
	var refusal *room.Refusal
	switch {
	case errors.Is(err, room.ErrUnavailable):
		told.Unknown = true
	case errors.As(err, &refusal):
		told.Code = refusal.Code
	case err != nil:
		c.t.Errorf("%s: %v", command.Type, err)
	}
	answered(told)
}

// holders is who has which seat of a room.
func (h *hall) holders(id room.ID) map[int]room.UserID {
	h.mu.Lock()
	defer h.mu.Unlock()
	holders := map[int]room.UserID{}
	for _, p := range h.rooms[id].people {
		if p.Seat > 0 {
			holders[p.Seat] = p.User
		}
	}
	return holders
}
