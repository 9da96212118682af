package room_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
)

var kim = room.Caller{User: "kim", Name: "Kim", Role: room.Instructor}

// A hall is what the instances of a test share.
type hall struct {
	*memory
	queue  room.Queue
	locker room.Locker
	bus    room.Bus
}

func newHall() *hall {
	local := &store.Local{}
	return &hall{memory: newMemory(), queue: local, locker: local, bus: local}
}

// An instance is a Registrar that runs until the test ends, and what its
// listener was told.
type instance struct {
	*room.Registrar
	t *testing.T

	mu    sync.Mutex // guards all below
	heard []room.Entry
	holds bool
	asked int // whether it holds a room
	died  int
}

// Holds is room.Listener's.
func (i *instance) Holds(room.ID) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	return i.holds
}

func (i *instance) hold(holds bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.holds = holds
}

// Applied is room.Listener's.
func (i *instance) Applied(r *room.Room, e *room.Entry) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if n := len(i.heard); r.Version != e.Version || n > 0 && i.heard[n-1].Room == e.Room && e.Version != i.heard[n-1].Version+1 {
		i.t.Errorf("told of version %d of a room at %d after %d entries", e.Version, r.Version, n)
	}
	i.heard = append(i.heard, *e)
}

// Died is room.Listener's.
func (i *instance) Died() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.died++
}

// deaths counts how often the instance was told that it was taken for dead.
func (i *instance) deaths() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.died
}

// version is that of the last entry that the listener was told of.
func (i *instance) version() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.heard) == 0 {
		return 0
	}
	return i.heard[len(i.heard)-1].Version
}

// happened are the types of the events that the listener was told of.
func (i *instance) happened() []room.EventType {
	i.mu.Lock()
	defer i.mu.Unlock()
	var types []room.EventType
	for _, e := range i.heard {
		for _, event := range e.Events {
			types = append(types, event.Type)
		}
	}
	return types
}

func (h *hall) instance(t *testing.T, id room.InstanceID) *instance {
	i := h.stopped(t, id)
	i.run()
	return i
}

// run has the instance run until the test ends.
func (i *instance) run() {
	if err := i.Recover(i.t.Context()); err != nil {
		i.t.Fatal(err)
	}
	_, ended := i.started()
	synctest.Wait() // it hears the others
	i.t.Cleanup(func() {
		if err := <-ended; err != nil {
			i.t.Errorf("instance %s: %v", i.Instance, err)
		}
	})
}

// started has the instance run until stop is called, or the test is over; what
// came of it is sent.
func (i *instance) started() (stop context.CancelFunc, ended <-chan error) {
	ctx, stop := context.WithCancel(i.t.Context())
	result := make(chan error)
	go func() { result <- i.Run(ctx) }()
	return stop, result
}

// stopped is an instance that does not run.
func (h *hall) stopped(t *testing.T, id room.InstanceID) *instance {
	i := &instance{t: t}
	i.Registrar = &room.Registrar{
		Store: h.memory, Queue: h.queue, Locker: h.locker, Bus: h.bus,
		Listener: i, Log: slog.New(slog.DiscardHandler), Instance: id, RoomsPerInstructor: 1,
	}
	return i
}

// opened opens a room of kim's and returns its id and code.
func (i *instance) opened(capacity int) (room.ID, string) {
	i.t.Helper()
	id, _, err := i.Open(i.t.Context(), kim, room.Change{Title: new("Logic"), Capacity: &capacity}, "")
	if err != nil {
		i.t.Fatal(err)
	}
	return id, i.header(id).Code
}

func (i *instance) header(id room.ID) (h room.Header) {
	i.t.Helper()
	if err := i.View(i.t.Context(), id, func(v room.View) { h = v.Header }); err != nil {
		i.t.Fatal(err)
	}
	return h
}

func (i *instance) do(c room.Command) (room.Answer, error) { return i.Do(c, nil) }

// must does what must not be refused.
func (i *instance) must(c room.Command) room.Answer {
	i.t.Helper()
	a, err := i.do(c)
	if err != nil {
		i.t.Fatalf("%s: %v", c.Type, err)
	}
	return a
}

