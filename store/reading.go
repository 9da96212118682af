package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
)

// A Reading is an embedded store that is only read, while a server has its
// folder or not.
type Reading struct {
	reader
	clock clock
}

// ReadSQLite opens the store in the given folder to be read. It returns
// fs.ErrNotExist if there is none.
func ReadSQLite(ctx context.Context, folder string) (*Reading, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("open the data folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(folder, database)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fs.ErrNotExist
		}
		return nil, fmt.Errorf("look for a store in %s: %w", folder, err)
	}
	db, err := sql.Open("sqlite", (&SQLite{folder: folder}).address("query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", folder, err)
	}
	r := &Reading{
		reader: reader{db: db, snapshot: sql.TxOptions{ReadOnly: true}, elements: "json_each"},
		clock:  clock{wall: time.Now, steady: steady()},
	}
	last, err := lastBeat(ctx, db)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", folder, err), db.Close())
	}
	r.clock.set(last)
	return r, nil
}

// Now returns the store's time, as far as it can be told from beside.
func (r *Reading) Now(context.Context) (time.Time, error) { return r.clock.now(), nil }

// Pending returns the names of the migrations that the store lacks.
func (r *Reading) Pending(ctx context.Context) ([]string, error) {
	provider, err := newProvider(goose.DialectSQLite3, r.db)
	if err != nil {
		return nil, err
	}
	var tables int
	err = r.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table'`).Scan(&tables)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	if tables > 0 {
		return pendingIn(ctx, provider)
	}
	var all []string // nothing was ever migrated here, and nothing can be noted down
	for _, source := range provider.ListSources() {
		all = append(all, source.Path)
	}
	return all, nil
}

// Close ends the reading.
func (r *Reading) Close() error { return r.db.Close() }
