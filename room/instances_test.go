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
	"github.com/lectern-room/lectern/room/roomtest"
)

// heldBy is a lock that somebody got and never gives back.
type heldBy struct {
	room.Locker
	free time.Time // when it expires
}

func (h heldBy) Lock(ctx context.Context, id room.ID) (func(), bool, error) {
	if time.Now().Before(h.free) {
		return nil, false, nil
	}
	return h.Locker.Lock(ctx, id)
}

// The instance that has the lock dies: who waits elsewhere is answered well
// within two seconds, in order, and so is everyone who asks before the lock
// expires. When it has, the queue is emptied of what was decided.
func TestHolderDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.stopped(t, "i1")
		i.Locker = heldBy{h.locker, time.Now().Add(5 * time.Second)}
		var held, away, replies atomic.Int32
		i.Metrics = &room.Metrics{Skipped: func(reason string) {
			if reason == "held" {
				held.Add(1)
			} else {
				away.Add(1)
			}
		}}
		i.run()
		id, code := i.opened(100)
		for n := range 70 {
			asked := time.Now()
			i.Ask(join(id, code, student(n)), func(o room.Outcome) {
				replies.Add(1)
				most := time.Second
				if n > 10 { // by then the lock was given up on
					most = 10 * time.Millisecond
				}
				if took := time.Since(asked); o.Err != nil || o.Answer.Seat != n+1 || took > most {
					t.Errorf("student %d is answered %+v, %v after %v", n, o.Answer, o.Err, took)
				}
			})
			time.Sleep(100 * time.Millisecond)
		}
		if n := replies.Load(); n != 70 {
			t.Errorf("%d of 70 were answered", n)
		}
		if held.Load() == 0 || away.Load() > 0 {
			t.Errorf("skipped the lock %d times since it was held, %d since it was away", held.Load(), away.Load())
		}
		if head, err := h.queue.Head(t.Context(), id, 99); len(head) > 0 || err != nil {
			t.Errorf("%d commands are left in the queue, %v", len(head), err)
		}
		h.log(t, id)
	})
}

// While entries come, another instance is at work: it is waited for, but not
// for ever.
func TestHolderIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one, two := h.stopped(t, "i1"), h.stopped(t, "i2")
		one.Queue = &passing{Queue: h.queue} // takes i1's commands alone
		two.Locker = nobody{}
		var skipped atomic.Pointer[time.Time]
		two.Metrics = &room.Metrics{Skipped: func(string) {
			now := time.Now()
			skipped.Store(&now)
		}}
		one.run()
		two.run()
		id, code := one.opened(100)
		two.header(id) // has it in memory
		var asking sync.WaitGroup
		asking.Go(func() {
			for n := range 60 {
				one.must(join(id, code, student(n)))
				time.Sleep(100 * time.Millisecond)
			}
		})
		synctest.Wait()
		began := time.Now()
		two.must(leave(id, student(0)))
		if at := skipped.Load(); at == nil || at.Sub(began) < time.Second || at.Sub(began) > 1800*time.Millisecond {
			t.Errorf("decided without the lock at %v, asked at %v", at, began)
		}
		asking.Wait()
	})
}

// passing is a queue that shows an instance nothing but its own commands.
type passing struct {
	room.Queue
	mine []room.CommandID
}

func (p *passing) Push(ctx context.Context, id room.ID, commands []room.Command) error {
	for _, c := range commands {
		p.mine = append(p.mine, c.ID)
	}
	return p.Queue.Push(ctx, id, commands)
}

func (p *passing) Head(ctx context.Context, id room.ID, limit int) ([]room.Queued, error) {
	head, err := p.Queue.Head(ctx, id, limit)
	return slices.DeleteFunc(head, func(q room.Queued) bool { return !slices.Contains(p.mine, q.Command.ID) }), err
}

// A command that comes while another instance is about to give back the lock
// is not forgotten until the lock is free and somebody thinks of looking.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one, two := h.instance(t, "i1"), h.instance(t, "i2")
		id, code := one.opened(1000)
		var replies atomic.Int32
		for n := range 300 {
			asked := time.Now()
			i := []*instance{one, two}[n%2]
			i.Ask(join(id, code, student(n)), func(o room.Outcome) {
				replies.Add(1)
				if took := time.Since(asked); o.Err != nil || took > 50*time.Millisecond {
					t.Errorf("student %d is answered %v after %v", n, o.Err, took)
				}
			})
			h.faults(slow(time.Duration(n%7)*time.Millisecond), nil)
			time.Sleep(time.Duration(n%5) * time.Millisecond)
		}
		time.Sleep(time.Second)
		if n := replies.Load(); n != 300 {
			t.Errorf("%d of 300 were answered", n)
		}
		h.log(t, id)
	})
}

