package room_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A join that is decided after its socket has gone leaves no session behind:
// the one that ends it was there before it.
func TestNoGhost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one, two := h.instance(t, "i1"), h.instance(t, "i2")
		id, code := one.opened(9)
		two.header(id)
		one.Locker = heldBy{h.locker, time.Now().Add(6 * time.Second)} // the queue is two's to drain
		h.faults(func(context.Context) error { return errAway }, nil)
		came := join(id, code, student(1))
		came.Session, came.Instance = "s1", one.Self()
		if _, err := one.do(came); !errors.Is(err, room.ErrUnavailable) {
			t.Errorf("the store is away, and the join is answered %v", err)
		}
		time.Sleep(500 * time.Millisecond)
		one.Ask(room.Command{Type: room.CommandDisconnect, Room: id, By: student(1), Session: "s1"}, nil)
		time.Sleep(1500 * time.Millisecond)
		h.faults(nil, nil)
		time.Sleep(500 * time.Millisecond) // one decides the disconnect without the lock
		two.must(join(id, code, student(2)))
		time.Sleep(time.Minute)
		var sessions []room.Session
		err := two.View(t.Context(), id, func(v room.View) {
			if p := v.Person(student(1).User); p != nil {
				sessions = p.Sessions
			}
		})
		if err != nil || len(sessions) > 0 {
			t.Errorf("a minute after the socket went there is %v, %v", sessions, err)
		}
	})
}

// A store that has less of a room than is here is believed, without haste.
func TestStoreHasLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(9)
		i.must(join(id, code, student(1)))
		h.mu.Lock()
		delete(h.rooms, id)
		before := h.saves + h.stops
		h.mu.Unlock()
		if _, err := i.do(join(id, code, student(2))); !errors.Is(err, room.ErrNotFound) && !errors.Is(err, room.ErrUnavailable) {
			t.Errorf("a room that is gone answers %v", err)
		}
		time.Sleep(3 * time.Second)
		if err := i.View(t.Context(), id, func(room.View) {}); !errors.Is(err, room.ErrNotFound) {
			t.Errorf("it is shown: %v", err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if tries := h.saves + h.stops - before; tries > 20 {
			t.Errorf("%d tries to save it", tries)
		}
	})
}

// hanging is a store that answers nothing but beats.
type hanging struct {
	*memory
	longest atomic.Int64 // ns between two beats
	last    atomic.Pointer[time.Time]
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (s *hanging) Beat(ctx context.Context, i room.InstanceID) (room.Pulse, error) {
	now := time.Now()
	if last := s.last.Swap(&now); last != nil {
		s.longest.Store(max(s.longest.Load(), int64(now.Sub(*last))))
	}
	return s.memory.Beat(ctx, i)
}

func (s *hanging) Versions(ctx context.Context, _ []room.ID) (map[room.ID]int64, error) {
	return nil, hang(ctx)
}

func (s *hanging) Due(ctx context.Context, _ time.Time, _ int) ([]room.ID, error) {
	return nil, hang(ctx)
}

func (s *hanging) Orphans(ctx context.Context) ([]room.Orphan, error) { return nil, hang(ctx) }

// However slow everything else is, beats come in time.
func TestBeatsComeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.stopped(t, "i1")
		if err := i.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := &hanging{memory: h.memory}
		i.Store = s
		id, _ := i.opened(9)
		i.header(id)
		stop, ended := i.started()
		time.Sleep(time.Minute)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if longest := time.Duration(s.longest.Load()); longest == 0 || longest > 1100*time.Millisecond {
			t.Errorf("the longest pause between two beats was %v", longest)
		}
	})
}

// slowLog is a store that takes its time to read the log.
type slowLog struct {
	*memory
	takes              time.Duration
	reads, now, atOnce atomic.Int64
}

func (s *slowLog) Entries(ctx context.Context, id room.ID, after int64, limit int) ([]room.Entry, error) {
	s.reads.Add(1)
	s.atOnce.Store(max(s.atOnce.Load(), s.now.Add(1)))
	defer s.now.Add(-1)
	time.Sleep(s.takes)
	return s.memory.Entries(ctx, id, after, limit)
}

// losesOne is a bus that loses the next entry.
type losesOne struct {
	room.Bus
	next atomic.Bool
}

func (l *losesOne) Publish(ctx context.Context, e room.Entry, answered []string) error {
	if l.next.CompareAndSwap(true, false) {
		e.Version = 0
	}
	return l.Bus.Publish(ctx, e, answered)
}

// One lost entry of a busy room is read once, not for each that follows it.
func TestOneGapIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one := h.instance(t, "i1")
		log := &slowLog{memory: h.memory, takes: 500 * time.Millisecond}
		two := h.stopped(t, "i2")
		two.Store = log
		two.run()
		bus := &losesOne{Bus: h.bus}
		one.Bus = bus
		id, code := one.opened(1000)
		two.header(id)
		bus.next.Store(true)
		for n := range 500 {
			one.must(join(id, code, student(n)))
			time.Sleep(2 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		if reads, atOnce := log.reads.Load(), log.atOnce.Load(); reads == 0 || reads > 10 || atOnce > 1 {
			t.Errorf("the log was read %d times, %d at once", reads, atOnce)
		}
		if seat := two.seated(id, student(499).User); seat != 500 {
			t.Errorf("the last has seat %d", seat)
		}
	})
}