func (i *instance) seated(id room.ID, u room.UserID) (seat int) {
	i.t.Helper()
	err := i.View(i.t.Context(), id, func(v room.View) {
		if p := v.Member(u); p != nil {
			seat = p.Seat
		}
	})
	if err != nil {
		i.t.Fatal(err)
	}
	return seat
}

func student(n int) room.Caller {
	u := fmt.Sprintf("s%03d", n)
	return room.Caller{User: room.UserID(u), Name: u, Role: room.Student}
}

func join(id room.ID, code string, by room.Caller) room.Command {
	return room.Command{Type: room.CommandJoin, Room: id, By: by, Code: code}
}

func leave(id room.ID, by room.Caller) room.Command {
	return room.Command{Type: room.CommandLeave, Room: id, By: by}
}

// A thousand who ask at once are few entries, get seats in the order in which
// they asked, and hear of it before anyone else does.
func TestManyAskers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(900)
		h.faults(slow(10*time.Millisecond), nil)

		const askers = 1000
		answers := make([]int, askers)
		for n := range askers {
			i.Ask(join(id, code, student(n)), func(o room.Outcome) {
				answers[n]++
				switch a := o.Answer; {
				case a.User != student(n).User || o.Room.Version != o.Entry.Version || i.version() >= o.Entry.Version:
					t.Errorf("student %d is answered %+v at %d, the listener was told of %d", n, a, o.Entry.Version, i.version())
				case n < 900 && (o.Err != nil || a.Seat != n+1 || a.State != room.Seated || a.Already):
					t.Errorf("student %d is answered %+v, error %v", n, a, o.Err)
				case n >= 900 && !errors.Is(o.Err, room.ErrFull):
					t.Errorf("student %d is answered %+v, error %v", n, a, o.Err)
				}
			})
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for n, count := range answers {
			if count != 1 {
				t.Errorf("student %d was answered %d times", n, count)
			}
		}
		if log := h.log(t, id); len(log) > 4 || i.version() != int64(len(log)) {
			t.Errorf("%d entries, the listener was told of version %d", len(log), i.version())
		}
	})
}

// slow is a store that takes its time.
func slow(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A room longer than one batch is taken in several.
func TestBatchLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(room.MaxCapacity)
		h.faults(slow(10*time.Millisecond), nil)
		for n := range 20_000 {
			i.Ask(join(id, code, student(n)), nil)
		}
		time.Sleep(2 * time.Second)
		for _, e := range h.log(t, id) {
			if len(e.Answers) > 1024 {
				t.Errorf("%d commands in one entry", len(e.Answers))
			}
		}
		if n := i.header(id).Taken; n != 20_000 {
			t.Errorf("%d of 20,000 are seated", n)
		}
	})
}

// The answer to the save is lost: it is asked for again, and is the truth.
func TestLostAnswer(t *testing.T) {
	for name, saved := range map[string]bool{"saved": true, "not saved": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall()
				i := h.instance(t, "i1")
				id, code := i.opened(1)
				lost := 0
				var batches []string
				h.faults(nil, func(step room.Step, save func() error) error {
					batches = append(batches, step.Entry.Batch)
					if lost++; lost > 3 {
						return save()
					}
					if saved {
						save()
					}
					return room.ErrUnknown
				})
				if a := i.must(join(id, code, student(1))); a.Seat != 1 || a.Already {
					t.Errorf("answered %+v", a)
				}
				if len(slices.Compact(batches)) != 1 || lost != 4 {
					t.Errorf("%d saves of batches %v", lost, batches)
				}
				if log := h.log(t, id); len(log) != 2 {
					t.Errorf("%d entries", len(log))
				}
			})
		})
	}
}

