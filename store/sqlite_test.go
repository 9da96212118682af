package store_test

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/lectern-room/lectern/room"
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

// TestRestart: whoever had the folder before is dead to those who come.
func TestRestart(t *testing.T) {
	folder := t.TempDir()
	s := openSQLite(t, folder)
	h := openHall(t, s)
	h.save(t, h.joins(2)) // on the instance "instance"
	last, err := s.Beat(t.Context(), "instance")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSQLite(t, folder)
	want := []room.Orphan{{Room: h.room.ID, Instance: "instance", BeatAt: last.Now}}
	if orphans, err := s.Orphans(t.Context()); err != nil || !slices.Equal(orphans, want) {
		t.Errorf("the orphans are %v, want %v: %v", orphans, want, err)
	}
	if pulse, err := s.Beat(t.Context(), "another"); err != nil || pulse.Dead || pulse.Living != 1 {
		t.Errorf("the first beat after a restart: %+v, %v", pulse, err)
	}
}

func TestLocal(t *testing.T) {
	storetest.RunShared(t, func(*testing.T) [2]storetest.Shared {
		l := new(store.Local)
		return [2]storetest.Shared{l, l}
	})
}
