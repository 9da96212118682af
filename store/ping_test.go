package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lectern-room/lectern/room"
)

// fill leaves the store no room for another page.
func (s *SQLite) fill(t *testing.T) {
	t.Helper()
	s.limit(t, 1)
}

// limit bounds the pages, at least by what there is.
func (s *SQLite) limit(t *testing.T, pages int) {
	t.Helper()
	defer s.hold()()
	if _, err := s.writer.exec(t.Context(), fmt.Sprint(`PRAGMA max_page_count = `, pages)); err != nil {
		t.Fatal(err)
	}
}

// vast returns a step that needs new pages.
func vast() room.Step { return opening(strings.Repeat("Optics", 10_000)) }

// TestPingFullDisk: a store that cannot be written is not well, and is as soon
// as it can.
func TestPingFullDisk(t *testing.T) {
	s := open(t)
	s.fill(t)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatalf("before any write: %v", err)
	}
	if err := s.Save(t.Context(), vast()); err == nil {
		t.Fatal("a full disk took a room")
	}
	if s.Ping(t.Context()) == nil {
		t.Error("the store is well after a save that found the disk full")
	}
	s.limit(t, 1<<30)
	if err := s.Save(t.Context(), vast()); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("after a save: %v", err)
	}

	s.fill(t)
	if _, err := s.Beat(t.Context(), room.InstanceID(strings.Repeat("i", 100_000))); err == nil {
		t.Fatal("a full disk took a beat")
	}
	if s.Ping(t.Context()) == nil {
		t.Error("the store is well after a beat that found the disk full")
	}
	s.limit(t, 1<<30)
	if _, err := s.Beat(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("after a beat: %v", err)
	}
}

// TestPingRefused: a step that the store refuses says nothing of the store,
// for well or ill.
func TestPingRefused(t *testing.T) {
	s := open(t)
	first := opening("Optics")
	first.Claim = names("a")
	if err := s.Save(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	stale, claimed, overfilled := opening("Waves"), opening("Waves"), opening("Waves")
	stale.Room.Version, stale.Entry.Version = 7, 7
	claimed.Claim = names("a")
	overfilled.Room.Taken = 99
	refuse := func() {
		t.Helper()
		for _, step := range []room.Step{stale, claimed, overfilled} {
			if s.Save(t.Context(), step) == nil {
				t.Fatal("a step was saved that must not be")
			}
		}
	}

	refuse()
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("after steps that were refused: %v", err)
	}
	full := errors.New("full")
	s.wrote(full)
	refuse()
	if err := s.Ping(t.Context()); !errors.Is(err, full) {
		t.Errorf("after steps that were refused on a full disk: %v", err)
	}
}
