package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// held has an ended lecture still hold a name.
func held(t *testing.T, s Store, key string, closedAt time.Time) *lecture {
	t.Helper()
	l := begin(t, s, 9)
	step := l.step(l.joinOn("Ann", "a1", "i1"), l.join("Bob"))
	step.Claim = []string{key}
	l.save(step)
	l.now = closedAt
	l.do(closing())
	l.do(correct("Ann", room.StatusLate, ""))
	return l
}

// prune: what is deleted is gone, and the rest untouched.
func prune(t *testing.T, s Store) {
	ctx := t.Context()
	second := held(t, s, "key:2", noon.Add(2*time.Minute))
	first := held(t, s, "key:1", noon.Add(time.Minute))
	third := held(t, s, "key:3", noon.Add(3*time.Minute))
	open := begin(t, s, 9)
	open.do(open.join("Ann"))

	pruned := func(before time.Time, limit, want int) {
		t.Helper()
		if n, err := s.Prune(ctx, before, limit); err != nil || n != want {
			t.Fatalf("%d rooms were deleted, want %d: %v", n, want, err)
		}
	}
	pruned(noon.Add(time.Minute), 9, 0)
	pruned(noon.Add(3*time.Minute), 1, 1)
	gone(t, s, first, "key:1")
	second.check()
	pruned(noon.Add(3*time.Minute), 9, 1)
	gone(t, s, second, "key:2")
	pruned(noon.Add(3*time.Minute), 9, 0)
	third.check()
	open.check()
	if holder, err := s.Holder(ctx, "key:3"); err != nil || holder != third.ID {
		t.Errorf("the holder of the third's name is %q, %v", holder, err)
	}
	pruned(time.Now().Add(time.Hour), 9, 1)
	gone(t, s, third, "key:3")
	open.check()
	open.do(open.join("Bob"))
	open.check()
}

// gone fails unless nothing is left of a room.
func gone(t *testing.T, s Store, l *lecture, key string) {
	t.Helper()
	ctx := t.Context()
	_, _, err := s.Load(ctx, l.ID, noon)
	fails(t, "load", err, room.ErrNotFound)
	_, err = s.History(ctx, l.ID)
	fails(t, "history", err, room.ErrNotFound)
	_, err = s.Holder(ctx, key)
	fails(t, "the holder of its name", err, room.ErrNotFound)
	if entries, err := s.Entries(ctx, l.ID, 0, 9); err != nil || len(entries) > 0 {
		t.Fatalf("%d entries are left: %v", len(entries), err)
	}
	fails(t, "its next version", s.Save(ctx, l.step(correct("Ann", room.StatusAbsent, ""))), room.ErrStale)
}

// pruneTogether: of those who delete at one moment each room is one's.
func pruneTogether(t *testing.T, s Store) {
	const pruners, ended = 4, 20
	for i := range ended {
		held(t, s, fmt.Sprint("key:", i), noon.Add(time.Duration(i)*time.Minute))
	}
	var all sync.WaitGroup
	var rooms atomic.Int64
	for range pruners {
		all.Go(func() {
			for range ended {
				n, err := s.Prune(t.Context(), noon.Add(time.Hour), 3)
				if err != nil {
					t.Error(err)
				}
				rooms.Add(int64(n))
			}
		})
	}
	all.Wait()
	if n := rooms.Load(); n != ended {
		t.Errorf("%d rooms were deleted, want %d", n, ended)
	}
}
