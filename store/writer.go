package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/lectern-room/lectern/room"
)

// rowsAtOnce is how many rows one statement inserts where there are as many:
// a third faster than one by one, and not faster with more.
const rowsAtOnce = 64

// A writer is the one connection that writes, with its prepared statements.
// It is not safe for concurrent use.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // by their text
}

func openWriter(ctx context.Context, address string) (*writer, error) {
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		db.Close()
		return nil, err
	}
	return &writer{db: db, conn: conn, stmts: map[string]*sql.Stmt{}}, nil
}

func (w *writer) close() error {
	for _, stmt := range w.stmts {
		stmt.Close()
	}
	return errors.Join(w.conn.Close(), w.db.Close())
}

// prepared returns a statement, prepared when it is first asked for.
func (w *writer) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt := w.stmts[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = stmt
	return stmt, nil
}

// exec returns how many rows the statement changed.
func (w *writer) exec(ctx context.Context, query string, args ...any) (int64, error) {
	stmt, err := w.prepared(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// insert inserts rows, each of so many values; head is the statement up to
// its first row, tail what follows the last.
func (w *writer) insert(ctx context.Context, head string, columns int, tail string, values []any) error {
	row := "(" + strings.Repeat("?, ", columns-1) + "?)"
	for len(values) > 0 {
		rows := 1
		if len(values) >= rowsAtOnce*columns {
			rows = rowsAtOnce
		}
		query := head + strings.Repeat(row+", ", rows-1) + row + tail
		if _, err := w.exec(ctx, query, values[:rows*columns]...); err != nil {
			return err
		}
		values = values[rows*columns:]
	}
	return nil
}

// find scans the one row that the query finds; false: there is none.
func (w *writer) find(ctx context.Context, query string, to any, args ...any) (bool, error) {
	stmt, err := w.prepared(ctx, query)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRowContext(ctx, args...).Scan(to)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// transaction makes what f writes durable, or undoes it if f fails. Its error
// is room.ErrUnknown if it cannot tell which.
func (w *writer) transaction(ctx context.Context, f func() error) error {
	if _, err := w.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	err := f()
	if err == nil {
		if _, err = w.exec(ctx, `COMMIT`); err == nil {
			return nil
		}
		err = fmt.Errorf("%w: %w", room.ErrUnknown, err)
	}
	// It fails where SQLite has rolled back by itself, as on a full disk.
	_, _ = w.exec(ctx, `ROLLBACK`)
	return err
}
