package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lectern-room/lectern/room"
)

// groupRows bounds how much one commit may hold, in people and entries, so
// that a single join does not wait for seconds behind a storm elsewhere: at
// some 100,000 rows a second it is 0.1 s.
const groupRows = 4_096

// Save is room.Store's. All steps that wait at the same moment share one
// commit, which one of their callers carries out: it is the disk that makes a
// save slow.
func (s *SQLite) Save(ctx context.Context, step room.Step) error {
	w := &saving{step: step, done: make(chan error, 1)}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	for {
		select {
		case err := <-w.done:
			return err
		case s.turn <- struct{}{}:
			s.saveGroup(context.WithoutCancel(ctx))
			<-s.turn
		case <-ctx.Done():
			s.withdraw(w)
			return fmt.Errorf("save room %s: %w: %w", step.Room.ID, room.ErrUnknown, context.Cause(ctx))
		}
	}
}

// SaveNext is room.Store's: while it decides, nobody writes.
func (s *SQLite) SaveNext(ctx context.Context, id room.ID, after int64, next func([]room.Entry) (room.Step, bool)) error {
	err := s.alone(ctx, func(ctx context.Context) error {
		var version int64
		switch open, err := s.writer.find(ctx, `SELECT version FROM room WHERE id = $1`, &version, id); {
		case err != nil:
			return err
		case !open || version < after:
			return room.ErrStale
		}
		missed, err := s.Entries(ctx, id, after, math.MaxInt32)
		if err != nil {
			return err
		}
		step, ok := next(missed)
		if !ok {
			return nil
		}
		return s.writer.transaction(ctx, func() error { return s.writer.save(ctx, &step) })
	})
	if err != nil {
		return fmt.Errorf("save room %s: %w", id, err)
	}
	return nil
}

// withdraw takes w out of those who wait, if nobody has taken it up.
func (s *SQLite) withdraw(w *saving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(other *saving) bool { return other == w })
}

// saveGroup saves those who wait and tells each what became of it.
func (s *SQLite) saveGroup(ctx context.Context) {
	group := s.group()
	if len(group) == 0 {
		return
	}
	outcomes := make([]error, len(group))
	err := s.writer.transaction(ctx, func() error {
		if len(group) == 1 { // which the transaction undoes
			return s.writer.save(ctx, &group[0].step)
		}
		for i, w := range group {
			var fatal error
			if outcomes[i], fatal = s.writer.try(ctx, &w.step); fatal != nil {
				return fatal
			}
		}
		return nil
	})
	for i, w := range group {
		outcome := outcomes[i]
		if err != nil {
			outcome = err
		}
		s.wrote(outcome)
		if outcome != nil {
			outcome = fmt.Errorf("save room %s: %w", w.step.Room.ID, outcome)
		}
		w.done <- outcome
	}
}

// group takes up those who have waited longest.
func (s *SQLite) group() []*saving {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, rows := 0, 0
	for n < len(s.waiting) && rows < groupRows {
		rows += s.waiting[n].rows()
		n++
	}
	group := slices.Clone(s.waiting[:n])
	s.waiting = slices.Delete(s.waiting, 0, n)
	return group
}

// try saves one step of a group. A step that cannot be saved leaves nothing
// behind and does not hurt the others; fatal is an error that does.
func (w *writer) try(ctx context.Context, step *room.Step) (outcome, fatal error) {
	if _, err := w.exec(ctx, `SAVEPOINT step`); err != nil {
		return nil, err
	}
	outcome = w.save(ctx, step)
	if outcome != nil {
		if _, err := w.exec(ctx, `ROLLBACK TO step`); err != nil {
			return nil, errors.Join(outcome, err)
		}
	}
	_, fatal = w.exec(ctx, `RELEASE step`)
	return outcome, fatal
}

// wrote notes for Ping whether the store took a write.
func (s *SQLite) wrote(err error) {
	var failure *sqlite.Error
	if errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_CONSTRAINT { // above it: which one
		return
	}
	s.last.note(err)
}
