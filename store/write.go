package store

import (
	"errors"
	"fmt"
	"sync"

	"github.com/lectern-room/lectern/room"
)

// A lastWrite is what came of the last write that a store was asked for. One
// that it refused for what it says tells nothing.
type lastWrite struct {
	mu  sync.Mutex
	err error // guarded by mu
}

func (l *lastWrite) note(err error) {
	var claimed *room.Claimed
	if errors.Is(err, room.ErrStale) || errors.As(err, &claimed) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// failure returns why the store did not take the last write.
func (l *lastWrite) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return fmt.Errorf("the last write: %w", l.err)
	}
	return nil
}
