package room_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
)

// lockers, none of which is trusted: whatever a lock says, the store keeps
// the promises.
type (
	anyone struct{}                        // has the lock
	nobody struct{}                        // ever gets it
	broken struct{}                        // answers nothing
	fickle struct{ random func() float64 } // answers at random
)

func (anyone) Lock(context.Context, room.ID) (func(), bool, error) { return func() {}, true, nil }

func (nobody) Lock(context.Context, room.ID) (func(), bool, error) { return nil, false, nil }

func (broken) Lock(context.Context, room.ID) (func(), bool, error) {
	return nil, false, errors.New("connection refused")
}

func (f fickle) Lock(ctx context.Context, id room.ID) (func(), bool, error) {
	switch p := f.random(); {
	case p < 0.4:
		return anyone{}.Lock(ctx, id)
	case p < 0.8:
		return nobody{}.Lock(ctx, id)
	}
	return broken{}.Lock(ctx, id)
}

// lossy is a queue and a bus of which parts get lost or come twice.
type lossy struct {
	room.Queue
	room.Bus
	random func() float64
}

func (l lossy) Push(ctx context.Context, id room.ID, commands []room.Command) error {
	switch p := l.random(); {
	case p < 0.1:
		return errors.New("connection refused")
	case p < 0.2:
		return nil // but it was lost
	case p < 0.3:
		commands = append(commands, commands...)
	}
	return l.Queue.Push(ctx, id, commands)
}

func (l lossy) Head(ctx context.Context, id room.ID, limit int) ([]room.Queued, error) {
	if l.random() < 0.1 {
		return nil, errors.New("connection refused")
	}
	return l.Queue.Head(ctx, id, limit)
}

func (l lossy) Publish(ctx context.Context, entry room.Entry, answered []string) error {
	switch p := l.random(); {
	case p < 0.2:
		return errors.New("connection refused")
	case p < 0.4:
		entry.Version = 0 // only the queue heard of it
	}
	return l.Bus.Publish(ctx, entry, answered)
}

// Three instances take joins and leaves for the last seats of one room, on
// lockers of every kind, with a store that loses answers and a queue and bus
// that lose what they are given. Nobody is seated too many, every caller is
// answered once and truly, and nothing that was answered is undone.
func TestLastSeats(t *testing.T) {
	const seeds = 25
	for seed := range uint64(seeds) {
		random := newRandom(seed)
		for name, locker := range map[string]room.Locker{
			"excludes": nil, "anyone": anyone{}, "nobody": nobody{}, "broken": broken{}, "fickle": fickle{random},
		} {
			for _, loses := range []bool{false, true} {
				t.Run(fmt.Sprintf("seed %d, lock %s, loses %t", seed, name, loses), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { race(t, locker, loses, random) })
				})
			}
		}
	}
}

// newRandom is safe for concurrent use.
func newRandom(seed uint64) func() float64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 0))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64()
	}
}

func race(t *testing.T, locker room.Locker, loses bool, random func() float64) {
	const capacity, students = 7, 30
	h := newHall()
	if locker != nil {
		h.locker = locker
	}
	if loses {
		l := lossy{h.queue, h.bus, random}
		h.queue, h.bus = l, l
	}
	var instances []*instance
	for _, id := range []room.InstanceID{"i1", "i2", "i3"} {
		instances = append(instances, h.instance(t, id))
	}
	id, code := instances[0].opened(capacity)
	h.faults(shaky(random), loseAnswers(random))

	var wg sync.WaitGroup
	for n := range students {
		wg.Go(func() {
			time.Sleep(time.Duration(random() * float64(50*time.Millisecond)))
			h.attend(t, instances, id, code, n, random)
		})
	}
	wg.Wait()
	h.faults(nil, nil)
	time.Sleep(15 * time.Second) // what is left in the queue is too old by then

	log := h.log(t, id)
	for _, i := range instances {
		i.must(leave(id, student(0))) // makes it look at the room again
		if seat := i.seated(id, student(0).User); seat != 0 {
			t.Errorf("who has left has seat %d", seat)
		}
	}
	if len(log) < 3 {
		t.Errorf("%d entries", len(log))
	}
}

