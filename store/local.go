package store

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/lectern-room/lectern/room"
)

var (
	_ room.Queue  = (*Local)(nil)
	_ room.Locker = (*Local)(nil)
	_ room.Bus    = (*Local)(nil)
)

// heard bounds how many entries wait for one listener: some seconds of the
// busiest process, beyond which reading the store again costs less.
const heard = 4_096

// Local is the queue, the lock and the bus of any number of Registrars in one
// process. The zero Local is ready for use.
type Local struct {
	mu        sync.Mutex
	pushed    uint64 // commands so far
	queues    map[room.ID][]room.Queued
	locks     map[room.ID]*room.ID // the value tells one holder from the next
	listeners map[*listener]struct{}
}

// A listener is one call of Listen. All of it is guarded by Local.mu.
type listener struct {
	entries []room.Entry  // that wait to be received
	missed  bool          // entries before those got lost
	wake    chan struct{} // holds a token if there is news
}

// Push is room.Queue's.
func (l *Local) Push(_ context.Context, id room.ID, commands []room.Command) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queues == nil {
		l.queues = map[room.ID][]room.Queued{}
	}
	for _, c := range commands {
		l.pushed++
		l.queues[id] = append(l.queues[id], room.Queued{Position: strconv.FormatUint(l.pushed, 10), Command: c})
	}
	return nil
}

// Head is room.Queue's.
func (l *Local) Head(_ context.Context, id room.ID, limit int) ([]room.Queued, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.queues[id]
	return slices.Clone(queue[:min(limit, len(queue))]), nil
}

// Lock is room.Locker's.
func (l *Local) Lock(_ context.Context, id room.ID) (unlock func(), ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.locks[id] != nil {
		return nil, false, nil
	}
	if l.locks == nil {
		l.locks = map[room.ID]*room.ID{}
	}
	mine := &id
	l.locks[id] = mine
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.locks[id] == mine {
			delete(l.locks, id)
		}
	}, true, nil
}

// Publish is room.Bus's.
func (l *Local) Publish(_ context.Context, entry room.Entry, answered []string) error {
	done := make(map[string]bool, len(answered))
	for _, position := range answered {
		done[position] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := slices.DeleteFunc(l.queues[entry.Room], func(q room.Queued) bool { return done[q.Position] })
	if len(queue) > 0 {
		l.queues[entry.Room] = queue
	} else {
		delete(l.queues, entry.Room)
	}
	for to := range l.listeners {
		to.offer(entry)
	}
	return nil
}

// offer adds an entry to what waits, or loses all of it if that is too much.
func (to *listener) offer(entry room.Entry) {
	if len(to.entries) == heard {
		to.entries, to.missed = nil, true
	} else {
		to.entries = append(to.entries, entry)
	}
	select {
	case to.wake <- struct{}{}:
	default:
	}
}

// Listen is room.Bus's. It returns nil when ctx is done.
func (l *Local) Listen(ctx context.Context, receive func(room.Entry), missed func()) error {
	to := &listener{missed: true, wake: make(chan struct{}, 1)}
	to.wake <- struct{}{}
	l.enter(to)
	defer l.exit(to)
	for {
		select {
		case <-to.wake:
		case <-ctx.Done():
			return nil
		}
		entries, lost := l.take(to)
		if lost {
			missed()
		}
		for _, entry := range entries {
			receive(entry)
		}
	}
}

func (l *Local) enter(to *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listeners == nil {
		l.listeners = map[*listener]struct{}{}
	}
	l.listeners[to] = struct{}{}
}

func (l *Local) exit(to *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.listeners, to)
}

func (l *Local) take(to *listener) (entries []room.Entry, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries, lost = to.entries, to.missed
	to.entries, to.missed = nil, false
	return entries, lost
}
