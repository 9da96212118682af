package room

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// beatEvery is how precisely the end of a crashed instance's sessions is
	// known.
	beatEvery = time.Second
	// deadAfter is the age of a last beat from which an instance is dead, and
	// for how long another's own beats must have succeeded for it to say so:
	// a store that was away has silenced everyone.
	deadAfter = 10 * time.Second
	// brokenAfter is the pause between two beats that breaks their row:
	// several are lost then.
	brokenAfter = 3 * beatEvery
	// compareEvery is how long a room may lag behind the store unnoticed.
	compareEvery = 2 * time.Second
	// reapedAtOnce is how many rooms of the dead an instance sees to at a time:
	// enough to keep a store busy, which sets the pace, and few enough that the
	// survivors, each of which takes other ones, do not do the same work all over.
	reapedAtOnce = 256
	// onItsWay is longer than an entry takes to another instance.
	onItsWay = 100 * time.Millisecond
)

// A pulse is the row of this instance's own beats.
type pulse struct {
	mu          sync.Mutex // guards the rest
	first, last time.Time  // of a row without a break; zero: there is none
}

// beat notes a beat that succeeded.
func (p *pulse) beat(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.IsZero() || now.Sub(p.last) > brokenAfter {
		p.first = now
	}
	p.last = now
}

// steady tells whether this instance has been in touch with the store for
// long enough to judge others.
func (p *pulse) steady() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last.Sub(p.first) >= deadAfter
}

// stop ends the row.
func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.first, p.last = time.Time{}, time.Time{}
}

// Self is the instance that this Registrar is in the store's eyes. It is
// another one after it was marked dead.
func (g *Registrar) Self() InstanceID {
	if renewed := g.renewed.Load(); renewed != nil {
		return *renewed
	}
	return g.Instance
}

// Recover ends the sessions that dead instances left. It is called before the
// first command is asked, so that nothing that is due comes before it.
func (g *Registrar) Recover(ctx context.Context) error {
	if !g.beat(ctx) {
		return fmt.Errorf("the store did not answer the first beat: %w", ErrUnavailable)
	}
	return g.reap(ctx, math.MaxInt)
}

// beat tells the store that this instance lives, and learns its time.
func (g *Registrar) beat(ctx context.Context) bool {
	g.beating.Lock()
	defer g.beating.Unlock()
	ctx, cancel := context.WithTimeout(ctx, beatEvery)
	defer cancel()
	began := time.Now()
	said, err := g.Store.Beat(ctx, g.Self())
	if err != nil {
		g.pulse.stop()
		g.Log.WarnContext(ctx, "no sign of life given, since the store did not answer: after ten seconds of this others end what is open here", "err", err)
		return false
	}
	now := time.Now()
	if g.clock.set(said.Now, began, now) > brokenAfter {
		// The store's clock was set: by it, others have been silent for as long.
		g.pulse.stop()
	}
	g.pulse.beat(now)
	g.Metrics.instances(said.Living)
	if said.Dead {
		g.rise(ctx)
	}
	return true
}

// rise is what an instance does that others took for dead: its sessions have
// ended, so its sockets must go, and it lives on as another. That one beats
// before anyone comes back to it; until it can, this is tried with every beat.
func (g *Registrar) rise(ctx context.Context) {
	dead, next := g.Self(), g.Instance+"."+InstanceID(NewToken())
	g.Log.WarnContext(ctx, "this instance was silent for too long, its machine stopped or its store away: its sockets close, and come back", "instance", dead, "next", next)
	if _, err := g.Store.Beat(ctx, next); err == nil {
		g.renewed.Store(&next)
	}
	g.Listener.Died()
	g.pulse.stop()
}

// lookAround marks instances as dead that have been silent, and ends the
// sessions of all the dead.
func (g *Registrar) lookAround(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	// The beat just before tells whether the store's clock was set.
	if g.pulse.steady() && g.beat(ctx) && g.pulse.steady() {
		dead, err := g.Store.Bury(ctx, g.Self(), deadAfter)
		if err != nil {
			return // the beat says that the store is away
		}
		if dead > 0 {
			g.Log.InfoContext(ctx, "instances have been silent for too long and count as dead: they left, were killed, or do not reach the store", "instances", dead)
		}
	}
	if err := g.reap(ctx, reapedAtOnce); err != nil && ctx.Err() == nil {
		g.Log.WarnContext(ctx, "sessions of dead instances not ended yet: this is tried again", "err", err)
	}
}

