// Package store keeps rooms and carries what is said about them between
// Registrars: SQLite is the room.Store of an instance that works alone, Local
// its room.Queue, room.Locker and room.Bus; Postgres and Redis are those of
// instances that share rooms. What every implementation promises is a test in
// storetest.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/lectern-room/lectern/room"
)

var _ room.Store = (*SQLite)(nil)

// readers is how many reads may run at once: enough that a slow export does
// not hold up a join, few enough to share the memory of a small machine.
const readers = 4

// database is the file's name in the folder.
const database = "lectern.db"

// SQLite is a room.Store in one folder, which no other SQLite can open at the
// same time. What it has answered survives the loss of the process and of the
// machine's power. Call Migrate before anything else.
type SQLite struct {
	reader

	folder string
	log    *slog.Logger
	lock   *os.File
	clock  clock

	turn   chan struct{} // holds one token while writer is in use
	writer *writer       // owned by whoever put the token into turn

	mu      sync.Mutex
	waiting []*saving // guarded by mu; in order of arrival

	last lastWrite
}

// OpenSQLite opens the store in the given folder and makes the folder if there
// is none. It fails if another process has it open.
func OpenSQLite(ctx context.Context, folder string, log *slog.Logger) (*SQLite, error) {
	return openSQLite(ctx, folder, log, clock{wall: time.Now, steady: steady()})
}

func openSQLite(ctx context.Context, folder string, log *slog.Logger, clock clock) (*SQLite, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("open the data folder: %w", err)
	}
	lock, err := lockFolder(folder)
	if err != nil {
		return nil, err
	}
	s := &SQLite{
		reader: reader{snapshot: sql.TxOptions{ReadOnly: true}, elements: "json_each", position: "instr"},
		folder: folder, log: log, lock: lock, clock: clock, turn: make(chan struct{}, 1),
	}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("open the store in %s: %w", folder, err)
	}
	return s, nil
}

// InUse returns how many connections for reading are in use.
func (s *SQLite) InUse() int { return s.db.Stats().InUse }

func (s *SQLite) open(ctx context.Context) error {
	err := keepPrivate(filepath.Join(s.folder, database))
	if err != nil {
		return err
	}
	if s.writer, err = openWriter(ctx, s.address()); err != nil {
		return err
	}
	if s.db, err = sql.Open("sqlite", s.address("query_only(1)")); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(readers)
	s.db.SetMaxIdleConns(readers)
	last, err := lastBeat(ctx, s.db)
	if err != nil {
		return err
	}
	if ahead := s.clock.set(last); ahead > 0 {
		s.log.WarnContext(ctx, "the machine's clock was set back: the store's time goes on from the last beat", "beat_at", last, "ahead", ahead)
	}
	return nil
}

// address returns the data source name.
func (s *SQLite) address(pragmas ...string) string {
	pragmas = append(pragmas,
		"busy_timeout(5000)", // ms: longer than any other process looks at the file
		"journal_mode(WAL)",
		"synchronous(FULL)",        // in WAL mode nothing less waits for the disk at every commit
		"temp_store(MEMORY)",       // what undoes one step of a group
		"cache_size(-8192)",        // KiB: the indexes of a day's rooms; a commit may look through all of it
		"wal_autocheckpoint(4096)", // pages: 16 MiB, so that a page that many joins touch is copied once
	)
	return (&url.URL{
		Scheme:   "file",
		Path:     filepath.Join(s.folder, database),
		RawQuery: url.Values{"_pragma": pragmas}.Encode(),
	}).String()
}

// Close ends the store once the save in progress is done, and frees the
// folder.
func (s *SQLite) Close() error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// Ping tells whether the store can be read and took what was last written.
func (s *SQLite) Ping(ctx context.Context) error {
	var n int
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM instance`).Scan(&n); err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	return s.last.failure()
}

// Migrate brings the schema up to this program's, and marks every instance
// dead: the folder is locked, so that whoever had it before is gone.
func (s *SQLite) Migrate(ctx context.Context) error {
	err := s.schema(func(p *goose.Provider) error { return migrateUp(ctx, p, s.log) })
	if err != nil {
		return err
	}
	_, err = s.Bury(ctx, "", 0)
	return err
}

// Pending returns the names of the migrations that Migrate would carry out.
func (s *SQLite) Pending(ctx context.Context) (pending []string, err error) {
	err = s.schema(func(p *goose.Provider) (err error) {
		pending, err = pendingIn(ctx, p)
		return err
	})
	return pending, err
}

// schema calls f on a connection of its own.
func (s *SQLite) schema(f func(*goose.Provider) error) error {
	db, err := sql.Open("sqlite", s.address())
	if err != nil {
		return fmt.Errorf("migrate %s: %w", s.folder, err)
	}
	defer db.Close()
	provider, err := newProvider(goose.DialectSQLite3, db)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", s.folder, err)
	}
	if err := f(provider); err != nil {
		return fmt.Errorf("migrate %s: %w", s.folder, err)
	}
	return nil
}
