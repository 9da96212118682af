package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

func compareAndSet(t *testing.T, s Store) {
	l := begin(t, s, 10)
	l.do(l.join("Ann"))

	other := l.step(l.join("Bob"))
	l.do(l.join("Cleo"))
	fails(t, "a version that is taken", s.Save(t.Context(), other), room.ErrStale)

	ahead := l.step(l.join("Dan"))
	ahead.Entry.Version++
	ahead.Room.Version++
	fails(t, "a version that leaves a hole", s.Save(t.Context(), ahead), room.ErrStale)

	never := l.step(l.join("Eve"))
	never.Entry.Room, never.Room.ID = "nowhere", "nowhere"
	fails(t, "a room that is not open", s.Save(t.Context(), never), room.ErrStale)

	first := l.step(l.join("Fay"))
	first.Entry.Version, first.Room.Version = 1, 1
	fails(t, "a room that is open already", s.Save(t.Context(), first), room.ErrStale)
	l.check()
}

func sameBatchTwice(t *testing.T, s Store) {
	l := begin(t, s, 10)
	step := l.step(l.joinOn("Ann", "s1", "i1"))
	l.save(step)
	l.do(l.join("Bob"))
	if err := s.Save(t.Context(), step); err != nil {
		t.Fatalf("the same step again: %v", err)
	}
	step.Entry.Batch = "another"
	fails(t, "the same step in another batch", s.Save(t.Context(), step), room.ErrStale)
	l.check()
}

// seatChanges: one net row a person, and seats that are freed before they are
// given, whatever the order of the people.
func seatChanges(t *testing.T, s Store) {
	l := begin(t, s, 3)
	l.do(l.join("Ann"), l.join("Mia"), l.join("Zoe"))
	l.check()
	l.do(leave("Zoe"), l.join("Bob"), leave("Ann"), l.join("Zara"))
	l.check()
	l.do(leave("Bob"), leave("Mia"), l.join("Mia"), leave("Mia"), l.join("Bob"), l.join("Mia"))
	l.check()
	l.do(leave("Bob"), leave("Mia"), leave("Zara"), l.join("Mia"), l.join("Zara"), l.join("Bob"))
	l.check()
	for range 3 { // everyone moves on by one seat
		seated := l.Roster()
		turn := []room.Command{}
		for _, p := range seated {
			turn = append(turn, leave(p.Name))
		}
		for i := range seated {
			turn = append(turn, l.join(seated[(i+1)%len(seated)].Name))
		}
		l.do(turn...)
		l.check()
	}
	if l.Taken != 3 {
		t.Fatalf("%d of 3 are seated", l.Taken)
	}
}

