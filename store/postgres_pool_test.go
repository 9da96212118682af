package store_test

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lectern-room/lectern/store"
)

// A watch looks at a store's connections, on one of its own.
type watch struct {
	testing.TB
	*pgx.Conn
}

func watching(tb testing.TB, address string) *watch {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close(context.Background()) })
	return &watch{tb, conn}
}

// connections returns the processes at the other end of the store's.
func (w *watch) connections() []int {
	w.Helper()
	rows, err := w.Query(w.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lectern'`)
	if err != nil {
		w.Fatal(err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		w.Fatal(err)
	}
	return pids
}

// locked calls f while nobody else can use the table of instances.
func (w *watch) locked(f func()) {
	w.Helper()
	tx, err := w.Begin(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	defer tx.Rollback(w.Context())
	if _, err := tx.Exec(w.Context(), `LOCK TABLE instance`); err != nil {
		w.Fatal(err)
	}
	f()
}

// fill has the store open ten connections and returns them.
func (w *watch) fill(s *store.Postgres) []int {
	w.Helper()
	var all sync.WaitGroup
	w.locked(func() {
		for range 10 {
			all.Go(func() { s.Ping(w.Context()) })
		}
		for deadline := time.Now().Add(30 * time.Second); s.InUse() < 10 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	})
	all.Wait()
	open := w.connections()
	if len(open) < 10 {
		w.Fatalf("%d connections are open, want 10", len(open))
	}
	return open
}

// TestSlowBeat: that a beat is not answered in time costs its connection, and
// no other.
func TestSlowBeat(t *testing.T) {
	address := fresh(t)
	s := openPostgres(t, address)
	w := watching(t, address)
	before := w.fill(s)
	w.locked(func() {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := s.Beat(ctx, "i1"); err == nil {
			t.Error("a beat got through")
		}
	})
	kept := slices.DeleteFunc(w.connections(), func(pid int) bool { return !slices.Contains(before, pid) })
	if len(kept) < len(before)-1 {
		t.Errorf("of %d connections %d are left", len(before), len(kept))
	}
}

// TestDeadConnections: where all connections lead nowhere, one save finds out
// for all.
func TestDeadConnections(t *testing.T) {
	address := fresh(t)
	s := openPostgres(t, address)
	h := openHall(t, s)
	for _, pid := range watching(t, address).fill(s) {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		defer syscall.Kill(pid, syscall.SIGCONT)
	}
	if tries := h.again(t, h.joins(1)); tries != 2 {
		t.Errorf("a save took %d tries, want 2", tries)
	}
	h.holds(t)
}