// away is a queue, a lock and a bus that do not answer.
type away struct{}

var errAway = errors.New("connection refused")

func (away) Push(context.Context, room.ID, []room.Command) error       { return errAway }
func (away) Head(context.Context, room.ID, int) ([]room.Queued, error) { return nil, errAway }
func (away) Lock(context.Context, room.ID) (func(), bool, error)       { return nil, false, errAway }
func (away) Publish(context.Context, room.Entry, []string) error       { return errAway }
func (away) Listen(ctx context.Context, _ func(room.ID, int64) bool, _ func(room.Entry), _ func()) error {
	<-ctx.Done()
	return nil
}

// delayed is a store that is further away than the others'.
type delayed struct {
	room.Store
	by time.Duration
}

func (d delayed) Save(ctx context.Context, step room.Step) error {
	time.Sleep(d.by)
	return d.Store.Save(ctx, step)
}

func (d delayed) Entries(ctx context.Context, id room.ID, after int64, limit int) ([]room.Entry, error) {
	time.Sleep(d.by)
	return d.Store.Entries(ctx, id, after, limit)
}

// Without queue and lock, a slower instance is not starved by faster ones on
// the same room, and everyone sees everything a little later.
func TestSlowerInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.queue, h.locker, h.bus = away{}, away{}, away{}
		var instances []*instance
		for _, id := range []room.InstanceID{"i1", "i2", "i3"} {
			i := h.instance(t, id)
			i.Store = delayed{h.memory, time.Millisecond}
			instances = append(instances, i)
		}
		instances[2].Store = delayed{h.memory, 6 * time.Millisecond}
		id, code := instances[0].opened(room.MaxCapacity)

		var all sync.WaitGroup
		const askers = 4            // on each
		var longest [3]atomic.Int64 // ns
		end := time.Now().Add(2 * time.Second)
		for k, i := range instances {
			for asker := range askers {
				all.Go(func() {
					for n := 0; time.Now().Before(end); n++ {
						asked := time.Now()
						i.must(join(id, code, student(k*1_000_000+asker*100_000+n)))
						if took := int64(time.Since(asked)); took > longest[k].Load() {
							longest[k].Store(took)
						}
					}
				})
			}
		}
		all.Wait()
		most := time.Duration(longest[2].Load())
		if most == 0 || most > time.Second {
			t.Errorf("the slower instance's longest wait was %v", most)
		}
		h.mu.Lock()
		stops := h.stops
		h.mu.Unlock()
		if stops == 0 {
			t.Error("nobody stopped the room")
		}
		time.Sleep(3 * time.Second)
		last := int64(len(h.log(t, id)))
		for k, i := range instances {
			if v := i.header(id).Version; v != last {
				t.Errorf("instance %d is at version %d of %d", k, v, last)
			}
		}
		if !t.Failed() {
			roomtest.Proved(t, "without queue and lock, %d people at once on three instances, one 5 ms further from the store: %d versions, the longest wait there %v (may be 1 s), elsewhere %v; the room was stopped %d times for a save",
				len(instances)*askers, last, most, time.Duration(max(longest[0].Load(), longest[1].Load())), stops)
		}
	})
}

// A bus that says nothing, and does not know it: rooms are compared with the
// store.
func TestCompare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		var gaps atomic.Int32
		one := h.stopped(t, "i1")
		one.Metrics = &room.Metrics{Gap: func() { gaps.Add(1) }}
		one.run()
		h.bus = &dropping{Bus: h.bus}
		two := h.instance(t, "i2")
		id, code := one.opened(9)
		two.must(join(id, code, student(1)))
		time.Sleep(2200 * time.Millisecond)
		if seat := one.seated(id, student(1).User); seat != 1 || gaps.Load() != 1 {
			t.Errorf("seat %d two seconds later, %d gaps", seat, gaps.Load())
		}
	})
}

