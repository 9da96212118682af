package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lectern-room/lectern/hub"
	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
)

const (
	// lookFirst and lookEvery are the pauses between two looks at a store that
	// is waited for: it is found within a second of its coming.
	lookFirst = 100 * time.Millisecond
	lookEvery = time.Second
	// lookTakesAtMost is as long as a caller would wait for the store.
	lookTakesAtMost = 2 * time.Second
	// sayEvery is how often it is said that the store is still waited for.
	sayEvery = 10 * time.Second
)

// rooms keep all that is known of rooms.
type rooms interface {
	room.Store
	hub.Archive
	io.Closer
	// Migrate brings the schema up to this program's.
	Migrate(ctx context.Context) error
	// Pending returns the names of the migrations that Migrate would carry out.
	Pending(ctx context.Context) ([]string, error)
	// InUse returns how many connections to the store are in use.
	InUse() int
	// Erase takes a person's id and name out of all closed rooms. If it fails,
	// what it has done so far stays.
	Erase(ctx context.Context, user room.UserID) (room.Erasure, error)
	// Prune deletes rooms that were closed before the given time, at most
	// limit, and returns how many.
	Prune(ctx context.Context, closedBefore time.Time, limit int) (int, error)
}

// A carrier carries commands and entries between instances.
type carrier interface {
	room.Queue
	room.Locker
	room.Bus
}

// openRooms opens what the settings name: Postgres, whose server need not be
// there yet, or the embedded store, which is.
func openRooms(ctx context.Context, c *config, log *slog.Logger) (rooms, error) {
	if c.embedded() {
		embedded, err := store.OpenSQLite(ctx, c.data, log)
		if err != nil {
			return nil, fmt.Errorf("LECTERN_DATA: %w", err)
		}
		return embedded, nil
	}
	postgres, err := store.OpenPostgres(ctx, c.postgres, log)
	if err != nil {
		return nil, fmt.Errorf("LECTERN_POSTGRES_URL: %w", err)
	}
	return postgres, nil
}

// openRedis opens Redis, nil if there is none. Its server need not be there.
func openRedis(c *config, log *slog.Logger) (*store.Redis, error) {
	if c.redis.URL == "" {
		return nil, nil
	}
	redis, err := store.OpenRedis(c.redis, log)
	if err != nil {
		return nil, fmt.Errorf("LECTERN_REDIS_URL: %w", err)
	}
	return redis, nil
}

// start makes the store ready for use, for which it waits, and lets people
// in. It returns nil without that when ctx is done.
func (s *server) start(ctx context.Context) error {
	err := s.await(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	s.started.Store(true)
	return s.greet()
}

// await makes the store ready for use, as soon as it answers.
func (s *server) await(ctx context.Context) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = lookFirst, lookEvery
	var said time.Time
	say := func(err error, _ time.Duration) {
		if time.Since(said) >= sayEvery {
			said = time.Now()
			s.log.WarnContext(ctx, "waiting for the store: it does not answer, or not as it should; lectern doctor says what to mend", "err", err)
		}
	}
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, s.prepare(ctx) },
		backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0), backoff.WithNotify(say))
	if err == nil && !said.IsZero() {
		s.log.InfoContext(ctx, "the store has answered: people are let in")
	}
	return err
}

// prepare makes the store ready for use, if it answers. Where it does, before
// and after, and is not fit, waiting mends nothing, unless only a connection
// broke meanwhile.
func (s *server) prepare(ctx context.Context) error {
	if err := s.ask(ctx); err != nil && !s.embedded() {
		return err
	}
	if err := s.fit(ctx); err != nil {
		if s.embedded() || !broken(err) && s.ask(ctx) == nil {
			return backoff.Permanent(err)
		}
		return err
	}
	return s.registrar.Recover(ctx)
}

// broken tells whether an error is a connection's end rather than what a server
// said.
func broken(err error) bool {
	var network net.Error
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return strings.HasPrefix(said.Code, "57P") // it stops, or starts
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || errors.As(err, &network)
}

// fit checks that the store keeps what it acknowledges, and brings its schema
// up.
func (s *server) fit(ctx context.Context) error {
	if postgres, ok := s.rooms.(*store.Postgres); ok {
		if err := postgres.Check(ctx); err != nil {
			return err
		}
	}
	return s.rooms.Migrate(ctx)
}

// ask returns nil if the store can be asked for something, fit or not.
func (s *server) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTakesAtMost)
	defer cancel()
	_, err := s.rooms.Pending(ctx)
	return err
}