// The answer is lost, and the store with it for longer than anyone waits: the
// caller hears that it cannot be told, and the same request again gets the one
// seat.
func TestLostForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(1)
		lost := false
		h.faults(func(context.Context) error {
			if lost {
				return errors.New("connection refused")
			}
			return nil
		}, func(step room.Step, save func() error) error {
			lost = true
			save()
			return room.ErrUnknown
		})
		if _, err := i.do(join(id, code, student(1))); !errors.Is(err, room.ErrUnavailable) {
			t.Errorf("answered %v", err)
		}
		h.faults(nil, nil)
		if a := i.must(join(id, code, student(1))); a.Seat != 1 || !a.Already {
			t.Errorf("answered %+v", a)
		}
		h.log(t, id)
	})
}

// While the store is away, callers hear so within 2.5 s; when it is back,
// work is resumed within 2 s. What was refused may be sent again.
func TestStoreAway(t *testing.T) {
	hangs := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	refuses := func(context.Context) error { return errors.New("connection refused") }
	for name, gate := range map[string]func(context.Context) error{
		"hangs": hangs, "refuses": refuses,
	} {
		for _, loaded := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, room loaded %t", name, loaded), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHall()
					i := h.instance(t, "i1")
					id, code := i.opened(100)
					if !loaded {
						i = h.instance(t, "i2")
					}
					h.faults(gate, nil)
					for n := range 100 {
						asked := time.Now()
						i.Ask(join(id, code, student(n)), func(o room.Outcome) {
							if took := time.Since(asked); took > 2500*time.Millisecond || !errors.Is(o.Err, room.ErrUnavailable) {
								t.Errorf("student %d is answered %v after %v", n, o.Err, took)
							}
						})
						time.Sleep(60 * time.Millisecond) // others ask before it is looked whether anyone has waited too long
					}
					time.Sleep(2500 * time.Millisecond)

					h.faults(nil, nil)
					back := time.Now()
					i.must(join(id, code, student(0)))
					if took := time.Since(back); took > 2*time.Second {
						t.Errorf("back to work after %v", took)
					}
					for n := range 100 {
						i.must(join(id, code, student(n)))
					}
					if taken := i.header(id).Taken; taken != 100 {
						t.Errorf("%d seats are taken", taken)
					}
					h.log(t, id)
				})
			})
		}
	}
}

// A socket that went while the store was away is not forgotten: its session
// ends when the store is back, at the time at which it went.
func TestGoneWhileAway(t *testing.T) {
	for _, away := range []time.Duration{time.Second, 5 * time.Second, time.Minute} {
		for _, loaded := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, room loaded %t", away, loaded), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHall()
					i := h.instance(t, "i1")
					id, code := i.opened(9)
					came := join(id, code, student(1))
					came.Session, came.Instance = "s1", "i1"
					i.must(came)
					if !loaded {
						i = h.instance(t, "i2")
					}
					h.faults(func(context.Context) error { return errors.New("connection refused") }, nil)
					went := came
					went.Type = room.CommandDisconnect
					at := i.Now().Truncate(time.Millisecond)
					i.Ask(went, nil)
					time.Sleep(away)
					h.faults(nil, nil)
					time.Sleep(2 * time.Second)
					log := h.log(t, id)
					if len(log) < 3 || len(log[2].Events) == 0 || log[2].Events[0].Type != room.EventDisconnected || !log[2].Events[0].At.Equal(at) {
						t.Errorf("went at %v, the log says %+v", at, log[2:])
					}
				})
			})
		}
	}
}

// What nobody waits for is not asked again after the end.
func TestEndWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.stopped(t, "i1")
		id, code := i.opened(9)
		came := join(id, code, student(1))
		came.Session, came.Instance = "s1", "i1"
		i.must(came)
		stop, ended := i.started()
		h.faults(func(context.Context) error { return errors.New("connection refused") }, nil)
		went := came
		went.Type = room.CommandDisconnect
		i.Ask(went, nil)
		stop()
		began := time.Now()
		if err := <-ended; err != nil || time.Since(began) > 15*time.Second {
			t.Errorf("ended after %v with %v", time.Since(began), err)
		}
	})
}

