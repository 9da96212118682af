package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/lectern-room/lectern/room"
)

// flights is how many groups are saved at a time: one gathers while others
// wait for the disk.
const flights = 2

// claimTries bounds how often a step is saved whose name another room holds
// and gives up before one can see which.
const claimTries = 3

// Save is room.Store's. Steps of different rooms that wait at the same moment
// share one round trip and one commit. A step that opens a room, or takes or
// gives up a name, is saved alone: it may have to wait for another room's. So
// is one that takes long, for which others would have to wait, and which is
// seen through: to decide it again takes long too.
func (p *Postgres) Save(ctx context.Context, step room.Step) error {
	w := &saving{step: step, done: make(chan error, 1)}
	work := context.WithoutCancel(ctx) // a caller who leaves does not undo what others share
	if extra(&step) > 0 {
		ctx = work
	}
	switch {
	case step.Entry.Version == 1 || len(step.Claim) > 0 || len(step.Release) > 0 || extra(&step) > 0:
		p.saves.Go(func() { w.done <- p.saveAlone(work, &w.step) })
	case p.line.enter(w):
		p.saves.Go(func() { p.fly(work) })
	}
	select {
	case err := <-w.done:
		if err != nil {
			err = fmt.Errorf("save room %s: %w", step.Room.ID, err)
		}
		return err
	case <-ctx.Done():
		p.line.withdraw(w)
		return fmt.Errorf("save room %s: %w: %w", step.Room.ID, room.ErrUnknown, context.Cause(ctx))
	}
}

// fly saves groups until none waits.
func (p *Postgres) fly(ctx context.Context) {
	for group := p.line.group(); group != nil; group = p.line.group() {
		p.saveGroup(ctx, group)
	}
}

// saveGroup saves steps of different rooms together. Those whose rooms are
// locked or have moved on are saved alone, and so are all if one fails.
func (p *Postgres) saveGroup(ctx context.Context, group []*saving) {
	steps := make([]*room.Step, len(group))
	for i, w := range group {
		steps[i] = &w.step
	}
	moved, err := p.writeGroup(ctx, steps)
	p.wrote(err)
	var failure *pgconn.PgError
	refused := errors.As(err, &failure) && !fatal(failure)
	for _, w := range group {
		switch {
		case err == nil && moved[w.step.Room.ID]:
			p.tell(ctx, w, nil)
		case err == nil, refused && len(group) > 1:
			p.saves.Go(func() { p.tell(ctx, w, p.saveAlone(ctx, &w.step)) })
		default:
			p.tell(ctx, w, err)
		}
	}
}

// tell tells what became of a step that was in the line, whose room is free
// for the next.
func (p *Postgres) tell(ctx context.Context, w *saving, outcome error) {
	w.done <- outcome
	if p.line.leave(w.step.Room.ID) {
		p.saves.Go(func() { p.fly(ctx) })
	}
}

func (p *Postgres) writeGroup(ctx context.Context, steps []*room.Step) (moved map[room.ID]bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	moved, err = write(ctx, conn.Conn(), moveFreeOnes, steps...)
	p.dropSilent(ctx, err)
	return moved, told(err)
}

// saveAlone saves one step in a round trip of its own.
func (p *Postgres) saveAlone(ctx context.Context, step *room.Step) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout+extra(step))
	defer cancel()
	var err error
	for range claimTries {
		err = p.on(ctx, func(conn *sql.Conn) error { return told(saveStep(ctx, conn, step)) })
		if !claimTaken(err) {
			break
		}
		if holder := p.claimed(ctx, step); holder != nil {
			return holder
		}
	}
	p.wrote(err)
	return err
}

// SaveNext is room.Store's: while it decides, the room's row is locked.
func (p *Postgres) SaveNext(ctx context.Context, id room.ID, after int64, next func([]room.Entry) (room.Step, bool)) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	limit := time.AfterFunc(saveTimeout, cancel)
	defer limit.Stop()
	var step room.Step
	err := p.on(ctx, func(conn *sql.Conn) error {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		missed, err := p.lockRoom(ctx, tx, id, after)
		if err != nil {
			return err
		}
		var ok bool
		if step, ok = next(missed); !ok {
			return nil
		}
		limit.Reset(saveTimeout + extra(&step))
		if err := saveStep(ctx, conn, &step); err != nil {
			return err
		}
		return told(tx.Commit())
	})
	p.wrote(err)
	if claimTaken(err) {
		err = cmp.Or(p.claimed(ctx, &step), err)
	}
	if err != nil {
		return fmt.Errorf("save room %s: %w", id, err)
	}
	return nil
}

// lockRoom makes everyone else wait who would save the room, and returns its
// entries after a version.
func (p *Postgres) lockRoom(ctx context.Context, tx *sql.Tx, id room.ID, after int64) ([]room.Entry, error) {
	var version int64
	err := tx.QueryRowContext(ctx, `SELECT version FROM room WHERE id = $1 FOR UPDATE`, id).Scan(&version)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && version < after:
		return nil, room.ErrStale
	case err != nil || version == after:
		return nil, err
	}
	missed, err := loadEntries(ctx, tx, id, selectAfter, id, after, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	return missed, p.loadNames(ctx, tx, id, missed)
}

// on calls f with a connection of those that are kept for who saves alone.
func (p *Postgres) on(ctx context.Context, f func(*sql.Conn) error) error {
	conn, err := p.aside.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = f(conn)
	p.dropSilent(ctx, err)
	return err
}

// dropSilent drops all connections if a save has failed on one that said
// nothing until ctx was over: it leads nowhere, and the others do as well.
func (p *Postgres) dropSilent(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		p.pool.Reset()
	}
}

// saveStep saves one step. Where the room has not moved on, it has done so
// before: by this very step, or by another.
func saveStep(ctx context.Context, on *sql.Conn, step *room.Step) error {
	rooms := moveRoomsOn
	if step.Entry.Version == 1 {
		rooms = openRooms
	}
	return on.Raw(func(driver any) error {
		conn := driver.(*stdlib.Conn).Conn()
		moved, err := write(ctx, conn, rooms, step)
		if err != nil || moved[step.Room.ID] {
			return err
		}
		var batch string
		err = conn.QueryRow(ctx, selectBatch, step.Room.ID, step.Entry.Version).Scan(&batch)
		switch {
		case err != nil && !errors.Is(err, pgx.ErrNoRows):
			return err
		case batch == step.Entry.Batch:
			return nil
		}
		return room.ErrStale
	})
}

// told wraps the error of what is a transaction, if it does not tell whether
// that was carried out.
func told(err error) error {
	var failure *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, room.ErrStale), pgconn.SafeToRetry(err):
		return err
	case errors.As(err, &failure) && !fatal(failure):
		return err // the server has rolled back
	}
	return fmt.Errorf("%w: %w", room.ErrUnknown, err)
}

// claimTaken tells whether a step failed since another room holds a name.
func claimTaken(err error) bool {
	var failure *pgconn.PgError
	return errors.As(err, &failure) && failure.ConstraintName == "claim_pkey"
}

// claimed returns which other room holds a name that the step claims, nil if
// none does any more.
func (p *Postgres) claimed(ctx context.Context, step *room.Step) error {
	for _, key := range step.Claim {
		holder, err := p.Holder(ctx, key)
		switch {
		case errors.Is(err, room.ErrNotFound), err == nil && holder == step.Room.ID:
		case err != nil:
			return err
		default:
			return &room.Claimed{Key: key, Holder: holder}
		}
	}
	return nil
}