// A copy of a room that was forgotten while its log was read tells nobody.
func TestForgottenCopyTellsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one := h.instance(t, "i1")
		log := &slowLog{memory: h.memory}
		two := h.stopped(t, "i2")
		two.Store = log
		two.run()
		bus := &losesOne{Bus: h.bus}
		one.Bus = bus
		id, code := one.opened(9)
		one.must(join(id, code, student(1)))
		time.Sleep(500 * time.Millisecond)
		two.header(id)
		time.Sleep(58700 * time.Millisecond)
		log.takes = 1900 * time.Millisecond
		bus.next.Store(true)
		one.must(join(id, code, student(2))) // two finds it missing, and reads while it forgets the room
		time.Sleep(2400 * time.Millisecond)
		two.header(id)
		two.hold(true)
		one.must(join(id, code, student(3)))
		time.Sleep(5 * time.Second)
		two.mu.Lock()
		defer two.mu.Unlock()
		var versions []int64
		for _, e := range two.heard {
			versions = append(versions, e.Version)
		}
		if !slices.IsSorted(versions) || len(slices.Compact(versions)) != len(two.heard) || versions[len(versions)-1] != 4 {
			t.Errorf("told of versions %v", versions)
		}
	})
}

// set is a store whose clock is set while it runs.
type set struct {
	*memory
	by *atomic.Int64 // ns
}

func (s set) now() time.Time { return time.Now().Add(time.Duration(s.by.Load())) }

func (s set) Beat(_ context.Context, i room.InstanceID) (room.Pulse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead[i] {
		s.beats[i] = s.now()
	}
	return room.Pulse{Now: s.now(), Dead: s.dead[i]}, nil
}

func (s set) Bury(_ context.Context, living room.InstanceID, silence time.Duration) (buried int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, at := range s.beats {
		if i != living && !s.dead[i] && s.now().Sub(at) >= silence {
			s.dead[i] = true
			buried++
		}
	}
	return buried, nil
}

// A store's clock that is set, in either direction, kills nobody and closes no
// room to anyone.
func TestStoreClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		var by atomic.Int64
		var all []*instance
		for _, id := range []room.InstanceID{"i1", "i2", "i3", "i4"} {
			i := h.stopped(t, id)
			i.Store = set{h.memory, &by}
			i.run()
			all = append(all, i)
			time.Sleep(230 * time.Millisecond)
		}
		id, code := all[0].opened(100)
		time.Sleep(20 * time.Second)
		for n := range 20 {
			step := 15 * time.Second
			if n >= 10 {
				step = -10 * time.Minute
			}
			by.Add(int64(step))
			time.Sleep(time.Duration(1500+n*170) * time.Millisecond)
			all[n%4].must(join(id, code, student(n)))
			time.Sleep(20 * time.Second)
		}
		for _, i := range all {
			if i.deaths() > 0 {
				t.Errorf("%s was taken for dead", i.Instance)
			}
		}
	})
}

// While nothing can be written, what would be written does not pile up.
func TestReapsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(9)
		came := join(id, code, student(1))
		came.Session, came.Instance = "s1", "unheard"
		i.must(came)
		h.faults(nil, func(room.Step, func() error) error { return errAway })
		time.Sleep(5 * time.Minute)
		if n := i.Gauges().Commands; n > 10 {
			t.Errorf("%d commands wait", n)
		}
		h.faults(nil, nil)
		time.Sleep(10 * time.Second)
		if p := i.person(id, student(1).User); len(p.Sessions) > 0 {
			t.Errorf("still there: %+v", p)
		}
	})
}

// One person may ask for several things at once.
func TestOnePersonAtOnce(t *testing.T) {
	h := newHall()
	i := h.stopped(t, "i1")
	if err := i.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop, ended := i.started()
	id, _ := i.opened(9)
	var askers sync.WaitGroup
	var lost atomic.Int64
	for range 4 {
		askers.Go(func() {
			for range 2000 {
				if _, err := i.do(room.Command{Type: room.CommandUnban, Room: id, By: kim, User: "x"}); errors.Is(err, room.ErrUnavailable) {
					lost.Add(1)
				}
			}
		})
	}
	askers.Wait()
	stop()
	if err := <-ended; err != nil || lost.Load() > 0 {
		t.Errorf("%d were unavailable, %v", lost.Load(), err)
	}
}

// tellsNobody is a bus that may not publish, and so takes nothing off the queue.
type tellsNobody struct{ room.Bus }

func (tellsNobody) Publish(context.Context, room.Entry, []string) error { return errAway }

// A queue that shows the same for ever does not hide what is behind.
func TestQueueIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.bus = tellsNobody{h.bus}
		i := h.instance(t, "i1")
		id, code := i.opened(10_000)
		for n := range 1100 {
			i.must(join(id, code, student(n)))
		}
	})
}

// The end does not wait longer for a store that is away than a caller would.
func TestEndWithoutStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.stopped(t, "i1")
		if err := i.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop, ended := i.started()
		id, code := i.opened(9)
		came := join(id, code, student(1))
		came.Session, came.Instance = "s1", "i1"
		i.must(came)
		h.faults(hang, nil)
		i.Ask(room.Command{Type: room.CommandDisconnect, Room: id, By: student(1), Session: "s1"}, nil)
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		if err := <-ended; err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("ended after %v with %v", time.Since(began), err)
		}
	})
}
