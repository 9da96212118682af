package room_test

import (
	"context"
	"slices"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
)

func (l *link) Push(ctx context.Context, id room.ID, commands []room.Command) error {
	l.note(commands)
	f := l.fate(toRedis, pushes, id)
	return l.call(ctx, f, errAway, func() error {
		switch p := f.random.Float64(); {
		case p < f.odds.lost/2:
			return nil // and nobody knows that it is lost
		case p < f.odds.lost: // sent again after a lost answer
			commands = slices.Concat(commands, commands)
		}
		return l.queue().Push(ctx, id, commands)
	})
}

func (l *link) Head(ctx context.Context, id room.ID, limit int) (head []room.Queued, err error) {
	err = l.call(ctx, l.fate(toRedis, heads, id), errAway, func() (err error) {
		head, err = l.queue().Head(ctx, id, limit)
		return err
	})
	if l.broken == forgetsIDs {
		head = l.unnamed(head)
	}
	return head, err
}

func (l *link) Lock(ctx context.Context, id room.ID) (unlock func(), ok bool, err error) {
	f := l.fate(toRedis, locks, id)
	var lease *time.Time
	err = l.call(ctx, f, errAway, func() error {
		lease = l.lease(id, f.random.Float64() < f.odds.late)
		return nil
	})
	if err != nil || lease == nil {
		return nil, false, err
	}
	return func() {
		f := l.fate(toRedis, locks, id)
		l.call(ctx, f, nil, func() error { l.release(id, lease); return nil })
	}, true, nil
}

func (l *link) Publish(ctx context.Context, e room.Entry, answered []string) error {
	return l.call(ctx, l.fate(toRedis, publishes, e.Room), errAway, func() error {
		if e.Version > 0 {
			l.spread(e)
		}
		e.Version = 0 // to the queue alone
		return l.queue().Publish(ctx, e, answered)
	})
}

func (l *link) Listen(ctx context.Context, wants func(room.ID, int64) bool, receive func(room.Entry), missed func()) error {
	if err := l.call(ctx, l.fate(toRedis, listens, ""), errAway, func() error { return nil }); err != nil {
		return err
	}
	h := l.subscribe(l)
	defer l.unsubscribe(h)
	missed()
	last := map[room.ID]int64{}
	for {
		select {
		case e := <-h.heard:
			if n := last[e.Room]; l.broken == hidesGaps && n > 0 && e.Version > n {
				e.Version = n + 1
			}
			last[e.Room] = e.Version
			if wants(e.Room, e.Version) {
				receive(e)
			}
		case <-h.cut:
			return errAway
		case <-l.dead:
			<-ctx.Done()
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// lease is a lock for five seconds, as Redis gives it. Stolen: it is granted
// whoever has it.
func (w *world) lease(id room.ID, stolen bool) *time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if held := w.leases[id]; held != nil && now.Before(*held) && !stolen {
		return nil
	}
	until := now.Add(5 * time.Second)
	w.leases[id] = &until
	return &until
}

func (w *world) release(id room.ID, lease *time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leases[id] == lease {
		delete(w.leases, id)
	}
}

func (w *world) queue() *store.Local {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.redis
}

// flush is what a restart of Redis does: it is empty, and nobody listens.
func (w *world) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.redis = &store.Local{}
	clear(w.leases)
	for _, h := range w.hearers {
		close(h.cut)
	}
	w.hearers = nil
}

// A hearer is a machine's subscription.
type hearer struct {
	link  *link
	heard chan room.Entry
	cut   chan struct{} // closed when it ends
}

func (w *world) subscribe(l *link) *hearer {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := &hearer{link: l, heard: make(chan room.Entry, 4096), cut: make(chan struct{})}
	w.hearers = append(w.hearers, h)
	return h
}

func (w *world) unsubscribe(h *hearer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hearers = slices.DeleteFunc(w.hearers, func(other *hearer) bool { return other == h })
}

// spread brings an entry to all who listen: sooner or later, twice or never.
func (w *world) spread(e room.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hearers {
		slot := h.link.slot(hears, e.Room)
		r, o := w.draw(slot), w.weather(h.link.who, toRedis)
		times := 1
		if w.broken == deaf {
			o.refused = 0.6
		}
		switch p := r.Float64(); {
		case p < o.refused:
			times = 0
		case p < o.refused+o.lost:
			times = 2
		}
		for range times {
			in := upTo(r, 3*time.Millisecond)
			if r.Float64() < o.late {
				in = upTo(r, 3*time.Second)
			}
			time.AfterFunc(w.until(slot, in), func() {
				select {
				case h.heard <- e:
				default:
				}
			})
		}
	}
}
