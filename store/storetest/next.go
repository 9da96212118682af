package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// saveNext: whoever saves so is told what they missed.
func saveNext(t *testing.T, s Store) {
	l := begin(t, s, 9)
	l.do(l.joinOn("Ann", "a1", "i1"))
	l.do(l.join("Bob"), leave("Ann"))
	for after := range l.Version + 1 {
		calls := 0
		err := s.SaveNext(t.Context(), l.ID, after, func(missed []room.Entry) (room.Step, bool) {
			calls++
			same(t, fmt.Sprint("missed after ", after), append([]room.Entry{}, missed...), append([]room.Entry{}, l.log[after:]...))
			return room.Step{}, false
		})
		if err != nil || calls != 1 {
			t.Fatalf("after %d next was called %d times: %v", after, calls, err)
		}
		l.check()
	}

	step := l.step(l.join("Cleo"), leave("Bob"), l.join("Dan"))
	step.Claim = []string{"code:X"}
	next := func(step room.Step) func([]room.Entry) (room.Step, bool) {
		return func([]room.Entry) (room.Step, bool) { return step, true }
	}
	if err := s.SaveNext(t.Context(), l.ID, l.Version, next(step)); err != nil {
		t.Fatal(err)
	}
	l.Apply(step.Entry)
	l.log = append(l.log, step.Entry)
	l.check()
	if err := s.SaveNext(t.Context(), l.ID, l.Version, next(step)); err != nil {
		t.Fatalf("the same step again: %v", err)
	}

	other := begin(t, s, 9)
	taken := other.step(other.join("Ann"))
	taken.Claim = []string{"code:Y", "code:X"}
	var claimed *room.Claimed
	if err := s.SaveNext(t.Context(), other.ID, 0, next(taken)); !errors.As(err, &claimed) || *claimed != (room.Claimed{Key: "code:X", Holder: l.ID}) {
		t.Fatalf("a name that is taken: %v", err)
	}
	other.check()
	overfilled := other.step(other.join("Ann"))
	overfilled.Room.Taken = 99
	if err := s.SaveNext(t.Context(), other.ID, 0, next(overfilled)); err == nil || errors.Is(err, room.ErrUnknown) || errors.Is(err, room.ErrStale) {
		t.Fatalf("a room that is overfilled: %v", err)
	}
	other.check()
	never := func([]room.Entry) (room.Step, bool) {
		t.Error("there is nothing to decide")
		return room.Step{}, false
	}
	fails(t, "a room that is not open", s.SaveNext(t.Context(), "nowhere", 0, never), room.ErrStale)
	fails(t, "a room of which the store has less", s.SaveNext(t.Context(), l.ID, l.Version+1, never), room.ErrStale)
}

// concurrentNext: those who save so all get their turn, beside others who are
// told that they come too late.
func concurrentNext(t *testing.T, s Store) {
	const savers, turns = 4, 10
	l := begin(t, s, 1000)
	var all sync.WaitGroup
	for i := range savers {
		all.Go(func() {
			mine := lecture{TB: t, store: s, Room: new(room.Room), now: noon}
			for turn := range turns {
				err := s.SaveNext(t.Context(), l.ID, mine.Version, func(missed []room.Entry) (room.Step, bool) {
					for _, e := range missed {
						mine.Apply(e)
					}
					step := mine.step(mine.join(fmt.Sprint("S", i, "-", turn)))
					mine.Apply(step.Entry)
					return step, true
				})
				if err != nil {
					t.Errorf("turn %d of %d: %v", turn, i, err)
				}
			}
		})
		all.Go(func() {
			for turn := range turns {
				r, _, err := s.Load(t.Context(), l.ID, noon)
				if err != nil {
					t.Error(err)
					return
				}
				mine := lecture{TB: t, store: s, Room: r, now: noon}
				if err := s.Save(t.Context(), mine.step(mine.join(fmt.Sprint("L", i, "-", turn)))); err != nil && !errors.Is(err, room.ErrStale) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r, log, err := s.Load(t.Context(), l.ID, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Taken != len(log)-1 || r.Taken < savers*turns {
		t.Errorf("%d are seated after %d entries, want at least %d", r.Taken, len(log), savers*turns)
	}
}

// groupedRooms: of the steps of many rooms that wait at one moment each gets
// what it would get alone.
func groupedRooms(t *testing.T, s Store) {
	const rounds = 5
	lectures := make([]*lecture, 40)
	for i := range lectures {
		lectures[i] = begin(t, s, 100)
	}
	for round := range rounds {
		var all sync.WaitGroup
		for i, l := range lectures {
			good := l.step(l.joinOn(fmt.Sprint("S", round), room.SessionID(fmt.Sprint("s", round)), "i1"))
			late := l.step()
			late.Entry.Version, late.Room.Version = l.Version, l.Version
			overfilled := l.step(l.join("Eve"))
			overfilled.Room.Taken = 101
			for kind, step := range [][]room.Step{{good}, {late, good}, {good, good}, {overfilled, good}}[i%4] {
				all.Go(func() {
					err := s.Save(t.Context(), step)
					switch wrong := (i%4 == 1 || i%4 == 3) && kind == 0; {
					case wrong && i%4 == 1 && !errors.Is(err, room.ErrStale):
						t.Errorf("a step that comes too late: %v", err)
					case wrong && i%4 == 3 && err == nil:
						t.Error("a room was overfilled")
					case !wrong && err != nil:
						t.Errorf("room %d: %v", i, err)
					}
				})
			}
			l.Apply(good.Entry)
			l.log = append(l.log, good.Entry)
		}
		all.Wait()
	}
	for _, l := range lectures {
		l.check()
		log, err := s.Entries(t.Context(), l.ID, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(log, l.log, func(a, b room.Entry) bool { return a.Batch == b.Batch }) {
			t.Fatalf("%d entries differ from the %d that were saved", len(log), len(l.log))
		}
	}
}
