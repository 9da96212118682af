package room_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

// A chaos stops the instances between any two of their steps, for moments or
// for longer than anything is remembered, and kills some.
type chaos struct {
	mu      sync.Mutex // guards random
	random  *rand.Rand
	over    chan struct{} // closed when what is dead may end
	stopped atomic.Int32  // how many are
}

func (c *chaos) draw() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.Float64()
}

// pause is what may happen between two steps.
func (c *chaos) pause(dead bool) error {
	if dead {
		<-c.over
		return errAway
	}
	most := time.Duration(0)
	switch p := c.draw(); {
	case p < 0.75:
	case p < 0.93:
		most = 100 * time.Millisecond
	case p < 0.997:
		most = 5 * time.Second
	default:
		most = 90 * time.Second
	}
	if most > 0 {
		c.stopped.Add(1)
		defer c.stopped.Add(-1)
		time.Sleep(time.Duration(c.draw() * float64(most)))
	}
	return nil
}

// A shaken instance goes through chaos to everything that it shares with
// others.
type shaken struct {
	room.Store
	room.Queue
	room.Locker
	room.Bus
	chaos *chaos
	mu    sync.Mutex // guards dead
	dead  bool
}

func (s *shaken) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
}

// step is before and after everything.
func (s *shaken) step() error {
	s.mu.Lock()
	dead := s.dead
	s.mu.Unlock()
	return s.chaos.pause(dead)
}

func (s *shaken) Save(ctx context.Context, step room.Step) error {
	if err := s.step(); err != nil {
		return err
	}
	err := s.Store.Save(ctx, step)
	if s.step() != nil || s.chaos.draw() < 0.05 {
		return room.ErrUnknown
	}
	return err
}

func (s *shaken) SaveNext(ctx context.Context, id room.ID, after int64, next func([]room.Entry) (room.Step, bool)) error {
	if err := s.step(); err != nil {
		return err
	}
	err := s.Store.SaveNext(ctx, id, after, next)
	if s.step() != nil || s.chaos.draw() < 0.05 {
		return room.ErrUnknown
	}
	return err
}

func (s *shaken) Push(ctx context.Context, id room.ID, commands []room.Command) error {
	if err := s.step(); err != nil || s.chaos.draw() < 0.05 {
		return errAway
	}
	if s.chaos.draw() < 0.1 { // sent again after a lost answer
		commands = append(commands, commands...)
	}
	return errors.Join(s.Queue.Push(ctx, id, commands), s.step())
}

func (s *shaken) Head(ctx context.Context, id room.ID, limit int) ([]room.Queued, error) {
	head, err := s.Queue.Head(ctx, id, limit)
	if s.chaos.draw() < 0.05 {
		return nil, errAway
	}
	return head, errors.Join(err, s.step())
}

func (s *shaken) Lock(ctx context.Context, id room.ID) (func(), bool, error) {
	switch p := s.chaos.draw(); {
	case p < 0.2: // it has expired under its holder
		return func() {}, true, s.step()
	case p < 0.3:
		return nil, false, errAway
	}
	unlock, ok, err := s.Locker.Lock(ctx, id)
	if !ok {
		return nil, false, err
	}
	return func() { // late, or never
		if s.step() == nil {
			unlock()
		}
	}, true, s.step()
}

func (s *shaken) Publish(ctx context.Context, entry room.Entry, answered []string) error {
	if err := s.step(); err != nil || s.chaos.draw() < 0.1 {
		return errAway
	}
	return s.Bus.Publish(ctx, entry, answered)
}

// anonymous is a queue that does not know which command it has handed out
// before: as if commands had no ids.
type anonymous struct{ room.Queue }

func (a anonymous) Head(ctx context.Context, id room.ID, limit int) ([]room.Queued, error) {
	shared, err := a.Queue.Head(ctx, id, limit)
	head := slices.Clone(shared) // others read it
	for i := range head {
		head[i].Command.ID, head[i].Command.AskedAt = room.CommandID("a"+room.NewToken()), time.Now()
	}
	return head, err
}

