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
	// readAtOnce bounds one look at the log: even of full batches it is read in
	// a fraction of answerWithin, so that every try gets further.
	readAtOnce = 64
	// gatherFor is how long what is asked of a busy room waits for more, a
	// tenth of what people notice; unpaced is how many batches go at once
	// before a room is busy.
	gatherFor = 5 * time.Millisecond
	unpaced   = 8
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
	// logPatience and lockPatience are how long the commands of this instance
	// wait for another one that holds the lock: until the log is read, and
	// until they are decided without it. Each entry that was decided under the
	// lock shows that it is at work, and has them wait anew, for no longer than
	// heardPatience: with lockPatience that is well under answerWithin.
	logPatience   = 300 * time.Millisecond
	lockPatience  = 600 * time.Millisecond
	heardPatience = time.Second
	// staleSaves is how often in a row a room may have moved on before it is
	// stopped for a save: by then a faster instance would win for ever.
	staleSaves = 2
	// dueEvery is how late a room is looked at whose timers died with an
	// instance.
	dueEvery = time.Second
	// idleAfter is how long a room that nobody looks at stays in memory.
	idleAfter = memory
)

// A Listener shows rooms to people on this instance. It is called under the
// room's lock: it must not block and must not call the Registrar.
type Listener interface {
	// Applied is told of every entry that is applied here, in order, after
	// the commands in it have been answered. Where the store has lost entries
	// it is told of the last that is left, without what happened in it.
	Applied(r *Room, e *Entry)
	// Holds tells whether the room is being shown and must stay in memory.
	Holds(id ID) bool
	// Died is told that this instance was taken for dead, and its sessions
	// have ended: its sockets must go. It is called under no lock.
	Died()
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
	Instance InstanceID // see Self
	// RoomsPerInstructor is how many rooms one instructor may have that are
	// not closed.
	RoomsPerInstructor int

	clock    clock
	renewed  atomic.Pointer[InstanceID]
	commands atomic.Uint64 // asked so far, to name them
	workers  sync.WaitGroup
	pulse    pulse
	beating  sync.Mutex // held over a beat

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
	if c.Type.past() && c.At.IsZero() {
		c.At = g.Now()
	}
	a := &asked{command: c, reply: reply}
	if c.Type.past() && reply == nil {
		a.reply = g.insist(&a.command)
	}
	if !g.enqueue(a) {
		a.answer(Outcome{Err: ErrUnavailable})
	}
}

// insist returns the reply to a command that tells what has happened already:
// no fault of the store may make that undone.
func (g *Registrar) insist(c *Command) func(Outcome) {
	return func(o Outcome) {
		if errors.Is(o.Err, ErrUnavailable) && g.runs() {
			time.AfterFunc(retryEvery, func() { g.Ask(*c, nil) })
		}
	}
}

// runs tells whether the end is not reached.
func (g *Registrar) runs() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.ended
}

// enqueue puts a in its room's inbox and sees that it is looked at. It returns
// false after the end.
func (g *Registrar) enqueue(a *asked) bool {
	ok := true
	g.at(a.command.Room, func(d *desk) {
		if !d.taking {
			if !d.working {
				d.watch(g)
			}
			d.taking = g.start(func() { g.take(d) })
			ok = d.taking
		}
		if ok {
			a.since, a.command.AskedAt = time.Now(), g.Now()
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
	return CommandID(string(g.Self()) + "." + strconv.FormatUint(g.commands.Add(1), 36))
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
	return g.holder(ctx, CodeClaim(code))
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
	defer g.farewell(ctx)
	defer g.end()
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { g.listen(ctx) })
	parts.Go(func() { every(ctx, beatEvery, func() { g.beat(ctx) }) }) // and nothing else: who is late is dead
	parts.Go(func() {
		every(ctx, dueEvery, func() {
			g.nudgeDue(ctx)
			g.forget(idleAfter)
		})
	})
	every(ctx, compareEvery, func() {
		g.compare(ctx, onItsWay)
		g.lookAround(ctx)
	})
	return nil
}

// farewell is the last beat: what happens after it nobody believes.
func (g *Registrar) farewell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatEvery)
	defer cancel()
	if _, err := g.Store.Beat(ctx, g.Self()); err != nil {
		g.Log.WarnContext(ctx, "the last beat was lost: others end what was open here, in ten seconds", "err", err)
	}
}

