package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

func open(t *testing.T) *SQLite {
	t.Helper()
	s, err := OpenSQLite(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// opening returns the first step of a room.
func opening(title string) room.Step {
	r := &room.Room{Header: room.Header{ID: room.NewID(time.Now())}}
	seats := 10
	step := r.Batch([]room.Command{{
		Type: room.CommandOpen, By: room.Caller{User: "lecturer", Name: "Kim", Role: room.Instructor},
		Change: &room.Change{Title: &title, Capacity: &seats, Code: room.NewCode()},
	}}, time.Now())
	step.Entry.Batch = room.NewToken()
	return step
}

// hold keeps the writer busy until the function it returns is called.
func (s *SQLite) hold() (release func()) {
	s.turn <- struct{}{}
	return sync.OnceFunc(func() { <-s.turn })
}

// await waits until so many steps wait to be saved.
func (s *SQLite) await(t *testing.T, steps int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		s.mu.Lock()
		n := len(s.waiting)
		s.mu.Unlock()
		if n == steps {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%d steps wait, want %d", n, steps)
		case <-time.After(time.Millisecond):
		}
	}
}

// TestGroup saves steps that are certain to share one commit: what fails in it
// fails alone.
func TestGroup(t *testing.T) {
	s := open(t)
	steps := make([]room.Step, 8)
	for i := range steps {
		steps[i] = opening(fmt.Sprint("Lecture ", i))
	}
	steps[2].Room.Taken = 99                                     // more than its seats
	steps[3].Claim, steps[4].Claim = names("a"), names("b", "a") // one of them gets it
	steps[5].Entry.Version, steps[5].Room.Version = 7, 7         // of a room that is not open

	release := s.hold()
	defer release()
	outcomes := make([]chan error, len(steps))
	for i, step := range steps {
		outcomes[i] = make(chan error, 1)
		go func() { outcomes[i] <- s.Save(t.Context(), step) }()
		s.await(t, i+1)
	}
	release()

	var claimed *room.Claimed
	for i, outcome := range outcomes {
		err := <-outcome
		switch i {
		case 2:
			if err == nil || errors.Is(err, room.ErrUnknown) || !strings.Contains(err.Error(), "CHECK") {
				t.Errorf("an overfilled room: %v", err)
			}
		case 4:
			if !errors.As(err, &claimed) || claimed.Holder != steps[3].Room.ID {
				t.Errorf("a name that is taken: %v", err)
			}
		case 5:
			if !errors.Is(err, room.ErrStale) {
				t.Errorf("a room that is not open: %v", err)
			}
		default:
			if err != nil {
				t.Errorf("step %d: %v", i, err)
			}
		}
	}
	if _, err := s.Holder(t.Context(), "b"); !errors.Is(err, room.ErrNotFound) {
		t.Errorf("a name of a step that was not saved: %v", err)
	}
	saved, err := s.Rooms(t.Context(), "lecturer", "", 100)
	if err != nil || len(saved) != 5 {
		t.Errorf("%d rooms are saved, want 5: %v", len(saved), err)
	}
}

func names(names ...string) []string { return names }

// TestGroupIsBounded: steps beyond a group are saved by the next.
func TestGroupIsBounded(t *testing.T) {
	s := open(t)
	s.waiting = make([]*saving, 0, 3)
	for range 3 {
		big := opening("Optics")
		big.People = make([]*room.Person, groupRows-1)
		s.waiting = append(s.waiting, &saving{step: big})
	}
	for left := 2; left >= 0; left-- {
		if group := s.group(); len(group) != 1 || len(s.waiting) != left {
			t.Fatalf("a group of %d, %d wait", len(group), len(s.waiting))
		}
	}
}

// TestLine: a group is bounded, and no room is in two at a time.
func TestLine(t *testing.T) {
	l := line{most: 2, busy: map[room.ID]bool{}}
	wait := func(id room.ID, people int) bool {
		return l.enter(&saving{step: room.Step{Room: room.Header{ID: id}, People: make([]*room.Person, people)}})
	}
	group := func(want ...room.ID) {
		t.Helper()
		var got []room.ID
		for _, w := range l.group() {
			got = append(got, w.step.Room.ID)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("the group is %v, want %v", got, want)
		}
	}
	if !wait("a", 0) || !wait("a", 1) {
		t.Fatal("nobody saves what may be saved")
	}
	if wait("b", groupRows) || wait("c", 0) {
		t.Fatal("more groups are saved at a time than may be")
	}
	group("a", "b")
	group("c")
	group()
	if l.flying != 1 {
		t.Fatalf("%d save groups, of whom one has found none", l.flying)
	}
	if !l.leave("a") || l.leave("b") {
		t.Fatal("it is the first room's turn again")
	}
	group("a")
	group()
	group()
	if l.flying != 0 || len(l.waiting) != 0 {
		t.Fatalf("%d save groups, %d wait", l.flying, len(l.waiting))
	}
}

// TestSaveGivesUp: whoever stops waiting is told that it cannot be told, and
// the step is not saved behind their back.
func TestSaveGivesUp(t *testing.T) {
	s := open(t)
	step := opening("Optics")
	release := s.hold()
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	outcome := make(chan error, 1)
	go func() { outcome <- s.Save(ctx, step) }()
	s.await(t, 1)
	cancel()
	if err := <-outcome; !errors.Is(err, room.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("a save that nobody waits for: %v", err)
	}
	s.await(t, 0)
	release()

	if err := s.Save(t.Context(), opening("Waves")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load(t.Context(), step.Room.ID, time.Time{}); !errors.Is(err, room.ErrNotFound) {
		t.Errorf("the step was saved: %v", err)
	}
}

// TestCommitFails: where the commit itself fails nobody can tell what became
// of the group, and saving it again tells.
func TestCommitFails(t *testing.T) {
	s := open(t)
	step := opening("Optics")
	err := s.writer.transaction(t.Context(), func() error {
		if outcome, fatal := s.writer.try(t.Context(), &step); outcome != nil || fatal != nil {
			t.Fatal(outcome, fatal)
		}
		_, err := s.writer.exec(t.Context(), `ROLLBACK`) // as SQLite does by itself on a full disk
		return err
	})
	if !errors.Is(err, room.ErrUnknown) {
		t.Errorf("a commit that fails: %v", err)
	}
	for range 2 {
		if err := s.Save(t.Context(), step); err != nil {
			t.Errorf("the same step again: %v", err)
		}
	}
}

// TestLogKeepsNoNames: who is erased from the people is erased.
func TestLogKeepsNoNames(t *testing.T) {
	s := open(t)
	if err := s.Save(t.Context(), opening("Optics")); err != nil {
		t.Fatal(err)
	}
	var events, answers string
	if err := s.db.QueryRow(`SELECT events, answers FROM room_log`).Scan(&events, &answers); err != nil {
		t.Fatal(err)
	}
	if text := events + answers; strings.Contains(text, "Kim") || !strings.Contains(text, "lecturer") {
		t.Errorf("the log holds %s", text)
	}
}