// Three instances drain one room and are stopped between any two steps, die,
// and do without the queue and the lock. Whoever was told of a seat, or that
// it is given up, finds it so until asking for something else; whoever was told
// of a place in the line has it, or one further ahead, or a seat.
func TestNothingAnsweredIsUndone(t *testing.T) {
	t.Cleanup(func() { // all parts are done
		if !t.Failed() {
			roomtest.Proved(t, "seeds 0 to %d: 0 schedules undo what was answered", schedules-1)
		}
	})
	for worker := range uint64(4) {
		t.Run(fmt.Sprint("part ", worker), func(t *testing.T) {
			t.Parallel()
			for seed := worker; seed < schedules && !t.Failed(); seed += 4 {
				if undone := schedule(t, seed, func(q room.Queue) room.Queue { return q }); undone != "" {
					t.Errorf("seed %d: %s", seed, undone)
				}
			}
		})
	}
}

// The test above can fail: without the ids of commands it does.
func TestUndoneWithoutIDs(t *testing.T) {
	for seed := range uint64(schedules) {
		if schedule(t, seed, func(q room.Queue) room.Queue { return anonymous{q} }) != "" {
			roomtest.Proved(t, "without the ids of commands seed %d of those from 0 undoes something", seed)
			return
		}
	}
	t.Errorf("nothing was undone in %d schedules", schedules)
}

// schedule plays one and returns what was undone, if anything.
func schedule(t *testing.T, seed uint64, through func(room.Queue) room.Queue) (undone string) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.queue = through(h.queue)
		c := &chaos{random: rand.New(rand.NewPCG(seed, 1)), over: make(chan struct{})}
		first, askers := h.stopped(t, "i0"), 3+int(seed%2)
		id := first.openedWith(2, room.OptionsEdit{Waitlist: new(seed%2 == 1)})
		code := first.header(id).Code

		var all []*shaken
		var instances []*instance
		for _, name := range []room.InstanceID{"i1", "i2", "i3"} {
			i := h.stopped(t, name)
			s := &shaken{Store: i.Store, Queue: i.Queue, Locker: i.Locker, Bus: i.Bus, chaos: c}
			i.run()
			i.Store, i.Queue, i.Locker, i.Bus = s, s, s, s
			all, instances = append(all, s), append(instances, i)
		}
		var students sync.WaitGroup
		for n := range askers {
			students.Go(func() {
				if found := h.visits(c, instances, id, code, n); found != "" {
					undone = found
				}
			})
		}
		if c.draw() < 0.3 {
			time.Sleep(time.Duration(c.draw() * float64(5*time.Second)))
			all[0].kill()
		}
		students.Wait()
		close(c.over)
		for c.stopped.Load() > 0 { // the last of those goes on
			time.Sleep(5 * time.Second)
		}
	})
	return undone
}

// visits joins and leaves at random instances, and looks again a little later
// whether it is as was said.
func (h *hall) visits(c *chaos, instances []*instance, id room.ID, code string, n int) string {
	who := student(n)
	for visit := range 3 {
		come := join(id, code, who)
		come.Session, come.Instance = room.SessionID(fmt.Sprint(who.User, "/", visit)), "i1" // stays online
		for _, ask := range []room.Command{come, leave(id, who)} {
			time.Sleep(time.Duration(c.draw() * float64(time.Second)))
			answer, err := instances[int(c.draw()*3)].do(ask)
			if errors.Is(err, room.ErrUnavailable) {
				continue
			}
			seat, position := answer.Seat, answer.Position
			for range 2 {
				seatNow, positionNow := h.stands(id, who.User)
				advanced := position > 0 && (seatNow > 0 || 0 < positionNow && positionNow <= position)
				if !advanced && (seatNow != seat || positionNow != position) {
					return fmt.Sprintf("%s of %s was answered %+v, %v; the store has seat %d, position %d", ask.Type, who.User, answer, err, seatNow, positionNow)
				}
				seat, position = seatNow, positionNow
				most := 2 * time.Second
				if c.draw() < 0.1 {
					most = 15 * time.Second // nothing is decided that is older
				}
				time.Sleep(time.Duration(c.draw() * float64(most)))
			}
		}
	}
	return ""
}

// stands is what is stored of someone: the seat, or the position in the line;
// 0: none.
func (h *hall) stands(id room.ID, u room.UserID) (seat, position int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.rooms[id].people[u]
	if p == nil || p.State != room.Waiting {
		return seatOf(p), 0
	}
	for _, other := range h.rooms[id].people {
		if other.State == room.Waiting && other.Place <= p.Place {
			position++
		}
	}
	return 0, position
}

func seatOf(p *room.Person) int {
	if p == nil {
		return 0
	}
	return p.Seat
}