// An instance that goes silent is dead ten seconds later: its sessions end at
// its last beat. If it was not, it says so to its own people, and lives on as
// another.
func TestSilentInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one, two := h.stopped(t, "i1"), h.stopped(t, "i2")
		frozen := &freezing{Store: h.memory}
		one.Store = frozen
		var reaped atomic.Int32 // by either: the silent one looks for sessions of the dead too
		metrics := &room.Metrics{Reaped: func(sessions int) { reaped.Add(int32(sessions)) }}
		one.Metrics, two.Metrics = metrics, metrics
		one.run()
		two.run()
		time.Sleep(15500 * time.Millisecond) // between two beats
		id, code := one.opened(9)
		came := join(id, code, student(1))
		came.Session, came.Instance = "s1", one.Self()
		one.must(came)
		time.Sleep(time.Second)
		until := time.Now().Add(time.Minute)
		frozen.until.Store(&until)
		silent := h.beat("i1")
		two.hold(true)
		two.header(id)

		time.Sleep(20 * time.Second)
		if n := reaped.Load(); n != 1 {
			t.Errorf("%d sessions were reaped", n)
		}
		log := h.log(t, id)
		ended := slices.IndexFunc(log, func(e room.Entry) bool {
			return len(e.Events) > 0 && e.Events[0].Type == room.EventDisconnected
		})
		if ended < 0 || !log[ended].Events[0].At.Equal(silent.Truncate(time.Millisecond)) {
			t.Fatalf("last beat at %v, the log says %+v", silent, log[2:])
		}
		if !slices.Contains(two.happened(), room.EventOffline) {
			t.Error("not shown offline")
		}
		if seat := two.seated(id, student(1).User); seat != 1 {
			t.Errorf("has seat %d", seat)
		}
		if one.deaths() > 0 || one.Self() != "i1" {
			t.Error("knows that it is dead while it is silent")
		}

		late := join(id, code, student(2)) // began before it knew, decided after
		late.Session, late.Instance = "s2", "i1"
		two.must(late)
		time.Sleep(45 * time.Second)
		if one.deaths() != 1 || one.Self() == "i1" {
			t.Errorf("told %d times that it is dead, is %s", one.deaths(), one.Self())
		}
		if p := two.person(id, student(2).User); p.Online || len(p.Sessions) > 0 {
			t.Errorf("a ghost: %+v", p)
		}
		came.Session, came.Instance = "s3", one.Self()
		one.must(came)
		time.Sleep(30 * time.Second)
		if p := two.person(id, student(1).User); !p.Online || len(p.Sessions) != 1 {
			t.Errorf("who came back is %+v", p)
		}
		if !t.Failed() {
			roomtest.Proved(t, "an instance silent for a minute: its session ended at its last beat, which was known %v after that; 0 ghosts", log[ended].At.Sub(silent))
		}
	})
}

func (i *instance) person(id room.ID, u room.UserID) (p room.Person) {
	i.t.Helper()
	err := i.View(i.t.Context(), id, func(v room.View) { p = *v.Person(u) })
	if err != nil {
		i.t.Fatal(err)
	}
	return p
}

// freezing is a store that answers nothing for a while, as to a process that
// is stopped.
type freezing struct {
	room.Store
	until atomic.Pointer[time.Time] // nil: it answers
}

func (f *freezing) Beat(ctx context.Context, i room.InstanceID) (room.Pulse, error) {
	if until := f.until.Load(); until != nil && time.Now().Before(*until) {
		return room.Pulse{}, errAway
	}
	return f.Store.Beat(ctx, i)
}

// A store that was away for longer than it takes to be dead has killed nobody.
func TestStoreAwayKillsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		one, two := h.instance(t, "i1"), h.instance(t, "i2")
		time.Sleep(20 * time.Second)
		h.faults(func(context.Context) error { return errAway }, nil)
		time.Sleep(11 * time.Second)
		h.faults(nil, nil)
		time.Sleep(20 * time.Second)
		if one.deaths()+two.deaths() > 0 || h.beat("i1").Before(time.Now().Add(-2*time.Second)) {
			t.Errorf("the last beat of an instance counted at %v", h.beat("i1"))
		}
		if !t.Failed() {
			roomtest.Proved(t, "a store that was away for 11 s: of 2 instances %d were taken for dead", one.deaths()+two.deaths())
		}
	})
}

// A machine that slept does not know how late it is: what it read from the
// queue before is not decided again all the same.
func TestSleeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(9)
		q := &twice{Queue: h.queue}
		i.Queue = q
		i.must(join(id, code, student(1)))
		i.must(leave(id, student(1)))
		i.hold(true)

		ahead := h.stopped(t, "i2") // its clock is that of the others, two minutes on
		ahead.Store = later{h.memory, 2 * time.Minute}
		if err := ahead.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		ahead.must(join(id, code, student(2)))
		synctest.Wait()
		q.again(t, id)
		i.must(join(id, code, student(3)))
		synctest.Wait()
		if seat := i.seated(id, student(1).User); seat != 0 {
			t.Errorf("who left has seat %d again", seat)
		}
		time.Sleep(time.Hour)
	})
}

// later is a store whose clock is ahead.
type later struct {
	room.Store
	by time.Duration
}

func (l later) Beat(ctx context.Context, i room.InstanceID) (room.Pulse, error) {
	p, err := l.Store.Beat(ctx, i)
	p.Now = p.Now.Add(l.by)
	return p, err
}