// A save that fails is tried again while someone waits for it.
func TestShortFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(1)
		faults := 0
		h.faults(nil, func(_ room.Step, save func() error) error {
			if faults++; faults <= 3 {
				return errors.New("deadlock detected")
			}
			return save()
		})
		if a := i.must(join(id, code, student(1))); a.Seat != 1 {
			t.Errorf("answered %+v", a)
		}
	})
}

// twice is a queue that keeps each command, and hands it out a second time
// when it is told to.
type twice struct {
	room.Queue
	pushed []room.Command
}

func (q *twice) Push(ctx context.Context, id room.ID, commands []room.Command) error {
	q.pushed = append(q.pushed, commands...)
	return q.Queue.Push(ctx, id, append(commands, commands...))
}

func (q *twice) again(t *testing.T, id room.ID) {
	if err := q.Queue.Push(t.Context(), id, q.pushed); err != nil {
		t.Fatal(err)
	}
}

// However often a command is in the queue, it is decided once, also by an
// instance that has read of it only; one that is too old never is.
func TestDecidedOnce(t *testing.T) {
	for name, wait := range map[string]time.Duration{"at once": 0, "soon": 9 * time.Second, "late": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall()
				q := &twice{Queue: h.queue}
				h.queue = q
				i := h.instance(t, "i1")
				id, code := i.opened(9)
				i.must(join(id, code, student(1)))
				i.must(leave(id, student(1)))
				time.Sleep(wait)

				q.again(t, id)
				other := h.instance(t, "i2")
				other.must(join(id, code, student(2)))
				synctest.Wait()
				if seat := other.seated(id, student(1).User); seat != 0 {
					t.Errorf("who left has seat %d again", seat)
				}
				if seat := i.seated(id, student(2).User); seat != 1 {
					t.Errorf("who joined has seat %d", seat)
				}
				if head, err := h.queue.Head(t.Context(), id, 9); len(head) > 0 || err != nil {
					t.Errorf("%d commands are left in the queue, error %v", len(head), err)
				}
				h.log(t, id)
			})
		})
	}
}

// forgetful is a queue that loses everything.
type forgetful struct{ room.Queue }

func (forgetful) Push(context.Context, room.ID, []room.Command) error { return nil }

// What the queue has lost is decided all the same, in the order in which it
// was asked here.
func TestQueueLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.queue = forgetful{h.queue}
		i := h.instance(t, "i1")
		id, code := i.opened(100)
		for n := range 100 {
			i.Ask(join(id, code, student(n)), func(o room.Outcome) {
				if o.Err != nil || o.Answer.Seat != n+1 {
					t.Errorf("student %d is answered %+v, error %v", n, o.Answer, o.Err)
				}
			})
		}
		time.Sleep(time.Second)
		h.log(t, id)
	})
}

// What is due happens by itself, to the millisecond.
func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(9)
		came := join(id, code, student(1))
		came.Session, came.Instance = "s1", "i1"
		i.must(came)
		went := came
		went.Type = room.CommandDisconnect
		i.must(went)
		begun := time.Now()

		time.Sleep(room.OfflineAfter - time.Millisecond)
		if slices.Contains(i.happened(), room.EventOffline) {
			t.Error("shown offline too early")
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if !slices.Contains(i.happened(), room.EventOffline) {
			t.Error("not shown offline")
		}
		opened := i.header(id).OpenedAt
		time.Sleep(time.Until(opened.Add(12*time.Hour + 10*time.Second)))
		if got := i.header(id); got.Status != room.Closed || got.ClosedAt != opened.Add(12*time.Hour) {
			t.Errorf("%s, closed at %v, opened at %v", got.Status, got.ClosedAt, opened)
		}
		if log := h.log(t, id); len(log) != 5 {
			t.Errorf("%d entries since %v", len(log), begun)
		}
	})
}

// A room is due also where no instance has it in memory.
func TestDueInNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		id, _, err := h.stopped(t, "i0").Open(t.Context(), kim, room.Change{Title: new("Logic"), Capacity: new(9)}, "")
		if err != nil {
			t.Fatal(err)
		}
		i := h.instance(t, "i1")
		time.Sleep(12*time.Hour + 3*time.Second)
		if !slices.Contains(i.happened(), room.EventClosed) {
			t.Errorf("still %s", i.header(id).Status)
		}
	})
}

