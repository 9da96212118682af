package store_test

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/store"
	"github.com/lectern-room/lectern/store/servers"
	"github.com/lectern-room/lectern/store/storetest"
)

// A sharedServer is started by the first test that needs it, and removed at
// the end.
type sharedServer struct {
	once   sync.Once
	server *servers.Postgres
	err    error
}

// sharedPostgres is for all tests that do it no harm; see TestMain.
var sharedPostgres sharedServer

func (s *sharedServer) start() (*servers.Postgres, error) {
	s.once.Do(func() { s.server, s.err = servers.StartPostgres() })
	return s.server, s.err
}

func (s *sharedServer) remove() {
	if s.server != nil {
		s.server.Remove()
	}
}

// fresh returns the address of an empty database on the shared server.
func fresh(tb testing.TB, settings ...string) string {
	tb.Helper()
	address, err := postgres(tb).Fresh(tb.Context(), settings...)
	if err != nil {
		tb.Fatal(err)
	}
	return address
}

func postgres(tb testing.TB) *servers.Postgres {
	tb.Helper()
	return started[*servers.Postgres](tb)(sharedPostgres.start())
}

// started fails the test if a server could not be started; where it is not
// installed there is nothing to test.
func started[T any](tb testing.TB) func(T, error) T {
	return func(server T, err error) T {
		tb.Helper()
		if errors.Is(err, servers.ErrNotInstalled) {
			tb.Skip(err)
		}
		if err != nil {
			tb.Fatal(err)
		}
		return server
	}
}

func openPostgres(tb testing.TB, address string) *store.Postgres {
	tb.Helper()
	s := newPostgres(tb, address)
	if err := s.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// newPostgres opens a database without a look at it.
func newPostgres(tb testing.TB, address string) *store.Postgres {
	tb.Helper()
	s, err := store.OpenPostgres(tb.Context(), store.PostgresConfig{URL: address, Connections: 16}, discard)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

var discard = slog.New(slog.DiscardHandler)

// TestPostgresForgotten: see the promise.
func TestPostgresForgotten(t *testing.T) {
	address := fresh(t)
	storetest.Forgotten(t, openPostgres(t, address), func(d time.Duration) {
		alter(t, address, fmt.Sprint(`UPDATE instance SET dead_at = dead_at - `, d.Milliseconds()))
	})
}

func TestPostgres(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (storetest.Store, func() storetest.Store) {
		address := fresh(t)
		return openPostgres(t, address), func() storetest.Store { return openPostgres(t, address) }
	})
}
