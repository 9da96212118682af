package room

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// take moves what was asked here into the queue, while the worker decides
// what is there already, and has a worker see to it.
func (g *Registrar) take(d *desk) {
	ctx := context.Background() // what was begun is finished; every step has its own time limit
	for d.asks() {
		if err := g.load(ctx, d); err != nil {
			d.refuse(err)
			continue
		}
		accepted := d.accept()
		if len(accepted) > 0 {
			if err := g.Queue.Push(ctx, d.id, commandsOf(accepted)); err != nil {
				g.Log.Debug("commands not queued", "room", d.id, "commands", len(accepted), "err", err)
			}
			d.lineUp(accepted)
		}
		if d.employ() {
			g.workers.Go(func() { g.work(d) }) // it is waited for, since this goroutine is
		}
	}
}

// asks tells whether something was asked; if not the taker has ended.
func (d *desk) asks() bool {
	d.in.Lock()
	defer d.in.Unlock()
	d.taking = len(d.inbox) > 0
	return d.taking
}

// accept takes what was asked out of the inbox, to wait for its answer, which
// may come before the queue has said that it holds the command. Ticks are
// noted: whoever has the lock next looks at what is due.
func (d *desk) accept() []*asked {
	d.in.Lock()
	inbox := d.inbox
	d.inbox = nil
	accepted := slices.DeleteFunc(inbox, func(a *asked) bool { return a.command.Type == CommandTick })
	d.ticked = d.ticked || len(accepted) < len(inbox)
	d.in.Unlock()

	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.line) > 2*len(d.waiting) {
		d.line = slices.DeleteFunc(d.line, func(a *asked) bool { return a.answered })
	}
	for _, a := range accepted {
		d.waiting[a.command.ID] = a
	}
	d.line = append(d.line, accepted...)
	return accepted
}

func commandsOf(all []*asked) []Command {
	commands := make([]Command, len(all))
	for i, a := range all {
		commands[i] = a.command
	}
	return commands
}

// lineUp notes that commands are in the queue, or that it would not have them.
func (d *desk) lineUp(accepted []*asked) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range accepted {
		if !a.answered {
			a.queued = true
			d.queued++
		}
	}
}

// employ tells whether a worker must be started. One that is there looks
// again.
func (d *desk) employ() bool {
	d.in.Lock()
	defer d.in.Unlock()
	if d.working {
		d.look()
		return false
	}
	d.working = true
	return true
}

// refuse answers everything in the inbox.
func (d *desk) refuse(err error) {
	d.in.Lock()
	inbox := d.inbox
	d.inbox = nil
	d.in.Unlock()
	for _, a := range inbox {
		a.answer(Outcome{Err: err})
	}
}

