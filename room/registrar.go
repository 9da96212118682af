package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// batchLimit bounds one entry: some 300 KB of log, saved in milliseconds.
	batchLimit = 1024
	// drainBatches and drainTime bound how long one instance keeps a room's
	// lock while commands keep coming.
	drainBatches = 16
	drainTime    = time.Second
	// memory is how long a decided command is remembered: longer than any
	// copy of it can be on its way (see staleAfter).
	memory = time.Minute
	// staleAfter is the age from which a command is not decided any more:
	// whoever asked has given up by then.
	staleAfter = 10 * time.Second
	// answerWithin is how long a caller waits for a store that is away.
	answerWithin = 2 * time.Second
	// retryEvery is the pause between two tries for a lock or a store.
	retryEvery = 100 * time.Millisecond
	// lockPatience is how long the commands of this instance wait for another
	// one that holds the lock before they are decided without it.
	lockPatience = 600 * time.Millisecond
	// idleAfter is how long a room that nobody looks at stays in memory.
	idleAfter = memory
	// beatEvery is how precisely the end of a crashed instance's sessions is
	// known.
	beatEvery = time.Second
)

// A Listener shows rooms to people on this instance. It is called under the
// room's lock: it must not block and must not call the Registrar.
type Listener interface {
	// Applied is told of every entry that is applied here, in order, after
	// the commands in it have been answered.
	Applied(r *Room, e *Entry)
	// Holds tells whether the room is being shown and must stay in memory.
	Holds(id ID) bool
}

// An Outcome is what became of a command. Where Err is nil or a refusal of the
// room, Room is the room after Entry; both are only valid during the call.
type Outcome struct {
	Room   *Room
	Entry  *Entry
	Answer Answer
	Err    error
}

// A Registrar takes the commands that wait for a room, in order, as one batch;
// decides them; saves the result as one entry; applies and publishes it. It
// holds this instance's copies of the rooms in use. The fields are static
// after construction.
type Registrar struct {
	Store    Store
	Queue    Queue
	Locker   Locker
	Bus      Bus
	Listener Listener
	Metrics  *Metrics
	Log      *slog.Logger
	Instance InstanceID
	// RoomsPerInstructor is how many rooms one instructor may have that are
	// not closed.
	RoomsPerInstructor int

	clock    clock
	commands atomic.Uint64 // asked so far, to name them
	workers  sync.WaitGroup

	mu    sync.Mutex // guards the next two
	desks map[ID]*desk
	ended bool
}

// Ask puts a command in line for its room. Reply, which may be nil, is called
// exactly once: under the room's lock if the command was decided, without it
// if not (Outcome.Room is nil then). It must not block and must not call the
// Registrar. A disconnect or reap that nobody waits for is asked again until
// it is decided or Run ends.
func (g *Registrar) Ask(c Command, reply func(Outcome)) {
	if c.Type != CommandTick {
		c.ID = g.newCommandID()
	}
	c.AskedAt = g.Now()
	if c.past() && c.At.IsZero() {
		c.At = c.AskedAt
	}
	if c.past() && reply == nil {
		reply = g.insist(c)
	}
	a := asked{c, reply}
	if !g.enqueue(a) {
		a.answer(Outcome{Err: ErrUnavailable})
	}
}

// insist returns the reply to a command that tells what has happened already:
// no fault of the store may make that undone.
func (g *Registrar) insist(c Command) func(Outcome) {
	return func(o Outcome) {
		if errors.Is(o.Err, ErrUnavailable) && g.runs() {
			time.AfterFunc(retryEvery, func() { g.Ask(c, nil) })
		}
	}
}

// runs tells whether the end is not reached.
func (g *Registrar) runs() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.ended
}

// enqueue puts a in its room's inbox and sees that a worker looks at it. It
// returns false after the end.
func (g *Registrar) enqueue(a asked) bool {
	ok := true
	g.at(a.command.Room, func(d *desk) {
		if !d.working {
			d.working = g.start(func() { g.work(d) })
			d.watch(g)
			ok = d.working
		}
		if ok {
			d.inbox = append(d.inbox, a)
		}
	})
	return ok
}

// start runs f on a goroutine that Run waits for, unless Run has ended.
func (g *Registrar) start(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.ended {
		g.workers.Go(f)
	}
	return !g.ended
}

// end lets nothing start any more, waits for what has and frees the rooms.
func (g *Registrar) end() {
	g.mu.Lock()
	g.ended = true
	g.mu.Unlock()
	g.workers.Wait()
	g.forget(0)
}

func (g *Registrar) newCommandID() CommandID {
	return CommandID(string(g.Instance) + "." + strconv.FormatUint(g.commands.Add(1), 36))
}

// Do asks and waits, for no longer than a store that is away is waited for.
// See, which may be nil, is called under the room's lock with what came of the
// command if it was decided.
func (g *Registrar) Do(c Command, see func(Outcome)) (Answer, error) {
	done := make(chan Outcome, 1)
	g.Ask(c, func(o Outcome) {
		if o.Room != nil && see != nil {
			see(o)
		}
		done <- o
	})
	o := <-done
	return o.Answer, o.Err
}

