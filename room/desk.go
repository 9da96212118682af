package room

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A desk is where the commands of one room are taken on this instance, and
// holds this instance's copy of the room.
type desk struct {
	id ID

	in      sync.Mutex  // guards the next six
	inbox   []*asked    // not in the queue yet
	taking  bool        // someone takes the inbox to the queue
	working bool        // a worker runs
	ticked  bool        // something may be due
	expiry  *time.Timer // see expire
	gone    bool        // forgotten: get another desk; also guarded by mu

	locked bool      // has the room's lock; the worker's own
	paced  time.Time // until when the batches taken so far should last; the taker's own

	loading chan struct{} // holds a token until the store has answered
	stir    chan struct{} // holds a token when a worker that waits has to look again

	mu        sync.Mutex           // the room's lock; guards all below
	room      *Room                // nil: not loaded
	tail      []Entry              // of the last minute, in order
	decisions                      // of the tail
	waiting   map[CommandID]*asked // unanswered, on the way to the queue or in it
	line      []*asked             // the same in order of asking, and some that are answered
	queued    int                  // of waiting: those in the queue
	filling   bool                 // entries that were missed are being read
	lacking   bool                 // and more have been since
	heardAt   time.Time            // when the holder of the lock, another instance, last told of an entry
	stuck     bool                 // the lock is held, and nobody was at work under it for too long
	usedAt    time.Time
	due       *time.Timer
}

// An asked is a command and who waits for its outcome.
type asked struct {
	command Command
	reply   func(Outcome)
	since   time.Time // by this machine's clock

	queued   bool // in the queue, or the queue would not have it; guarded by the desk's mu
	answered bool // guarded by the desk's mu
}

func (a *asked) answer(o Outcome) {
	if a.reply != nil {
		a.reply(o)
	}
}

// expired tells whether a command has waited for too long: until the caller
// gives up, or, where nobody does, until no one would decide it any more. At
// the end nobody waits that long.
func (a *asked) expired(ending bool) bool {
	patience := answerWithin
	if a.command.Type.past() && !ending {
		patience = staleAfter
	}
	return time.Since(a.since) > patience
}

// A View is a look at a room on this instance, valid while its lock is held.
type View struct {
	*Room
	desk *desk
}

// Since returns the entries after a version, false if they are not all in
// memory any more or the room is not that far.
func (v View) Since(version int64) ([]Entry, bool) {
	if version == v.Version {
		return nil, true
	}
	tail := v.desk.tail
	if len(tail) == 0 || version > v.Version || version+1 < tail[0].Version {
		return nil, false
	}
	return tail[version+1-tail[0].Version:], true
}

// at calls f with the desk of a room under its inbox's lock.
func (g *Registrar) at(id ID, f func(*desk)) {
	for {
		d := g.desk(id)
		d.in.Lock()
		gone := d.gone
		if !gone {
			f(d)
		}
		d.in.Unlock()
		if !gone {
			return
		}
	}
}

func (g *Registrar) desk(id ID) *desk {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.desks[id]
	if d == nil {
		d = &desk{
			id: id, loading: make(chan struct{}, 1), stir: make(chan struct{}, 1),
			decisions: newDecisions(0), waiting: map[CommandID]*asked{},
			usedAt: g.Now(), // by who asks: it is not forgotten while it is loaded
		}
		if g.desks == nil {
			g.desks = map[ID]*desk{}
		}
		g.desks[id] = d
	}
	return d
}

// Gauges tells how much is in hand.
func (g *Registrar) Gauges() (sum Gauges) {
	for _, d := range g.all() {
		d.gauge(&sum)
	}
	return sum
}

func (d *desk) gauge(sum *Gauges) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum.Commands += len(d.waiting)
	if d.room == nil || d.room.Status == Closed {
		return
	}
	sum.Rooms++
	sum.Members += d.room.Taken + d.room.Waiting + d.room.Pending
	sum.Waiting += d.room.Waiting
}

func (g *Registrar) all() []*desk {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*desk, 0, len(g.desks))
	for _, d := range g.desks {
		all = append(all, d)
	}
	return all
}

// forget drops the rooms that nobody has looked at for a while.
func (g *Registrar) forget(idle time.Duration) {
	now := g.Now()
	for _, d := range g.all() {
		if g.retire(d, now.Add(-idle)) {
			g.drop(d)
		}
	}
}

// drop takes a desk that is gone out of the way of its successor.
func (g *Registrar) drop(d *desk) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.desks[d.id] == d {
		delete(g.desks, d.id)
	}
}

func (g *Registrar) retire(d *desk, before time.Time) bool {
	d.in.Lock()
	defer d.in.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.taking || d.working || g.Listener.Holds(d.id) || len(d.waiting) > 0 || d.usedAt.After(before) {
		return false
	}
	d.gone = true
	if d.due != nil {
		d.due.Stop()
	}
	return true
}