// work is the life of a room's worker on this instance: it runs while
// commands that were asked here are in the queue.
func (g *Registrar) work(d *desk) {
	ctx := context.Background()
	for more := true; more || d.busy(); {
		var err error
		if more, err = g.turn(ctx, d); err != nil {
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
	d.working = d.queued > 0 || d.ticked
	d.ticked = false
	return d.working
}

// turn decides what waits in the queue while it holds the room's lock, and
// then looks whether more has come: whoever found the lock taken relies on
// that. Where nobody can tell who has the lock, the commands of this instance
// are decided without it: what keeps the promises is the store.
func (g *Registrar) turn(ctx context.Context, d *desk) (more bool, err error) {
	began := time.Now()
	unlock, ok, err := g.Locker.Lock(ctx, d.id)
	g.Metrics.locked(began)
	switch {
	case err != nil:
		g.Metrics.skipped("away")
		return false, g.decideOwn(ctx, d)
	case !ok:
		return false, g.standBy(ctx, d)
	}
	more, err = g.drain(ctx, d)
	unlock()
	if err != nil || !more {
		return false, err
	}
	head, err := g.Queue.Head(ctx, d.id, 1)
	return err == nil && len(head) > 0, nil
}

// drain decides what waits in the queue. It returns false if there is no use
// in looking at the queue again.
func (g *Registrar) drain(ctx context.Context, d *desk) (more bool, err error) {
	end := time.Now().Add(drainTime)
	for range drainBatches {
		head, err := g.Queue.Head(ctx, d.id, batchLimit)
		switch {
		case err != nil:
			return false, g.decideOwn(ctx, d)
		case len(head) == 0:
			return true, g.rescue(ctx, d)
		}
		published, err := g.decide(ctx, d, head)
		if err != nil || !published || time.Now().After(end) {
			return published, err
		}
	}
	return true, nil
}

// rescue sees to what waits here though the queue is empty: another instance
// has decided it and the bus did not say so yet, or the queue has lost it.
func (g *Registrar) rescue(ctx context.Context, d *desk) error {
	if d.idle() {
		return g.decideOwn(ctx, d) // something may be due
	}
	if err := g.catchUp(d); err != nil {
		return err
	}
	return g.decideOwn(ctx, d)
}

func (d *desk) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queued == 0
}

// standBy waits for another instance that has the lock to decide what waits
// here: first for its entries, then in the log and for the lock. At last the
// commands of this instance are decided without it.
func (g *Registrar) standBy(ctx context.Context, d *desk) error {
	waited, ok := d.waited(g.Now())
	switch {
	case !ok:
		return nil
	case waited < logPatience:
		if d.rest(logPatience - waited) {
			return nil
		}
		return g.catchUp(d)
	case waited < lockPatience:
		d.rest(retryEvery)
		return nil
	}
	g.Metrics.skipped("held")
	return g.decideOwn(ctx, d)
}

// waited returns for how long commands of this instance have waited for one
// that is at work, false if none waits.
func (d *desk) waited(now time.Time) (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.line) > 0 && d.line[0].answered {
		d.line = d.line[1:]
	}
	if d.queued == 0 {
		return 0, false
	}
	asked := d.line[0].command.AskedAt
	return now.Sub(earlier(later(asked, d.heardAt), asked.Add(heardPatience))), true
}

// rest waits until there is something to look at, or returns false when the
// time is over.
func (d *desk) rest(most time.Duration) bool {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-d.stir:
		return true
	case <-t.C:
		return false
	}
}

// decideOwn decides what was asked here, in order, without the queue.
func (g *Registrar) decideOwn(ctx context.Context, d *desk) error {
	_, err := g.decide(ctx, d, d.own())
	return err
}

// own returns what was asked here and is unanswered, in order of asking.
func (d *desk) own() []Queued {
	d.mu.Lock()
	defer d.mu.Unlock()
	own := make([]Queued, 0, min(d.queued, batchLimit))
	for _, a := range d.line {
		if len(own) == batchLimit {
			break
		}
		if a.queued && !a.answered {
			own = append(own, Queued{Command: a.command})
		}
	}
	return own
}

// expire tells those who have waited too long that it cannot be told, however
// long anyone waits for the store; while there is work, again and again.
func (d *desk) expire(g *Registrar) {
	for _, a := range d.late(g.Now()) {
		a.answer(Outcome{Err: ErrUnavailable})
	}
	d.in.Lock()
	defer d.in.Unlock()
	if d.taking || d.working {
		d.watch(g)
	}
}

// watch has expire come back while there is work.
func (d *desk) watch(g *Registrar) {
	if d.expiry == nil {
		d.expiry = time.AfterFunc(retryEvery, func() { d.expire(g) })
		return
	}
	d.expiry.Reset(retryEvery)
}

// late takes out those who have waited too long.
func (d *desk) late(now time.Time) (late []*asked) {
	d.in.Lock()
	defer d.in.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.waiting {
		if now.Sub(a.command.AskedAt) > a.patience() {
			late = append(late, a)
			d.dismiss(a)
		}
	}
	d.inbox = slices.DeleteFunc(d.inbox, func(a *asked) bool {
		expired := now.Sub(a.command.AskedAt) > a.patience()
		if expired {
			late = append(late, a)
		}
		return expired
	})
	return late
}

