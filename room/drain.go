package room

import (
	"context"
	"errors"
	"time"
)

// work is the life of a room's worker on this instance: it runs while
// commands that were asked here are in the queue.
func (g *Registrar) work(d *desk) {
	ctx := context.Background()
	for more := true; more || d.busy(); {
		if err := g.load(ctx, d); err != nil {
			d.refuse(err)
			more = false
			continue
		}
		var err error
		if more, err = g.turn(ctx, d); err != nil && !errors.Is(err, errCleared) {
			g.Log.WarnContext(ctx, "commands not decided yet: this is tried again", "room", d.id, "err", err)
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
	d.hold(true)
	more, err = g.drain(ctx, d)
	d.hold(false)
	unlock()
	if err != nil || !more {
		return false, err
	}
	head, err := g.Queue.Head(ctx, d.id, 1)
	return err == nil && len(head) > 0, nil
}

// hold notes whether this instance has the lock.
func (d *desk) hold(locked bool) {
	d.locked = locked
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stuck = false
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
		switch {
		case err != nil || time.Now().After(end):
			return true, err
		case !published: // the queue shows the same again
			return false, g.decideOwn(ctx, d)
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

// standBy waits for another instance that has the lock to decide what waits
// here: first for its entries, then in the log and for the lock. At last the
// commands of this instance are decided without it, and from then on at once,
// until there is a holder at work.
func (g *Registrar) standBy(ctx context.Context, d *desk) error {
	waited, ok := d.waited()
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
	d.giveUpLock()
	g.Metrics.skipped("held")
	return g.decideOwn(ctx, d)
}

func (d *desk) giveUpLock() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stuck = true
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