// View calls see with the room as it is on this instance, under the room's
// lock. The errors are refusals.
func (g *Registrar) View(ctx context.Context, id ID, see func(View)) error {
	for {
		d := g.desk(id)
		if err := g.load(ctx, d); err != nil {
			return err
		}
		if d.see(see, g.Now()) {
			return nil
		}
	}
}

// Now is the store's time, by this machine's monotonic clock.
func (g *Registrar) Now() time.Time { return g.clock.now() }

// Resolve returns the room that a join code opens. The errors are refusals.
func (g *Registrar) Resolve(ctx context.Context, code string) (ID, error) {
	return g.holder(ctx, codeClaim(code))
}

func (g *Registrar) holder(ctx context.Context, claim string) (ID, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	id, err := g.Store.Holder(ctx, claim)
	return id, g.seen(err, "look up a name", "")
}

// Run beats, hears what other instances save and looks after rooms until ctx
// is done; then it waits for the commands that are being decided.
func (g *Registrar) Run(ctx context.Context) error {
	defer g.end()
	var listener sync.WaitGroup
	defer listener.Wait()
	listener.Go(func() { g.listen(ctx) })

	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			g.beat(ctx)
			g.nudgeDue(ctx)
			g.forget(idleAfter)
		}
	}
}

// Recover ends the sessions that dead instances left. It is called before the
// first command is asked, so that nothing that is due comes before it.
func (g *Registrar) Recover(ctx context.Context) error {
	if !g.beat(ctx) {
		return fmt.Errorf("the store did not answer the first beat: %w", ErrUnavailable)
	}
	orphans, err := g.Store.Orphans(ctx, g.Instance)
	if err != nil {
		return fmt.Errorf("look for the sessions of dead instances: %w", err)
	}
	for _, o := range orphans {
		g.Log.InfoContext(ctx, "sessions of a dead instance end", "room", o.Room, "instance", o.Instance, "at", o.BeatAt)
		g.Ask(Command{Type: CommandReap, Room: o.Room, Instance: o.Instance, At: o.BeatAt}, nil)
	}
	return nil
}

func (g *Registrar) beat(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, beatEvery)
	defer cancel()
	began := time.Now()
	now, err := g.Store.Beat(ctx, g.Instance)
	if err != nil {
		g.Log.WarnContext(ctx, "the store did not answer", "err", err)
		return false
	}
	g.clock.set(now, began)
	return true
}

// nudgeDue has rooms looked at that are due and that no timer here watches.
func (g *Registrar) nudgeDue(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beatEvery)
	defer cancel()
	ids, err := g.Store.Due(ctx, g.Now().Add(-beatEvery), batchLimit)
	if err != nil {
		return // the beat has said that the store is away
	}
	for _, id := range ids {
		g.Ask(Command{Type: CommandTick, Room: id}, nil)
	}
}

func (g *Registrar) listen(ctx context.Context) {
	missed := func() {
		for _, d := range g.all() {
			g.start(func() { g.catchUp(d) })
		}
	}
	for ctx.Err() == nil {
		if err := g.Bus.Listen(ctx, g.receive, missed); err != nil && ctx.Err() == nil {
			g.Log.WarnContext(ctx, "entries of other instances are not heard", "err", err)
			pause(ctx, retryEvery)
		}
	}
}

// receive applies an entry that was published, here or elsewhere.
func (g *Registrar) receive(e Entry) {
	g.mu.Lock()
	d := g.desks[e.Room]
	g.mu.Unlock()
	if d != nil && !d.apply(g, e) {
		g.start(func() { g.catchUp(d) })
	}
}

// catchUp reads and applies the entries that this instance has missed.
func (g *Registrar) catchUp(d *desk) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	for {
		version := d.version()
		if version == 0 {
			return nil // not loaded: the load will see them
		}
		entries, err := g.Store.Entries(ctx, d.id, version, batchLimit)
		if err != nil {
			return fmt.Errorf("read the log of room %s after %d: %w", d.id, version, err)
		}
		for _, e := range entries {
			d.apply(g, e)
		}
		if len(entries) < batchLimit {
			return nil
		}
	}
}

// seen turns an error of the store into what a client may see of it.
func (g *Registrar) seen(err error, step string, id ID) error {
	if err == nil {
		return nil
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	g.Log.Warn("the store did not answer", "step", step, "room", id, "err", err)
	return ErrUnavailable
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// A clock is the store's, read through this machine's monotonic one.
type clock struct {
	base atomic.Pointer[reading]
}

type reading struct{ store, here time.Time }

// set notes what the store's clock said to a question asked at a time here.
// Whatever part of the question's time passed before the answer was made, the
// clock is ahead by.
func (c *clock) set(store, here time.Time) { c.base.Store(&reading{store, here}) }

func (c *clock) now() time.Time {
	r := c.base.Load()
	if r == nil {
		return time.Now().UTC()
	}
	return r.store.Add(time.Since(r.here)).UTC()
}
