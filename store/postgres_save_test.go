package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
)

// TestLockedRoom: a room that somebody locks holds up no other.
func TestLockedRoom(t *testing.T) {
	address := fresh(t)
	stores := []*store.Postgres{openPostgres(t, address), openPostgres(t, address)} // two instances
	halls := make([]*hall, 20)
	for i := range halls {
		halls[i] = openHall(t, stores[i%2])
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM room WHERE id = $1 FOR UPDATE`, halls[0].room.ID); err != nil {
		t.Fatal(err)
	}

	var others, locked sync.WaitGroup
	var free atomic.Bool
	locked.Go(func() {
		halls[0].again(t, halls[0].joins(1))
		if !free.Load() {
			t.Error("a room was saved that somebody had locked")
		}
	})
	for saver := range 8 {
		others.Go(func() {
			for i := 1 + saver; i < len(halls); i += 8 {
				for range 5 {
					halls[i].again(t, halls[i].joins(1))
				}
			}
		})
	}
	began := time.Now()
	others.Wait()
	t.Logf("the others took %v", time.Since(began))
	free.Store(true)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	locked.Wait()
	for _, h := range halls {
		h.holds(t)
	}
}

// TestFewConnections: nobody waits for a connection while holding one.
func TestFewConnections(t *testing.T) {
	address := fresh(t)
	openPostgres(t, address)
	few := store.PostgresConfig{URL: address, Connections: store.LeastConnections}
	s, err := store.OpenPostgres(t.Context(), few, discard)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			h := openHall(t, s)
			h.again(t, h.joins(2))
			step := h.joins(1)
			err := s.SaveNext(t.Context(), h.room.ID, 0, func(missed []room.Entry) (room.Step, bool) { return step, len(missed) == 2 })
			if err != nil {
				t.Error(err)
			}
			h.room.Apply(step.Entry)
			if _, err := s.Beat(t.Context(), "i1"); err != nil {
				t.Error(err)
			}
			h.holds(t)
		})
	}
	all.Wait()
	if n := s.InUse(); n != 0 {
		t.Errorf("%d connections are in use", n)
	}
	few.Connections--
	if _, err := store.OpenPostgres(t.Context(), few, discard); err == nil {
		t.Errorf("a store with %d connections opens", few.Connections)
	}
}

// TestPostgresSaveGivesUp: whoever stops waiting is told that it cannot be
// told, and finds out by saving again.
func TestPostgresSaveGivesUp(t *testing.T) {
	s := openPostgres(t, fresh(t))
	h := openHall(t, s)
	for i := range 20 {
		step := h.joins(1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Duration(i) * 50 * time.Microsecond)
			cancel()
		}()
		if err := s.Save(ctx, step); err != nil && !errors.Is(err, room.ErrUnknown) {
			t.Errorf("a save that nobody waits for: %v", err)
		}
		h.again(t, step)
	}
	h.holds(t)
}

// TestPostgresFullHall: a step that changes a whole hall has longer than
// others, for as long as it lasts, whichever way it is saved.
func TestPostgresFullHall(t *testing.T) {
	address := fresh(t)
	h := openHall(t, openPostgres(t, address))
	for _, statement := range []string{
		`CREATE TABLE seen (id bigserial, allowed text)`,
		`CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN INSERT INTO seen (allowed) VALUES (current_setting(''statement_timeout'')); RETURN NULL; END'`,
		`CREATE TRIGGER see AFTER INSERT ON room_log FOR EACH STATEMENT EXECUTE FUNCTION see()`,
	} {
		alter(t, address, statement)
	}
	next := func(step room.Step) {
		t.Helper()
		err := h.store.SaveNext(t.Context(), h.room.ID, h.room.Version, func([]room.Entry) (room.Step, bool) { return step, true })
		if err != nil {
			t.Fatal(err)
		}
		h.room.Apply(step.Entry)
	}
	h.save(t, h.joins(1))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	last := h.joins(4_096 + 20)
	if err := h.store.Save(gone, last); err != nil {
		t.Errorf("a step that takes long is not waited for: %v", err)
	}
	h.room.Apply(last.Entry)
	next(h.joins(4_096 + 30))
	next(h.joins(1))
	h.save(t, h.joins(1))
	h.holds(t)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var allowed []string
	err = conn.QueryRow(t.Context(), `SELECT array_agg(allowed ORDER BY id) FROM seen`).Scan(&allowed)
	if want := []string{"2s", "2006ms", "2009ms", "2s", "2s"}; err != nil || !slices.Equal(allowed, want) {
		t.Errorf("allowed %v, want %v, error %v", allowed, want, err)
	}
}