// Rooms that nobody looks at leave the memory; one that is held stays.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(9)
		loads := func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.loads
		}
		i.must(join(id, code, student(1)))
		time.Sleep(50 * time.Second)
		if i.seated(id, student(1).User); loads() != 1 {
			t.Errorf("loaded %d times while in use", loads())
		}
		time.Sleep(2 * time.Minute)
		if seat := i.seated(id, student(1).User); seat != 1 || loads() != 2 {
			t.Errorf("seat %d, loaded %d times", seat, loads())
		}
		i.hold(true)
		time.Sleep(time.Hour)
		if i.must(join(id, code, student(2))); loads() != 2 {
			t.Errorf("loaded %d times while held", loads())
		}
		i.hold(false)
		time.Sleep(2 * time.Minute)
		if seat := i.must(join(id, code, student(3))).Seat; seat != 3 || loads() != 3 {
			t.Errorf("seat %d, loaded %d times", seat, loads())
		}
	})
}

// A room whose load takes longer than the time between two looks for what can
// be forgotten is loaded once; one that there is not is forgotten at once.
func TestForgetWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		id, _ := h.instance(t, "i1").opened(9)
		i := h.instance(t, "i2")
		var begun atomic.Bool
		h.faults(func(context.Context) error {
			if begun.CompareAndSwap(false, true) {
				time.Sleep(1500 * time.Millisecond)
			}
			return nil
		}, nil)
		if i.header(id); h.loads != 2 {
			t.Errorf("loaded %d times by two instances", h.loads)
		}
		h.faults(nil, nil)
		for n := range 100 {
			if _, err := i.do(leave(room.ID(fmt.Sprint("nowhere", n)), student(n))); !errors.Is(err, room.ErrNotFound) {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		i.mu.Lock()
		i.asked = 0
		i.mu.Unlock()
		time.Sleep(2 * time.Second)
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.asked > 4 {
			t.Errorf("rooms that there are not were looked at %d times", i.asked)
		}
	})
}

// A look at what happened since a version.
func TestSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, code := i.opened(9)
		for n := range 5 {
			i.must(join(id, code, student(n)))
		}
		since := func(version int64) (versions []int64, ok bool) {
			i.View(t.Context(), id, func(v room.View) {
				var entries []room.Entry
				entries, ok = v.Since(version)
				for _, e := range entries {
					versions = append(versions, e.Version)
				}
			})
			return versions, ok
		}
		for version, want := range map[int64][]int64{0: {1, 2, 3, 4, 5, 6}, 4: {5, 6}, 5: {6}, 6: nil} {
			if got, ok := since(version); !ok || !slices.Equal(got, want) {
				t.Errorf("since %d: %v, %t", version, got, ok)
			}
		}
		for _, version := range []int64{7, -1} {
			if got, ok := since(version); ok {
				t.Errorf("since %d: %v", version, got)
			}
		}
		i.hold(true)
		time.Sleep(2 * time.Minute)
		i.must(leave(id, student(1)))
		if got, ok := since(4); ok {
			t.Errorf("since 4, two minutes later: %v", got)
		}
		if got, ok := since(6); !ok || !slices.Equal(got, []int64{7}) {
			t.Errorf("since 6: %v, %t", got, ok)
		}
	})
}

// There is no such room until it is opened.
func TestNoSuchRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		if _, err := i.do(join("nowhere", "", student(1))); !errors.Is(err, room.ErrNotFound) {
			t.Errorf("join: %v", err)
		}
		if err := i.View(t.Context(), "nowhere", nil); !errors.Is(err, room.ErrNotFound) {
			t.Errorf("view: %v", err)
		}
		if _, err := i.Resolve(t.Context(), "K7QF3MXD"); !errors.Is(err, room.ErrNotFound) {
			t.Errorf("resolve: %v", err)
		}
		h.faults(func(context.Context) error { return errors.New("connection refused") }, nil)
		if err := i.View(t.Context(), "nowhere", nil); !errors.Is(err, room.ErrUnavailable) {
			t.Errorf("view, store away: %v", err)
		}
		if _, err := i.Resolve(t.Context(), "K7QF3MXD"); !errors.Is(err, room.ErrUnavailable) {
			t.Errorf("resolve, store away: %v", err)
		}
	})
}

