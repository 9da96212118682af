package room_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A link is how one machine reaches what all share: every call takes time, and
// may fail before or after it took effect.
type link struct {
	*world
	who  int
	dead chan struct{} // closed when the process is killed
}

// kind is what a call, or what else acts on its own, is.
type kind int

const (
	saves kind = iota
	savesNext
	entries
	versions
	holders
	dues
	buries
	orphans
	pushes
	heads
	locks
	publishes
	hears
	beats
	loads
	listens
	stops
	kinds // how many there are
)

// slot names an actor of this machine.
func (l *link) slot(k kind, id room.ID) int {
	n := 0
	if s := l.sitting(id); s != nil {
		n = s.n
	}
	return (l.who*maxRooms+n)*int(kinds) + int(k)
}

// A fate is what becomes of one call.
type fate struct {
	slot          int
	random        *rand.Rand
	there, back   time.Duration
	refused, lost bool
	odds          odds
}

func (l *link) fate(to part, k kind, id room.ID) fate {
	f := fate{slot: l.slot(k, id), odds: l.weather(l.who, to)}
	f.random = l.draw(f.slot)
	f.there, f.back = upTo(f.random, 2*time.Millisecond), upTo(f.random, 2*time.Millisecond)
	long := 3 * time.Second
	if to == toRedis {
		long = 200 * time.Millisecond // the longest that a call to it takes
	}
	switch p := f.random.Float64(); {
	case p < f.odds.refused:
		f.refused = true
	case p < f.odds.refused+f.odds.lost:
		f.lost = true
	}
	if p := f.random.Float64(); p < f.odds.late/2 {
		f.there += upTo(f.random, long)
	} else if p < f.odds.late {
		f.back += upTo(f.random, long)
	}
	return f
}

// alive returns err, unless the process is dead: then nothing returns.
func (l *link) alive(err error) error {
	select {
	case <-l.failed:
	case <-l.dead:
		<-l.over
	default:
		return err
	}
	return errAway
}

// call is one whose effect does not outlive the caller. Unsure is its error
// where it took effect and nobody knows.
func (l *link) call(ctx context.Context, f fate, unsure error, effect func() error) error {
	if err := l.alive(nil); err != nil {
		return err
	}
	if !l.sleep(ctx, f.slot, f.there) || f.refused {
		return l.alive(errAway)
	}
	if err := l.alive(nil); err != nil {
		return err
	}
	err := effect()
	if !l.sleep(ctx, f.slot, f.back) || f.lost {
		err = unsure
	}
	return l.alive(err)
}

// Save may take effect when its caller has given up already.
func (l *link) Save(ctx context.Context, step room.Step) error {
	if err := l.alive(nil); err != nil {
		return err
	}
	f := l.fate(toStore, saves, step.Entry.Room)
	done := make(chan error, 1)
	answer := func(err error) { time.AfterFunc(l.until(f.slot, f.back), func() { done <- err }) }
	time.AfterFunc(l.until(f.slot, f.there), func() {
		switch {
		case f.refused && f.random.IntN(2) == 0:
			answer(errAway)
			return
		case f.refused:
			answer(room.ErrUnknown)
			return
		}
		err := l.store.Save(context.Background(), step)
		if f.lost {
			err = room.ErrUnknown
		}
		answer(err)
	})
	select {
	case err := <-done:
		return l.alive(err)
	case <-ctx.Done():
		return l.alive(room.ErrUnknown)
	}
}

func (l *link) SaveNext(ctx context.Context, id room.ID, after int64, next func([]room.Entry) (room.Step, bool)) error {
	return l.call(ctx, l.fate(toStore, savesNext, id), room.ErrUnknown, func() error {
		return l.store.SaveNext(ctx, id, after, next)
	})
}

// atOnce is for what is asked with a lock held: it takes no time, since a
// simulation's time stands still while somebody waits for a lock.
func (l *link) atOnce(k kind, id room.ID, effect func() error) error {
	f := l.fate(toStore, k, id)
	if err := l.alive(nil); err != nil || f.refused {
		return errAway
	}
	if err := effect(); err != nil || !f.lost {
		return err
	}
	return errAway
}

func (l *link) Load(ctx context.Context, id room.ID, since time.Time) (r *room.Room, log []room.Entry, err error) {
	err = l.atOnce(loads, id, func() (err error) {
		r, log, err = l.store.Load(ctx, id, since)
		return err
	})
	return r, log, err
}

func (l *link) Beat(ctx context.Context, i room.InstanceID) (p room.Pulse, err error) {
	err = l.atOnce(beats, "", func() (err error) {
		p, err = l.store.Beat(ctx, i)
		p.Now = l.now()
		return err
	})
	return p, err
}

func (l *link) Entries(ctx context.Context, id room.ID, after int64, limit int) (log []room.Entry, err error) {
	err = l.call(ctx, l.fate(toStore, entries, id), errAway, func() (err error) {
		log, err = l.store.Entries(ctx, id, after, limit)
		return err
	})
	return log, err
}

func (l *link) Versions(ctx context.Context, ids []room.ID) (at map[room.ID]int64, err error) {
	err = l.call(ctx, l.fate(toStore, versions, ""), errAway, func() (err error) {
		if l.broken == deaf {
			return errAway
		}
		at, err = l.store.Versions(ctx, ids)
		return err
	})
	return at, err
}

func (l *link) Holder(ctx context.Context, claim string) (id room.ID, err error) {
	err = l.call(ctx, l.fate(toStore, holders, ""), errAway, func() (err error) {
		id, err = l.store.Holder(ctx, claim)
		return err
	})
	return id, err
}

func (l *link) Due(ctx context.Context, at time.Time, limit int) (ids []room.ID, err error) {
	err = l.call(ctx, l.fate(toStore, dues, ""), errAway, func() (err error) {
		ids, err = l.store.Due(ctx, at, limit)
		slices.Sort(ids)
		return err
	})
	return ids, err
}

func (l *link) Bury(ctx context.Context, living room.InstanceID, silence time.Duration) (n int, err error) {
	err = l.call(ctx, l.fate(toStore, buries, ""), errAway, func() (err error) {
		n, err = l.store.Bury(ctx, living, silence)
		return err
	})
	return n, err
}

// Orphans tells of one a room at a time: of two that are asked about at once
// chance would tell which is decided first.
func (l *link) Orphans(ctx context.Context) (all []room.Orphan, err error) {
	err = l.call(ctx, l.fate(toStore, orphans, ""), errAway, func() (err error) {
		if l.broken == noReaper {
			return nil
		}
		all, err = l.store.Orphans(ctx)
		return err
	})
	for i := range all {
		all[i].BeatAt = all[i].BeatAt.Add(l.skew)
	}
	slices.SortFunc(all, func(a, b room.Orphan) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), a.BeatAt.Compare(b.BeatAt))
	})
	return slices.CompactFunc(all, func(a, b room.Orphan) bool { return a.Room == b.Room }), err
}
