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

// Local is the queue, the lock and the bus of any number of Registrars in one
// process. The zero Local is ready for use.
type Local struct {
	mu        sync.Mutex
	pushed    uint64 // commands so far
	queues    map[room.ID][]room.Queued
	locks     map[room.ID]*room.ID // the value tells one holder from the next
	listeners map[*backlog[room.Entry]]struct{}
}

// Push is room.Queue's.
func (l *Local) Push(_ context.Context, id room.ID, commands []room.Command) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queues == nil {
		l.queues = map[room.ID][]room.Queued{}
	}
	queue := slices.Grow(l.queues[id], len(commands))
	for i := range commands {
		l.pushed++
		queue = append(queue, room.Queued{Position: strconv.FormatUint(l.pushed, 10), Command: commands[i]})
	}
	l.queues[id] = queue
	return nil
}

// Head is room.Queue's.
func (l *Local) Head(_ context.Context, id room.ID, limit int) ([]room.Queued, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.queues[id]
	return slices.Clip(queue[:min(limit, len(queue))]), nil // what is in a queue is never changed
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

// Publish is room.Bus's. An entry of version 0 tells nothing.
func (l *Local) Publish(_ context.Context, entry room.Entry, answered []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if queue := without(l.queues[entry.Room], answered); len(queue) > 0 {
		l.queues[entry.Room] = queue
	} else {
		delete(l.queues, entry.Room)
	}
	if entry.Version == 0 {
		return nil
	}
	for to := range l.listeners {
		to.offer(entry, 0) // all listeners share its memory
	}
	return nil
}

// without takes commands out of a queue: as a rule those at its head, in order.
func without(queue []room.Queued, answered []string) []room.Queued {
	for len(queue) > 0 && len(answered) > 0 && queue[0].Position == answered[0] {
		queue, answered = queue[1:], answered[1:]
	}
	if len(answered) == 0 {
		return queue
	}
	done := make(map[string]bool, len(answered))
	for _, position := range answered {
		done[position] = true
	}
	return slices.DeleteFunc(slices.Clone(queue), func(q room.Queued) bool { return done[q.Position] })
}

// Listen is room.Bus's. It returns nil when ctx is done.
func (l *Local) Listen(ctx context.Context, wants func(room.ID, int64) bool, receive func(room.Entry), missed func()) error {
	entries := newBacklog[room.Entry]()
	l.enter(entries)
	defer l.exit(entries)
	entries.lose() // what was published before
	entries.drain(ctx, func(entry room.Entry) {
		if wants(entry.Room, entry.Version) {
			receive(entry)
		}
	}, missed)
	return nil
}

func (l *Local) enter(to *backlog[room.Entry]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listeners == nil {
		l.listeners = map[*backlog[room.Entry]]struct{}{}
	}
	l.listeners[to] = struct{}{}
}

func (l *Local) exit(to *backlog[room.Entry]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.listeners, to)
}
