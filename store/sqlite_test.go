package store_test

import (
	"log/slog"
	"testing"

	"github.com/lectern-room/lectern/store"
	"github.com/lectern-room/lectern/store/storetest"
)

func openSQLite(t testing.TB, folder string) *store.SQLite {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), folder, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (storetest.Store, func() storetest.Store) {
		folder := t.TempDir()
		s := openSQLite(t, folder)
		return s, func() storetest.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return openSQLite(t, folder)
		}
	})
}

func TestLocal(t *testing.T) {
	storetest.RunShared(t, func(*testing.T) [2]storetest.Shared {
		l := new(store.Local)
		return [2]storetest.Shared{l, l}
	})
}
