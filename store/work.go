package store

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/lectern-room/lectern/room"
)

// workTimeout bounds the work on one room: a hundred times what the record of
// a full hall takes.
const workTimeout = time.Minute

// Work is done in a transaction on one room, which nobody else writes until it
// is over. The time is the store's. The room may be gone by now.
type work func(ctx context.Context, tx connection, now time.Time) error

// A connection is in the midst of a transaction.
type connection interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// change returns how many rows a statement changed.
func change(ctx context.Context, tx connection, statement string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// do does work on a room. What was begun is finished.
func (s *SQLite) do(ctx context.Context, _ room.ID, f work) error {
	now := s.clock.now()
	return s.alone(ctx, func(ctx context.Context) error {
		return s.writer.transaction(ctx, func() error { return f(ctx, s.writer.conn, now) })
	})
}

// waiting does work on a room as soon as nobody else writes it.
func (p *Postgres) waiting(ctx context.Context, id room.ID, f work) error {
	return p.do(ctx, id, lockForWork, f)
}

// skipping does work on a room unless somebody else writes it.
func (p *Postgres) skipping(ctx context.Context, id room.ID, f work) error {
	return p.do(ctx, id, lockForWork+skipLocked, f)
}

// allowStatements sets how many milliseconds the server gives the statements of
// a transaction.
const allowStatements = `SELECT set_config('statement_timeout', $1, true)`

const lockForWork = `SELECT ` + databaseNow + ` FROM room WHERE id = $1 FOR UPDATE`

// do does work on a room that the statement locks, if it finds one. What was
// begun is finished.
func (p *Postgres) do(ctx context.Context, id room.ID, lock string, f work) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workTimeout)
	defer cancel()
	err := p.on(ctx, func(conn *sql.Conn) error {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, allowStatements,
			strconv.FormatInt(workTimeout.Milliseconds(), 10)); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, lock, id)
		if err != nil {
			return err
		}
		locked, err := collect(rows, func(rows *sql.Rows) (now time.Time, err error) { return now, rows.Scan(moment{&now}) })
		if err != nil || len(locked) == 0 {
			return err
		}
		if err := f(ctx, tx, locked[0]); err != nil {
			return err
		}
		return told(tx.Commit())
	})
	p.wrote(err)
	return err
}
