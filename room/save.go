package room

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// decideOwn decides what was asked here, in order, without the queue.
func (g *Registrar) decideOwn(ctx context.Context, d *desk) error {
	_, err := g.decide(ctx, d, d.own())
	return err
}

// decide decides, saves, applies and publishes commands as one entry. It
// returns false if the queue may still hold them.
func (g *Registrar) decide(ctx context.Context, d *desk, head []Queued) (published bool, err error) {
	step, err := g.save(ctx, d, head)
	if err != nil {
		return false, fmt.Errorf("save %d commands in room %s: %w", len(head), d.id, err)
	}
	entry := &step.Entry
	entry.SavedAt, entry.Locked = g.Now(), d.locked
	d.take(g, &step)

	// The entry is durable. A lost publication costs freshness, not truth,
	// so it does not fail the batch.
	if err := g.Bus.Publish(ctx, *entry, positionsOf(head)); err != nil {
		g.Log.Debug("entry not published", "room", d.id, "version", entry.Version, "err", err)
		return false, nil
	}
	return true, nil
}

func positionsOf(head []Queued) []string {
	positions := make([]string, 0, len(head))
	for i := range head {
		if at := head[i].Position; at != "" {
			positions = append(positions, at)
		}
	}
	return positions
}

// save makes commands durable as the room's next entry, deciding them again
// as often as the room has moved on meanwhile. The step is empty (version 0)
// if there was nothing to decide.
func (g *Registrar) save(ctx context.Context, d *desk, commands []Queued) (Step, error) {
	for stale := 0; ; {
		var (
			step Step
			idle bool
			err  error
		)
		if stale < staleSaves {
			if step, idle, err = g.batch(d, commands); err == nil && !idle {
				err = g.persist(ctx, step)
			}
		} else {
			step, idle, err = g.stopAndSave(ctx, d, commands)
		}
		var claimed *Claimed
		switch {
		case err == nil && idle:
			return Step{Entry: Entry{Room: d.id}}, nil
		case err == nil:
			return step, nil
		case errors.Is(err, ErrStale):
			stale++
			g.Metrics.conflict()
			if err := g.catchUp(d); err != nil {
				return Step{}, err
			}
		case errors.As(err, &claimed):
			commands = recoded(commands)
		default:
			return Step{}, err
		}
	}
}

// stopAndSave reads, decides and saves while nobody else can save the room.
func (g *Registrar) stopAndSave(ctx context.Context, d *desk, commands []Queued) (step Step, idle bool, err error) {
	version := d.version()
	if version == 0 {
		return Step{}, false, errCleared
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerWithin)
	defer cancel()
	began := time.Now()
	var cleared error
	err = g.Store.SaveNext(ctx, d.id, version, func(missed []Entry) (Step, bool) {
		for _, e := range missed {
			d.apply(g, e)
		}
		step, idle, cleared = g.batch(d, commands)
		return step, !idle && cleared == nil
	})
	switch {
	case cleared != nil:
		err = cleared
	case errors.Is(err, ErrStale): // nobody can have been faster: the store has lost what is here
		d.clear()
		err = errCleared
	case idle:
	case errors.Is(err, ErrUnknown):
		err = g.persist(ctx, step)
	default:
		g.Metrics.saved(began, len(step.Entry.Answers), err)
	}
	return step, idle, err
}

// errCleared says that the room went out of memory while it was worked on.
var errCleared = errors.New("the room has to be loaded again")

// batch decides what of commands may be decided, on this instance's copy, and
// tells those who asked here for what may not.
func (g *Registrar) batch(d *desk, commands []Queued) (step Step, idle bool, err error) {
	d.mu.Lock()
	if d.room == nil {
		d.mu.Unlock()
		return Step{}, false, errCleared
	}
	now := g.Now()
	fresh, lost := d.sift(commands, now)
	fresh = d.turnAway(fresh, now)
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
	return step, idle, nil
}

// turnAway answers, and takes out, what nobody needs to know later: that
// somebody came to a room that is closed. Its caller holds mu.
func (d *desk) turnAway(commands []Command, now time.Time) []Command {
	if d.room.Status != Closed {
		return commands
	}
	return slices.DeleteFunc(commands, func(c Command) bool {
		switch c.Type {
		case CommandJoin, CommandConnect, CommandLeave:
		default:
			return false
		}
		_, err := d.room.Decide(c, now) // no events: the room is closed
		if a := d.waiting[c.ID]; a != nil {
			d.dismiss(a)
			entry := Entry{Room: d.id, Version: d.room.Version, At: d.room.At}
			a.answer(Outcome{Room: d.room, Entry: &entry, Answer: d.room.answer(c, nil, err, now), Err: err})
		}
		return true
	})
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

// recoded gives the updates that want a new join code another one.
func recoded(commands []Queued) []Queued {
	commands = slices.Clone(commands)
	for i := range commands {
		c := &commands[i].Command
		if c.Change != nil && c.Change.Code != "" {
			change := *c.Change
			change.Code = NewCode()
			c.Change = &change
		}
	}
	return commands
}