// every calls f every so often until ctx is done.
func every(ctx context.Context, often time.Duration, f func()) {
	tick := time.NewTicker(often)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// nudgeDue has rooms looked at that are due and that no timer here watches.
func (g *Registrar) nudgeDue(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	ids, err := g.Store.Due(ctx, g.Now().Add(-dueEvery), batchLimit)
	if err != nil {
		return // the beat has said that the store is away
	}
	for _, id := range ids {
		g.Ask(Command{Type: CommandTick, Room: id}, nil)
	}
}

// listen hears what other instances save. Whenever that was not possible for
// a while, every room here is compared with the store.
func (g *Registrar) listen(ctx context.Context) {
	first := true
	missed := func() {
		if !first {
			g.Metrics.resubscribed()
		}
		first = false
		g.start(func() { g.compare(context.WithoutCancel(ctx), 0) })
	}
	for ctx.Err() == nil {
		if err := g.Bus.Listen(ctx, g.wants, g.receive, missed); err != nil && ctx.Err() == nil {
			g.Log.WarnContext(ctx, "entries of other instances are not heard: rooms are compared with the store meanwhile", "err", err)
			pause(ctx, retryEvery)
		}
	}
}

// wants tells whether an entry is news here.
func (g *Registrar) wants(id ID, version int64) bool {
	d := g.known(id)
	if d == nil {
		return false
	}
	at := d.version()
	return at > 0 && at < version
}

// receive applies an entry that was published elsewhere.
func (g *Registrar) receive(e Entry) {
	d := g.known(e.Room)
	switch {
	case d == nil:
	case d.apply(g, e):
		g.Metrics.heard(g.Now().Sub(e.SavedAt))
		if e.Locked {
			d.hear()
		}
	default:
		g.fill(d)
	}
}

// known returns the desk of a room, nil if there is none.
func (g *Registrar) known(id ID) *desk {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.desks[id]
}

// CatchUp has a room on this instance be where it is in the store, which
// someone has seen elsewhere. Where the store does not answer before ctx is
// done, the room stays as it is, and the error is ErrUnavailable.
func (g *Registrar) CatchUp(ctx context.Context, id ID) error {
	d := g.known(id)
	if d == nil {
		return nil
	}
	if err := g.readOn(ctx, d); err != nil {
		g.Log.WarnContext(ctx, "the store did not answer: watchers who know more than this instance ask again", "room", id, "err", err)
		return ErrUnavailable
	}
	return nil
}

// catchUp reads and applies the entries that this instance has missed.
func (g *Registrar) catchUp(d *desk) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	return g.readOn(ctx, d)
}

// readOn is catchUp for as long as ctx lasts.
func (g *Registrar) readOn(ctx context.Context, d *desk) error {
	for {
		version := d.version()
		if version == 0 {
			return nil // not loaded: the load will see them
		}
		entries, err := g.Store.Entries(ctx, d.id, version, readAtOnce)
		if err != nil {
			return fmt.Errorf("read the log of room %s after %d: %w", d.id, version, err)
		}
		for _, e := range entries {
			d.apply(g, e)
		}
		if len(entries) < readAtOnce {
			return nil
		}
	}
}

// seen turns an error of the store into what a client may see of it, and logs
// what it may not, unless the caller has gone.
func (g *Registrar) seen(err error, step string, id ID) error {
	shown := visible(err)
	if !errors.Is(err, shown) && !errors.Is(err, context.Canceled) {
		g.Log.Warn("the store did not answer: callers are asked to try again", "step", step, "room", id, "err", err)
	}
	return shown
}

// visible is what a client may see of an error of the store.
func visible(err error) error {
	if err == nil {
		return nil
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
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
