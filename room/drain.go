package room

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// work is the life of a room's worker on this instance: it runs while
// commands that were asked here are unanswered.
func (g *Registrar) work(d *desk) {
	ctx := context.Background() // what was begun is finished; every step has its own time limit
	for d.busy() {
		if err := g.take(ctx, d); err != nil {
			d.refuse(err)
			continue
		}
		if err := g.drainLocked(ctx, d); err != nil {
			g.Log.WarnContext(ctx, "commands not decided yet", "room", d.id, "err", err)
			pause(ctx, retryEvery)
		}
	}
}

// busy tells whether there is work; if there is none the worker has ended.
func (d *desk) busy() bool {
	d.in.Lock()
	defer d.in.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.working = len(d.inbox) > 0 || len(d.waiting) > 0
	return d.working
}

// take moves what was asked here into the queue.
func (g *Registrar) take(ctx context.Context, d *desk) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err := g.load(ctx, d); err != nil {
		return err
	}
	inbox := d.empty()
	if len(inbox) == 0 {
		return nil
	}
	commands := make([]Command, len(inbox))
	for i, a := range inbox {
		commands[i] = a.command
	}
	if err := g.Queue.Push(ctx, d.id, commands); err != nil {
		g.Log.WarnContext(ctx, "commands not queued", "room", d.id, "commands", len(commands), "err", err)
	}
	return nil
}

// empty takes what was asked out of the inbox, to wait for its answer.
func (d *desk) empty() []asked {
	d.in.Lock()
	inbox := d.inbox
	d.inbox = nil
	d.in.Unlock()

	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range inbox {
		if a.command.ID != "" {
			d.waiting[a.command.ID] = a
		}
	}
	return inbox
}

// refuse answers everything that was asked here and is undecided.
func (d *desk) refuse(err error) {
	d.empty()
	d.mu.Lock()
	waiting := d.waiting
	d.waiting = map[CommandID]asked{}
	d.mu.Unlock()
	for _, a := range waiting {
		a.answer(Outcome{Err: err})
	}
}

// expire tells those who have waited too long that it cannot be told, however
// long the worker waits for the store; while it works, again and again.
func (d *desk) expire(g *Registrar) {
	for _, a := range d.late(g.Now()) {
		a.answer(Outcome{Err: ErrUnavailable})
	}
	d.in.Lock()
	defer d.in.Unlock()
	if d.working {
		d.watch(g)
	}
}

// watch has expire come back while the worker works.
func (d *desk) watch(g *Registrar) {
	if d.expiry == nil {
		d.expiry = time.AfterFunc(retryEvery, func() { d.expire(g) })
		return
	}
	d.expiry.Reset(retryEvery)
}

// late takes out those who have waited too long.
func (d *desk) late(now time.Time) (late []asked) {
	d.in.Lock()
	defer d.in.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, a := range d.waiting {
		if now.Sub(a.command.AskedAt) > a.patience() {
			late = append(late, a)
			delete(d.waiting, id)
		}
	}
	d.inbox = slices.DeleteFunc(d.inbox, func(a asked) bool {
		expired := now.Sub(a.command.AskedAt) > a.patience()
		if expired {
			late = append(late, a)
		}
		return expired
	})
	return late
}

// drainLocked decides what waits in the queue while it holds the room's lock.
// Where another instance keeps the lock for long, the commands of this one
// are decided without it: what keeps the promises is the store.
func (g *Registrar) drainLocked(ctx context.Context, d *desk) error {
	began := time.Now()
	unlock, ok, err := g.Locker.Lock(ctx, d.id)
	g.Metrics.locked(began)
	switch {
	case err != nil:
		g.Log.WarnContext(ctx, "deciding without the lock", "room", d.id, "err", err)
	case ok:
		defer unlock()
	default:
		if d.patient(g.Now()) {
			pause(ctx, retryEvery)
			return nil
		}
		return g.decide(ctx, d, d.own())
	}
	return g.drain(ctx, d)
}

func (g *Registrar) drain(ctx context.Context, d *desk) error {
	end := time.Now().Add(drainTime)
	for range drainBatches {
		head, err := g.Queue.Head(ctx, d.id, batchLimit)
		if err != nil {
			return fmt.Errorf("read the queue of room %s: %w", d.id, err)
		}
		if len(head) == 0 {
			return g.rescue(ctx, d)
		}
		if time.Now().After(end) {
			return nil
		}
		if err := g.decide(ctx, d, head); err != nil {
			return err
		}
	}
	return nil
}