// reap ends the sessions of dead instances, also those that began after the
// instance was marked. Of more rooms than may be seen to at once it takes any,
// and looks again when they are done, for as long as ctx lasts: by then others
// have seen to some of the rest.
func (g *Registrar) reap(ctx context.Context, atOnce int) error {
	for ctx.Err() == nil {
		orphans, err := g.Store.Orphans(ctx)
		if err != nil {
			return fmt.Errorf("look for the sessions of dead instances: %w", err)
		}
		more := len(orphans) > atOnce
		if more {
			rand.Shuffle(len(orphans), func(i, j int) { orphans[i], orphans[j] = orphans[j], orphans[i] })
			orphans = orphans[:atOnce]
		}
		if done := g.reapIn(ctx, orphans); !more || !anyOf(ctx, done, len(orphans)) {
			return nil
		}
	}
	return nil
}

// reapIn asks for it in some rooms. What is sent tells whether it is decided;
// where it is not, it is asked again at another look.
func (g *Registrar) reapIn(ctx context.Context, orphans []Orphan) <-chan bool {
	done := make(chan bool, len(orphans))
	for _, o := range orphans {
		g.Log.InfoContext(ctx, "sessions of a dead instance end", "room", o.Room, "instance", o.Instance, "at", o.BeatAt)
		g.Ask(Command{Type: CommandReap, Room: o.Room, Instance: o.Instance, At: o.BeatAt}, func(o Outcome) {
			g.Metrics.reaped(o.Answer.Count)
			done <- o.Err == nil
		})
	}
	return done
}

// anyOf waits until so many are done, but for a few that may take long, or ctx
// is, and tells whether any went well.
func anyOf(ctx context.Context, done <-chan bool, n int) (well bool) {
	for range n - n/16 {
		select {
		case ok := <-done:
			well = well || ok
		case <-ctx.Done():
			return false
		}
	}
	return well
}

// compare finds the rooms here that lag behind the store, whatever the bus
// has lost, and has them catch up. What is on its way has so long to come.
// A room that is further here than in the store, or deleted there, is read
// anew.
func (g *Registrar) compare(ctx context.Context, settle time.Duration) {
	here := map[ID]int64{}
	for _, d := range g.all() {
		if version := d.version(); version > 0 {
			here[d.id] = version
		}
	}
	if len(here) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	stored, err := g.Store.Versions(ctx, slices.Collect(maps.Keys(here)))
	if err != nil {
		return // the beat says that the store is away
	}
	for _, d := range g.all() {
		switch at, kept := stored[d.id]; {
		case here[d.id] <= at, !d.clearBeyond(at): // or somebody else has just found out
		case kept:
			g.Log.ErrorContext(ctx, "the store has lost entries of a room: it was brought back from a backup, or a standby took over that had not everything", "room", d.id, "here", here[d.id], "stored", at)
			g.reread(context.WithoutCancel(ctx), d.id)
		default:
			g.Log.InfoContext(ctx, "a room is not in the store any more: it was deleted, as old, or by hand", "room", d.id)
		}
	}
	behind := g.behind(stored)
	if len(behind) > 0 && settle > 0 {
		pause(ctx, settle)
		behind = g.behind(stored)
	}
	for _, d := range behind {
		g.fill(d)
	}
}

// reread loads a room of which the store has lost entries, and tells the
// listener: it may be long until anything happens there.
func (g *Registrar) reread(ctx context.Context, id ID) {
	tell := func(v View) { g.Listener.Applied(v.Room, &Entry{Room: id, Version: v.Version, At: v.At}) }
	g.start(func() {
		for errors.Is(g.View(ctx, id, tell), ErrUnavailable) && g.runs() {
			pause(ctx, retryEvery) // compare does not look at rooms that are not here
		}
	})
}

// behind returns the rooms here that are not at the versions yet.
func (g *Registrar) behind(versions map[ID]int64) (behind []*desk) {
	for _, d := range g.all() {
		if at := d.version(); at > 0 && at < versions[d.id] {
			behind = append(behind, d)
		}
	}
	return behind
}

// fill has the entries read that the bus did not bring: once at a time,
// however many of those that follow find them missing.
func (g *Registrar) fill(d *desk) {
	if !d.lack() {
		return
	}
	g.Metrics.gap()
	begun := g.start(func() {
		for more := true; more; more = d.filled() {
			if err := g.catchUp(d); err != nil {
				g.Log.Debug("a room lags behind", "room", d.id, "err", err) // until the next comparison
			}
		}
	})
	if !begun {
		d.filled()
	}
}

// lack notes that entries are missing, and returns false if they are being
// read.
func (d *desk) lack() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.filling {
		d.lacking = true
		return false
	}
	d.filling = true
	return true
}

// filled notes that entries have been read, and tells whether more were missed
// meanwhile.
func (d *desk) filled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.filling = d.lacking
	d.lacking = false
	return d.filling
}