// When Run ends, what was asked is answered and nothing more is begun. That
// no goroutine is left is checked by every test here: the bubble waits.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.stopped(t, "i1")
		id, code := i.opened(9)
		i.hold(true) // so that its timer runs on
		stop, ended := i.started()
		h.faults(slow(100*time.Millisecond), nil)

		answered := 0
		i.Ask(join(id, code, student(1)), func(o room.Outcome) {
			if answered++; o.Err != nil || o.Answer.Seat != 1 {
				t.Errorf("answered %+v, error %v", o.Answer, o.Err)
			}
		})
		stop()
		if err := <-ended; err != nil || answered != 1 {
			t.Errorf("ended with %v, %d answers", err, answered)
		}
		if _, err := i.do(join(id, code, student(2))); !errors.Is(err, room.ErrUnavailable) {
			t.Errorf("after the end: %v", err)
		}
		if _, err := i.do(join("nowhere", code, student(2))); !errors.Is(err, room.ErrUnavailable) {
			t.Errorf("after the end, another room: %v", err)
		}
		time.Sleep(13 * time.Hour)
		if log := h.log(t, id); len(log) != 2 {
			t.Errorf("%d entries", len(log))
		}
	})
}

// Metrics are told of every lock, save and lost race; the caller sees the room
// as its command left it.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.bus = &dropping{Bus: h.bus}
		one, two := h.instance(t, "i1"), h.instance(t, "i2")
		id, code := one.opened(9)
		two.must(join(id, code, student(1)))

		var told []string
		one.Metrics = &room.Metrics{
			Lock:     func(time.Duration) { told = append(told, "lock") },
			Save:     func(_ time.Duration, n int, err error) { told = append(told, fmt.Sprint("save ", n, " ", err != nil)) },
			Conflict: func() { told = append(told, "conflict") },
		}
		a, err := one.Do(join(id, code, student(2)), func(o room.Outcome) {
			if o.Room.Taken != 2 || o.Entry.Version != 3 || len(o.Entry.Answers) != 1 {
				t.Errorf("sees %d taken at %+v", o.Room.Taken, o.Entry)
			}
		})
		if err != nil || a.Seat != 2 {
			t.Errorf("answered %+v, error %v", a, err)
		}
		if want := []string{"lock", "save 1 true", "conflict", "save 1 false"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// What a crashed instance left ends at its last beat, before all that became
// due since.
func TestRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		crashed := h.stopped(t, "i1")
		if err := crashed.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		id, code := crashed.opened(9)
		came := join(id, code, student(1))
		came.Session, came.Instance = "s1", "i1"
		crashed.must(came)
		time.Sleep(time.Minute)
		if err := crashed.Recover(t.Context()); err != nil { // beats a last time
			t.Fatal(err)
		}
		beat := crashed.Now().Truncate(time.Millisecond)
		time.Sleep(time.Hour)

		i := h.stopped(t, "i2")
		if dead, err := h.Bury(t.Context(), "i2", time.Hour); dead != 1 || err != nil {
			t.Fatalf("%d instances are dead, %v", dead, err)
		}
		if err := i.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		i.must(join(id, code, student(2)))
		events := h.log(t, id)[2].Events
		if len(events) < 2 || events[0].Type != room.EventDisconnected || !events[0].At.Equal(beat) || events[1].Type != room.EventOffline {
			t.Errorf("happened: %+v, last beat %v", events, beat)
		}
		h.faults(func(context.Context) error { return errors.New("connection refused") }, nil)
		if err := i.Recover(t.Context()); !errors.Is(err, room.ErrUnavailable) {
			t.Errorf("store away: %v", err)
		}
		time.Sleep(24 * time.Hour) // timers run out
	})
}
