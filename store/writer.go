package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"github.com/lectern-room/lectern/room"
)

// rowsAtOnce is how many rows one statement inserts where there are as many:
// a third faster than one by one, and not faster with more.
const rowsAtOnce = 64

// A writer is the one connection that writes, with its prepared statements.
// It is not safe for concurrent use.
type writer struct {
	db      *sql.DB
	conn    *sql.Conn
	stmts   map[string]driver.Stmt // by their text
	inserts map[insert]string      // their texts
	args    []driver.NamedValue    // of the statement that is carried out
}

// An insert puts so many rows at once into a table; head is the statement up
// to its first row.
type insert struct {
	head string
	rows int
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
	return &writer{db: db, conn: conn, stmts: map[string]driver.Stmt{}, inserts: map[insert]string{}}, nil
}

func (w *writer) close() error {
	for _, stmt := range w.stmts {
		stmt.Close()
	}
	return errors.Join(w.conn.Close(), w.db.Close())
}

// exec returns how many rows the statement changed. Its arguments are what the
// driver takes, text, int64, bool or nil: to let database/sql convert others
// costs a tenth of a save.
func (w *writer) exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	w.args = w.args[:0]
	for i, arg := range args {
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: arg})
	}
	err = w.conn.Raw(func(conn any) error {
		stmt, known := w.stmts[query]
		if !known {
			prepared, err := conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
			if err != nil {
				return err
			}
			stmt, w.stmts[query] = prepared, prepared
		}
		result, err := stmt.(driver.StmtExecContext).ExecContext(ctx, w.args)
		if err != nil {
			return err
		}
		rows, err = result.RowsAffected()
		return err
	})
	return rows, err
}

// insert inserts rows, each of so many values; head is the statement up to
// its first row, tail what follows the last.
func (w *writer) insert(ctx context.Context, head string, columns int, tail string, values []any) error {
	for len(values) > 0 {
		// Powers of two: few statements serve any number of rows.
		rows := min(1<<(bits.Len(uint(len(values)/columns))-1), rowsAtOnce)
		query, known := w.inserts[insert{head, rows}]
		if !known {
			row := "(" + strings.Repeat("?, ", columns-1) + "?)"
			query = head + strings.Repeat(row+", ", rows-1) + row + tail
			w.inserts[insert{head, rows}] = query
		}
		if _, err := w.exec(ctx, query, values[:rows*columns]...); err != nil {
			return err
		}
		values = values[rows*columns:]
	}
	return nil
}

// find scans the one row that the query finds; false: there is none.
func (w *writer) find(ctx context.Context, query string, to any, args ...any) (bool, error) {
	err := w.conn.QueryRowContext(ctx, query, args...).Scan(to)
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
