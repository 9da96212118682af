package store

import (
	"context"
	"sync"
)

const (
	// heard bounds how many entries wait for one listener: some seconds of
	// the busiest process, beyond which reading the store again costs less.
	heard = 4_096
	// heardBytes bounds their memory: some 200 of the largest.
	heardBytes = 64 << 20
)

// A backlog is what was heard and waits for one listener, so that nobody
// waits for it. If it is too much all of it is lost, and the listener told.
type backlog[T any] struct {
	news chan struct{} // holds a token if there is any

	mu      sync.Mutex // guards the rest
	waiting []T
	bytes   int
	missed  bool // something before those got lost
}

func newBacklog[T any]() *backlog[T] { return &backlog[T]{news: make(chan struct{}, 1)} }

// offer adds what was heard, which takes so many bytes.
func (b *backlog[T]) offer(what T, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == heard || b.bytes+bytes > heardBytes {
		b.forget()
	} else {
		b.waiting, b.bytes = append(b.waiting, what), b.bytes+bytes
	}
	b.tell()
}

// lose says that something may have been missed by now. What waits goes too:
// whoever looks for what was missed finds it.
func (b *backlog[T]) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget()
	b.tell()
}

func (b *backlog[T]) forget() { b.waiting, b.bytes, b.missed = nil, 0, true }

func (b *backlog[T]) tell() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

func (b *backlog[T]) take() (waiting []T, missed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting, missed = b.waiting, b.missed
	b.waiting, b.bytes, b.missed = nil, 0, false
	return waiting, missed
}

// drain hands everything to receive, in order, until ctx is done, and calls
// missed where something was lost.
func (b *backlog[T]) drain(ctx context.Context, receive func(T), missed func()) {
	for {
		select {
		case <-b.news:
		case <-ctx.Done():
			return
		}
		waiting, lost := b.take()
		if lost {
			missed()
		}
		for _, what := range waiting {
			receive(what)
		}
	}
}