// decide decides, saves, applies and publishes commands as one entry. It
// returns false if the queue may still hold them.
func (g *Registrar) decide(ctx context.Context, d *desk, head []Queued) (published bool, err error) {
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
		return false, fmt.Errorf("save %d commands in room %s: %w", len(commands), d.id, err)
	}
	entry.SavedAt = g.Now()
	d.apply(g, entry)

	// The entry is durable. A lost publication costs freshness, not truth,
	// so it does not fail the batch.
	if err := g.Bus.Publish(ctx, entry, positions); err != nil {
		g.Log.Debug("entry not published", "room", d.id, "version", entry.Version, "err", err)
		return false, nil
	}
	return true, nil
}

// save makes commands durable as the room's next entry, deciding them again
// as often as the room has moved on meanwhile. The entry is empty (version 0)
// if there was nothing to decide.
func (g *Registrar) save(ctx context.Context, d *desk, commands []Command) (Entry, error) {
	for stale := 0; ; {
		var (
			step Step
			idle bool
			err  error
		)
		if stale < staleSaves {
			if step, idle = g.batch(d, commands); !idle {
				err = g.persist(ctx, step)
			}
		} else {
			step, idle, err = g.stopAndSave(ctx, d, commands)
		}
		var claimed *Claimed
		switch {
		case err == nil && idle:
			return Entry{Room: d.id}, nil
		case err == nil:
			return step.Entry, nil
		case errors.Is(err, ErrStale):
			stale++
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

// stopAndSave reads, decides and saves while nobody else can save the room.
func (g *Registrar) stopAndSave(ctx context.Context, d *desk, commands []Command) (step Step, idle bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerWithin)
	defer cancel()
	began := time.Now()
	idle = true
	err = g.Store.SaveNext(ctx, d.id, d.version(), func(missed []Entry) (Step, bool) {
		for _, e := range missed {
			d.apply(g, e)
		}
		step, idle = g.batch(d, commands)
		return step, !idle
	})
	if errors.Is(err, ErrUnknown) && !idle {
		return step, false, g.persist(ctx, step)
	}
	g.Metrics.saved(began, len(step.Entry.Answers), err)
	return step, idle, err
}

// batch decides what of commands may be decided, on this instance's copy, and
// tells those who asked here for what may not.
func (g *Registrar) batch(d *desk, commands []Command) (step Step, idle bool) {
	d.mu.Lock()
	now := g.Now()
	fresh, lost := d.sift(commands, now)
	step = d.room.Batch(fresh, now)
	step.Entry.Batch = NewToken()
	names(d.room, &step)
	due := !d.room.DueAt.IsZero() && !step.Entry.At.Before(d.room.DueAt)
	idle = len(step.Entry.Answers) == 0 && len(step.Entry.Events) == 0 && !due
	if idle {
		d.wake(g) // the timer was early: a beat may have set the clock back a little
	}
	d.mu.Unlock()
	for _, a := range lost {
		a.answer(Outcome{Err: ErrUnavailable})
	}
	return step, idle
}

// sift returns the commands that are to be decided: once each, and none that
// is too late. Those that never will be, and were asked here, are lost. Its
// caller holds mu.
func (d *desk) sift(commands []Command, now time.Time) (fresh []Command, lost []*asked) {
	fresh = make([]Command, 0, len(commands))
	seen := make(map[CommandID]bool, len(commands)) // a queue may hold a command twice
	asked := make(map[UserID]time.Time, len(commands))
	for _, c := range commands {
		switch {
		case d.decided[c.ID] || seen[c.ID]:
		case !d.tooLate(c, now, asked[c.By.User]):
			fresh = append(fresh, c)
			seen[c.ID] = true
			if !c.Type.past() {
				asked[c.By.User] = later(asked[c.By.User], c.AskedAt)
			}
		default:
			if a := d.waiting[c.ID]; a != nil {
				d.dismiss(a)
				lost = append(lost, a)
			}
		}
	}
	return fresh, lost
}

// tooLate tells whether a command must not be decided any more: who asked has
// given up, or has asked for something else since that was decided, perhaps
// just now. The room's own time counts too: a machine that slept does not know
// how late it is.
func (d *desk) tooLate(c Command, now, since time.Time) bool {
	if later(now, d.room.At).Sub(c.AskedAt) >= staleAfter {
		return true
	}
	return !c.Type.past() && c.AskedAt.Before(later(since, d.asked[c.By.User]))
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