// shaky is a store that is slow and fails at times, before anything is done.
func shaky(random func() float64) func(context.Context) error {
	return func(ctx context.Context) error {
		if random() < 0.05 {
			return errors.New("connection reset")
		}
		return slow(time.Duration(random() * float64(10*time.Millisecond)))(ctx)
	}
}

func loseAnswers(random func() float64) func(room.Step, func() error) error {
	return func(_ room.Step, save func() error) error {
		switch p := random(); {
		case p < 0.1:
			return room.ErrUnknown
		case p < 0.2:
			save()
			return room.ErrUnknown
		}
		return save()
	}
}

// attend joins, checks the seat, and leaves or stays; what was answered must
// be so until the student asks for something else. What could not be told is
// asked again.
func (h *hall) attend(t *testing.T, instances []*instance, id room.ID, code string, n int, random func() float64) {
	who := student(n)
	ask := func(c room.Command) (room.Answer, error) {
		for {
			i := instances[int(random()*3)]
			done := make(chan room.Outcome, 2)
			i.Ask(c, func(o room.Outcome) { done <- o })
			o := <-done
			if time.Sleep(time.Millisecond); len(done) > 0 {
				t.Errorf("%s of student %d was answered twice", c.Type, n)
			}
			if !errors.Is(o.Err, room.ErrUnavailable) {
				return o.Answer, o.Err
			}
		}
	}
	for range 3 {
		a, err := ask(join(id, code, who))
		switch {
		case errors.Is(err, room.ErrFull):
			h.checkSeat(t, id, who, 0)
			continue
		case err != nil:
			t.Errorf("student %d: %v", n, err)
		}
		h.checkSeat(t, id, who, a.Seat)
		if again, err := ask(join(id, code, who)); err != nil || again.Seat != a.Seat || !again.Already {
			t.Errorf("student %d has seat %d, and then %+v, %v", n, a.Seat, again, err)
		}
		if n > 0 && random() < 0.3 {
			return
		}
		if _, err := ask(leave(id, who)); err != nil {
			t.Errorf("student %d: %v", n, err)
		}
		h.checkSeat(t, id, who, 0)
	}
}

// checkSeat looks at what is stored.
func (h *hall) checkSeat(t *testing.T, id room.ID, who room.Caller, want int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if got := seatOf(h.rooms[id].people[who.User]); got != want {
		t.Errorf("%s was answered seat %d, the store has %d", who.User, want, got)
	}
}

// An entry that an instance did not hear of is read when the next one comes.
func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one := h.instance(t, "i1")
		h.bus = &dropping{Bus: h.bus}
		two := h.instance(t, "i2")
		id, code := one.opened(9)
		two.must(join(id, code, student(1)))
		two.must(join(id, code, student(2)))
		synctest.Wait()
		if seat := one.seated(id, student(2).User); seat != 0 {
			t.Errorf("heard of seat %d all the same", seat)
		}
		h.bus.(*dropping).hears = true
		two.must(join(id, code, student(3)))
		synctest.Wait()
		for n := 1; n <= 3; n++ {
			if seat := one.seated(id, student(n).User); seat != n {
				t.Errorf("student %d has seat %d", n, seat)
			}
		}
		if one.version() != 4 {
			t.Errorf("the listener was told of version %d", one.version())
		}
	})
}

// dropping is a bus that nobody hears.
type dropping struct {
	room.Bus
	hears bool
}

func (d *dropping) Publish(ctx context.Context, entry room.Entry, answered []string) error {
	if !d.hears {
		entry.Version = 0
	}
	return d.Bus.Publish(ctx, entry, answered)
}

// An instance that starts to hear the others reads what it has missed.
func TestMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one, two := h.stopped(t, "i1"), h.instance(t, "i2")
		id, code := one.opened(9) // and has it in memory
		two.must(join(id, code, student(1)))
		synctest.Wait()
		if seat := one.seated(id, student(1).User); seat != 0 {
			t.Errorf("heard of seat %d all the same", seat)
		}
		stop, ended := one.started()
		synctest.Wait()
		if seat := one.seated(id, student(1).User); seat != 1 {
			t.Errorf("seat %d, when it hears the others", seat)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