// load brings the room into memory. Whoever waits for another's load to end
// waits no longer for both, and leaves it to that one to say what was wrong.
func (g *Registrar) load(ctx context.Context, d *desk) error {
	if d.version() > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	waited := false
	select {
	case d.loading <- struct{}{}:
	default:
		waited = true
		select {
		case d.loading <- struct{}{}:
		case <-ctx.Done():
			return ErrUnavailable
		}
	}
	defer func() { <-d.loading }()
	if d.version() > 0 {
		return nil
	}
	now := g.Now()
	r, entries, err := g.Store.Load(ctx, d.id, now.Add(-memory))
	if err != nil {
		d.unused()
		if g.retire(d, now) {
			g.drop(d)
		}
		if waited {
			return visible(err)
		}
		return g.seen(err, "load a room", d.id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return nil
	}
	d.room, d.usedAt = r, now
	for _, e := range entries {
		d.remember(e)
		d.reply(&e)
	}
	d.wake(g)
	return nil
}

// unused notes that there is nothing for which to keep the desk.
func (d *desk) unused() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.usedAt = time.Time{}
}

// clear forgets the room, which is not as the store has it: it is loaded anew.
func (d *desk) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.empty()
}

// clearBeyond is clear for a room that is further than the store, and tells
// whether it is.
func (d *desk) clearBeyond(version int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	further := d.room != nil && d.room.Version > version
	if further {
		d.empty()
	}
	return further
}

// empty is clear for a caller who holds mu.
func (d *desk) empty() { d.room, d.tail, d.decisions = nil, nil, newDecisions(0) }

// see shows the room, and returns false if the desk was forgotten meanwhile.
func (d *desk) see(f func(View), now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone || d.room == nil {
		return false
	}
	d.usedAt = now
	f(View{Room: d.room, desk: d})
	return true
}

func (d *desk) version() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room == nil {
		return 0
	}
	return d.room.Version
}

// apply is take for an entry that was saved elsewhere.
func (d *desk) apply(g *Registrar, e Entry) bool { return d.take(g, &Step{Entry: e}) }

// take folds the entry of a step into the room, answers who waits for it here
// and tells the listener, in this order: a reply comes before the events it
// caused. It returns false if entries before this one are missing.
func (d *desk) take(g *Registrar, s *Step) bool {
	e := &s.Entry
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.gone || d.room == nil || e.Version <= d.room.Version:
		return true
	case e.Version > d.room.Version+1:
		return false
	}
	if s.of == d.room {
		d.room.take(s)
	} else {
		d.room.Apply(*e)
	}
	if slices.ContainsFunc(e.Events, func(event Event) bool { return event.Type == EventErased }) {
		d.empty() // who it was is in nobody's memory either
		return true
	}
	d.usedAt = e.At
	d.remember(*e)
	d.reply(e)
	g.Listener.Applied(d.room, e)
	d.wake(g)
	return true
}

// reply answers those who wait here for what an entry decided. Its caller holds
// mu.
func (d *desk) reply(e *Entry) {
	for _, answer := range e.Answers {
		if a, ok := d.waiting[answer.Command]; ok {
			d.dismiss(a)
			a.answer(Outcome{Room: d.room, Entry: e, Answer: answer, Err: d.room.refusal(&answer)})
		}
	}
	if d.queued == 0 {
		d.look()
	}
}

// hear notes that another instance is at work under the lock.
func (d *desk) hear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heardAt, d.stuck = time.Now(), false
}

// dismiss takes out a command that has its answer. Its caller holds mu.
func (d *desk) dismiss(a *asked) {
	a.answered = true
	delete(d.waiting, a.command.ID)
	if a.queued {
		d.queued--
	}
}

// look has a worker that waits look again.
func (d *desk) look() {
	select {
	case d.stir <- struct{}{}:
	default:
	}
}

// remember keeps an entry, and what was decided of whom, for a minute.
func (d *desk) remember(e Entry) {
	d.tail = append(d.tail, e)
	for _, a := range e.Answers {
		d.decisions.add(a.Command, a.Type, a.User, a.Session, a.askedAt(e.At))
	}
	old := 0
	for old < len(d.tail)-1 && d.tail[old].At.Before(e.At.Add(-memory)) {
		for _, a := range d.tail[old].Answers {
			d.decisions.forget(a.Command, a.User, a.Session, e.At.Add(-memory))
		}
		d.tail[old] = Entry{}
		old++
	}
	d.tail = d.tail[old:]
}

// wake sets the timer by which the room is looked at again.
func (d *desk) wake(g *Registrar) {
	if d.room.DueAt.IsZero() {
		if d.due != nil {
			d.due.Stop()
		}
		return
	}
	in := max(0, d.room.DueAt.Sub(g.Now()))
	if d.due == nil {
		d.due = time.AfterFunc(in, func() { g.Ask(Command{Type: CommandTick, Room: d.id}, nil) })
		return
	}
	d.due.Reset(in)
}