// storm: a batch of any size is one step.
func storm(t *testing.T, s Store) {
	l := begin(t, s, 1000)
	for i, size := range []int{1, 63, 64, 65, 200} {
		joins := make([]room.Command, size)
		for k := range joins {
			joins[k] = l.joinOn(fmt.Sprintf("S%d-%d", i, k), room.SessionID(room.NewToken()), "i1")
		}
		l.do(joins...)
		l.check()
	}
	l.now = noon.Add(time.Minute)
	l.do(closing())
	l.check()
	h, err := s.History(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, stay := range h.Stays {
		if stay.From != noon || stay.To != l.now {
			t.Fatalf("a stay of %+v", stay)
		}
	}
	if len(h.Stays) != l.Taken || len(h.People) != l.Taken {
		t.Fatalf("%d stays of %d people, want %d", len(h.Stays), len(h.People), l.Taken)
	}
}

// seatPromise: the database itself refuses what no Registrar may decide.
func seatPromise(t *testing.T, s Store) {
	l := begin(t, s, 2)
	l.do(l.join("Ann"))

	twice := l.step(l.join("Bob"))
	bob := *twice.People[0]
	bob.Seat, bob.LastSeat = 1, 1
	twice.People = []*room.Person{&bob}
	if err := s.Save(t.Context(), twice); err == nil {
		t.Error("two people got one seat")
	}
	l.check()

	for name, taken := range map[string]int{"more seated than seats": 3, "less than nobody seated": -1} {
		step := l.step(l.join("Bob"))
		step.Room.Taken = taken
		if err := s.Save(t.Context(), step); err == nil {
			t.Error(name)
		}
		l.check()
	}
	l.do(l.join("Bob"))
	l.check()
}

func claims(t *testing.T, s Store) {
	ctx := t.Context()
	a, b := begin(t, s, 2), begin(t, s, 2)
	_, err := s.Holder(ctx, "code:X")
	fails(t, "a name that nobody holds", err, room.ErrNotFound)

	step := a.step(a.join("Ann"))
	step.Claim = []string{"code:X", "slot:0:kim"}
	a.save(step)
	holder, err := s.Holder(ctx, "code:X")
	if err != nil || holder != a.ID {
		t.Fatalf("the holder is %q, %v", holder, err)
	}

	step = b.step(b.join("Bob"))
	step.Claim = []string{"code:Y", "slot:0:kim"}
	var claimed *room.Claimed
	if err := s.Save(ctx, step); !errors.As(err, &claimed) || *claimed != (room.Claimed{Key: "slot:0:kim", Holder: a.ID}) {
		t.Fatalf("a name that is taken: %v", err)
	}
	b.check()
	_, err = s.Holder(ctx, "code:Y")
	fails(t, "a name of a step that was not saved", err, room.ErrNotFound)

	step = b.step(b.join("Bob"))
	step.Release = []string{"slot:0:kim"} // it is not b's to give up
	b.save(step)
	if holder, err := s.Holder(ctx, "slot:0:kim"); err != nil || holder != a.ID {
		t.Fatalf("after another gave it up the holder is %q, %v", holder, err)
	}
	step = a.step()
	step.Claim, step.Release = []string{"slot:0:kim", "code:Z"}, []string{"code:X"}
	a.save(step)
	step = b.step()
	step.Claim = []string{"code:X"}
	b.save(step)
	for key, want := range map[string]room.ID{"slot:0:kim": a.ID, "code:Z": a.ID, "code:X": b.ID} {
		if holder, err := s.Holder(ctx, key); err != nil || holder != want {
			t.Errorf("%s is held by %q, %v, want %q", key, holder, err, want)
		}
	}
}

func sessions(t *testing.T, s Store) {
	l := begin(t, s, 9)
	after := func(d time.Duration) time.Time { l.now = noon.Add(d); return l.now }

	after(10 * time.Second)
	l.do(l.joinOn("Ann", "a1", "i1"), l.joinOn("Bob", "b1", "i1"))
	l.check()
	after(20 * time.Second)
	l.do(l.joinOn("Ann", "a2", "i2"), disconnect("Ann", "a1", noon.Add(19*time.Second)))
	l.check()
	after(30 * time.Second) // a session that comes and goes within one step
	l.do(l.joinOn("Cleo", "c1", "i1"), disconnect("Cleo", "c1", time.Time{}), l.joinOn("Cleo", "c2", "i1"))
	l.do(l.joinOn("Fay", "f1", "i1"), disconnect("Fay", "f1", time.Time{}), l.joinOn("Fay", "f1", "i2"))
	l.check()
	after(40 * time.Second) // leaving ends all of one's sessions, coming back begins another
	l.do(l.joinOn("Ann", "a3", "i1"), leave("Ann"), l.joinOn("Ann", "a4", "i1"))
	l.check()
	after(45 * time.Second) // an id that comes back is another stay
	l.do(disconnect("Bob", "b1", time.Time{}))
	after(46 * time.Second)
	l.do(l.joinOn("Bob", "b1", "i1"))
	l.check()
	after(50 * time.Second) // an instance died before its last session began
	l.do(l.joinOn("Dan", "d1", "i3"))
	l.do(room.Command{Type: room.CommandReap, Instance: "i3", At: noon.Add(45 * time.Second)})
	l.check()
	after(60 * time.Second)
	l.do(l.joinOn("Eve", "e1", "i1"), closing())
	l.check()

	h, err := s.History(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "header", h.Room, l.Header)
	stay := func(u room.UserID, from, to int) room.Stay {
		return room.Stay{User: u, From: noon.Add(time.Duration(from) * time.Second), To: noon.Add(time.Duration(to) * time.Second)}
	}
	same(t, "stays", h.Stays, []room.Stay{
		stay("ann", 10, 19), stay("bob", 10, 45),
		stay("ann", 20, 40),
		stay("cleo", 30, 30), stay("cleo", 30, 60), stay("fay", 30, 60),
		stay("ann", 40, 40), stay("ann", 40, 60),
		stay("bob", 46, 60),
		stay("dan", 50, 50),
		stay("eve", 60, 60),
	})
}

// points: of entries that change nothing the last remains.
func points(t *testing.T, s Store) {
	l := begin(t, s, 9)
	idle := func() {
		for range 100 {
			l.now = l.now.Add(time.Second)
			l.do()
		}
	}
	idle()
	l.do(l.joinOn("Ann", "a1", "i1"))
	idle()
	l.do(leave("Ann"))
	idle()
	h, err := s.History(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	after := func(seconds, people int) room.Point {
		return room.Point{At: noon.Add(time.Duration(seconds) * time.Second), Taken: people, Online: people}
	}
	same(t, "points", h.Points, []room.Point{after(0, 0), after(100, 1), after(200, 0), after(300, 0)})
}

func unknown(t *testing.T, s Store) {
	ctx := t.Context()
	_, _, err := s.Load(ctx, "nowhere", noon)
	fails(t, "load", err, room.ErrNotFound)
	_, err = s.History(ctx, "nowhere")
	fails(t, "history", err, room.ErrNotFound)
	if err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
}

// concurrentRooms: saves of many rooms at one moment, some of which must
// fail, do not touch each other.
func concurrentRooms(t *testing.T, s Store) {
	lectures := make([]*lecture, 20)
	for i := range lectures {
		lectures[i] = begin(t, s, 2)
	}
	var all sync.WaitGroup
	for i, l := range lectures {
		all.Go(func() {
			for _, name := range []string{"Ann", "Bob"} {
				step := l.step(l.joinOn(name, room.SessionID(name), "i1"))
				bad := step
				bad.Entry.Batch = room.NewToken()
				bad.Room.Taken = 3
				if i%4 == 0 && s.Save(t.Context(), bad) == nil {
					t.Error("a room was overfilled")
				}
				if err := s.Save(t.Context(), step); err != nil {
					t.Error(err)
				}
				l.Apply(step.Entry)
			}
		})
	}
	all.Wait()
	for _, l := range lectures {
		l.check()
	}
}

// concurrentSavers: of those who save a version of a room, one wins.
func concurrentSavers(t *testing.T, s Store) {
	const savers, last = 4, 30
	l := begin(t, s, last)
	var wins [last + 1]atomic.Int32
	var all sync.WaitGroup
	for range savers {
		all.Go(func() {
			for {
				r, _, err := s.Load(t.Context(), l.ID, noon)
				if err != nil {
					t.Error(err)
					return
				}
				if r.Version == last {
					return
				}
				mine := lecture{TB: t, store: s, Room: r, now: noon}
				step := mine.step(mine.join(room.NewToken()))
				switch err := s.Save(t.Context(), step); {
				case err == nil:
					wins[step.Entry.Version].Add(1)
				case !errors.Is(err, room.ErrStale):
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	for version := 2; version <= last; version++ {
		if n := wins[version].Load(); n != 1 {
			t.Errorf("version %d was saved by %d", version, n)
		}
	}
	r, log, err := s.Load(t.Context(), l.ID, noon)
	if err != nil {
		t.Fatal(err)
	}
	if r.Taken != last-1 || len(log) != last {
		t.Errorf("%d are seated after %d entries, want %d after %d", r.Taken, len(log), last-1, last)
	}
}

func keepsEverything(t *testing.T, open Open) {
	s, again := open(t)
	l := begin(t, s, 5)
	l.do(l.joinOn("Ann", "a1", "i1"), l.join("Bob"))
	step := l.step(leave("Bob"), l.join("Cleo"))
	step.Claim = []string{"code:X"}
	l.save(step)
	if _, err := s.Beat(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}

	l.store = again()
	l.check()
	if holder, err := l.store.Holder(t.Context(), "code:X"); err != nil || holder != l.ID {
		t.Errorf("the holder is %q, %v", holder, err)
	}
	l.do(l.join("Dan"), leave("Ann"))
	l.check()
	entries, err := l.store.Entries(t.Context(), l.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "versions", slices.Collect(versions(entries)), []int64{1, 2, 3, 4})
}
