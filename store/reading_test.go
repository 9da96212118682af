package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// Who only reads sees what a server has saved, while that has the folder, and
// changes nothing.
func TestReading(t *testing.T) {
	s := open(t)
	step := opening("Physics 1")
	if err := s.Save(t.Context(), step); err != nil {
		t.Fatal(err)
	}
	r, err := ReadSQLite(t.Context(), s.folder)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if found, _, err := r.Load(t.Context(), step.Room.ID, time.Time{}); err != nil || found.Title != "Physics 1" {
		t.Errorf("read %+v, %v", found, err)
	}
	if pending, err := r.Pending(t.Context()); err != nil || len(pending) > 0 {
		t.Errorf("migrations to do: %q, %v", pending, err)
	}
	if _, err := r.db.ExecContext(t.Context(), `DELETE FROM room`); err == nil {
		t.Error("it can write")
	}
	if err := s.Save(t.Context(), opening("Physics 2")); err != nil {
		t.Errorf("the server beside it: %v", err)
	}
	theirs, _ := s.Now(t.Context())
	if ours, err := r.Now(t.Context()); err != nil || ours.Sub(theirs).Abs() > time.Minute {
		t.Errorf("the time is %v, the server's %v: %v", ours, theirs, err)
	}
}

// The time of a store whose machine was set back goes on from its last beat.
func TestReadingClock(t *testing.T) {
	folder := t.TempDir()
	future := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Millisecond)
	m := &machine{T: t, folder: folder, wall: future}
	s := m.open()
	m.beats(s, future)
	r, err := ReadSQLite(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if now, err := r.Now(t.Context()); err != nil || now.Before(future) {
		t.Errorf("the time is %v, and %v was before: %v", now, future, err)
	}
}

func TestReadingNothing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "none")
	if _, err := ReadSQLite(t.Context(), folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no folder: %v", err)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("the folder was made")
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, database), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := ReadSQLite(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if pending, err := r.Pending(t.Context()); err != nil || len(pending) == 0 {
		t.Errorf("of an empty store: migrations %q, %v", pending, err)
	}
	if _, err := r.Holder(t.Context(), room.CodeClaim("00000000")); err == nil {
		t.Error("an empty store answered")
	}
}
