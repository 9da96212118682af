package room

import (
	"context"
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
		d.pace()
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

// pace lets a few batches follow each other at once, and then one every
// gatherFor, so that what is asked meanwhile goes together: an entry costs as
// much as deciding a hundred joins. The taker calls it.
func (d *desk) pace() {
	now := time.Now()
	d.paced = later(d.paced, now.Add(-unpaced*gatherFor)).Add(gatherFor)
	time.Sleep(d.paced.Sub(now))
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
		if d.room != nil { // the store's clock may have been set back
			a.command.AskedAt = later(a.command.AskedAt, d.room.At)
		}
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

// refuse answers everything that was asked here.
func (d *desk) refuse(err error) {
	d.in.Lock()
	refused := d.inbox
	d.inbox = nil
	d.in.Unlock()
	d.mu.Lock()
	for _, a := range d.waiting {
		d.dismiss(a)
		refused = append(refused, a)
	}
	d.mu.Unlock()
	for _, a := range refused {
		a.answer(Outcome{Err: err})
	}
}

// expire tells those who have waited too long that it cannot be told, however
// long anyone waits for the store; while there is work, again and again.
func (d *desk) expire(g *Registrar) {
	for _, a := range d.late(!g.runs()) {
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
func (d *desk) late(ending bool) (late []*asked) {
	d.in.Lock()
	defer d.in.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.waiting {
		if a.expired(ending) {
			late = append(late, a)
			d.dismiss(a)
		}
	}
	d.inbox = slices.DeleteFunc(d.inbox, func(a *asked) bool {
		if !a.expired(ending) {
			return false
		}
		late = append(late, a)
		return true
	})
	return late
}

// waited returns for how long commands of this instance have waited for one
// that is at work, which is too long if that was found out before; false if
// none waits.
func (d *desk) waited() (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.line) > 0 && d.line[0].answered {
		d.line = d.line[1:]
	}
	if d.queued == 0 {
		return 0, false
	}
	if d.stuck {
		return lockPatience, true
	}
	since := d.line[0].since
	return time.Since(earlier(later(since, d.heardAt), since.Add(heardPatience))), true
}

func (d *desk) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queued == 0
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