// rescue sees to what waits here though the queue is empty: another instance
// has decided it and the bus did not say so yet, or the queue has lost it.
func (g *Registrar) rescue(ctx context.Context, d *desk) error {
	if len(d.own()) == 0 {
		return nil
	}
	if err := g.catchUp(d); err != nil {
		return err
	}
	if own := d.own(); len(own) > 0 {
		return g.decide(ctx, d, own)
	}
	return nil
}

// patient tells whether all that waits here may go on waiting.
func (d *desk) patient(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.waiting {
		if now.Sub(a.command.AskedAt) > lockPatience {
			return false
		}
	}
	return true
}

// own returns what was asked here and is unanswered, in order of asking.
func (d *desk) own() []Queued {
	d.mu.Lock()
	defer d.mu.Unlock()
	own := make([]Queued, 0, len(d.waiting))
	for _, a := range d.waiting {
		own = append(own, Queued{Command: a.command})
	}
	slices.SortFunc(own, func(a, b Queued) int { return compareAsked(a.Command.ID, b.Command.ID) })
	return own[:min(len(own), batchLimit)]
}

// compareAsked orders the commands of one instance as they were asked: their
// ids are numbers behind the same prefix.
func compareAsked(a, b CommandID) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// decide decides, saves, applies and publishes commands as one entry.
func (g *Registrar) decide(ctx context.Context, d *desk, head []Queued) error {
	commands := make([]Command, len(head))
	var positions []string
	for i, q := range head {
		commands[i] = q.Command
		if q.Position != "" {
			positions = append(positions, q.Position)
		}
	}
	entry, err := g.save(ctx, d, commands)
	if err != nil {
		return fmt.Errorf("save %d commands in room %s: %w", len(commands), d.id, err)
	}
	d.apply(g, entry)

	// The entry is durable. A lost publication costs freshness, not truth,
	// so it does not fail the batch.
	if err := g.Bus.Publish(ctx, entry, positions); err != nil {
		g.Log.WarnContext(ctx, "entry not published", "room", d.id, "version", entry.Version, "err", err)
	}
	return nil
}

// save makes commands durable as the room's next entry, deciding them again
// as often as the room has moved on meanwhile. The entry is empty (version 0)
// if there was nothing to decide.
func (g *Registrar) save(ctx context.Context, d *desk, commands []Command) (Entry, error) {
	for {
		step, idle := g.batch(d, commands)
		if idle {
			return Entry{Room: d.id}, nil
		}
		err := g.persist(ctx, step)
		var claimed *Claimed
		switch {
		case err == nil:
			return step.Entry, nil
		case errors.Is(err, ErrStale):
			g.Metrics.conflict()
			if err := g.catchUp(d); err != nil {
				return Entry{}, err
			}
		case errors.As(err, &claimed):
			recode(commands)
		default:
			return Entry{}, err
		}
	}
}

// batch decides what of commands is undecided on this instance's copy.
func (g *Registrar) batch(d *desk, commands []Command) (step Step, idle bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := g.Now()
	fresh := make([]Command, 0, len(commands))
	seen := make(map[CommandID]bool, len(commands)) // a queue may hold a command twice
	for _, c := range commands {
		if !d.decided[c.ID] && !seen[c.ID] && now.Sub(c.AskedAt) < staleAfter {
			fresh = append(fresh, c)
			seen[c.ID] = true
		}
	}
	step = d.room.Batch(fresh, now)
	step.Entry.Batch = NewToken()
	names(d.room, &step)
	due := !d.room.DueAt.IsZero() && !step.Entry.At.Before(d.room.DueAt)
	idle = len(step.Entry.Answers) == 0 && len(step.Entry.Events) == 0 && !due
	if idle {
		d.wake(g) // the timer was early: a beat may have set the clock back a little
	}
	return step, idle
}

// persist saves a step, again and again while it cannot be told whether it
// was saved: under the same batch and version that is safe.
func (g *Registrar) persist(ctx context.Context, step Step) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerWithin)
	defer cancel()
	began := time.Now()
	for {
		err := g.Store.Save(ctx, step)
		if !errors.Is(err, ErrUnknown) || ctx.Err() != nil {
			g.Metrics.saved(began, len(step.Entry.Answers), err)
			return err
		}
		pause(ctx, retryEvery)
	}
}

// recode gives the updates that want a new join code another one.
func recode(commands []Command) {
	for i := range commands {
		if c := commands[i].Change; c != nil && c.Code != "" {
			change := *c
			change.Code = NewCode()
			commands[i].Change = &change
		}
	}
}
