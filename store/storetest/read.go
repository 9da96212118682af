package storetest

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

func versions(entries []room.Entry) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for _, e := range entries {
			if !yield(e.Version) {
				return
			}
		}
	}
}

func entries(t *testing.T, s Store) {
	ctx := t.Context()
	l := begin(t, s, 9)
	l.now = noon.Add(time.Minute)
	l.do(l.joinOn("Ann", "a1", "i1"), l.join("Bob"), room.Command{Type: room.CommandJoin, By: student("Eve"), Code: "WRONG"})
	l.now = noon.Add(2 * time.Minute)
	title, most, guests := "Waves", 60, false
	l.do(leave("Bob"), room.Command{Type: room.CommandUpdate, By: lecturer, Change: &room.Change{
		Title: &title, Options: &room.OptionsEdit{MaxMinutes: &most, Guests: &guests}, Code: room.NewCode(),
	}})

	got, err := s.Entries(ctx, l.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "all entries", got, l.log)
	for _, row := range []struct {
		after    int64
		limit    int
		from, to int // of l.log
	}{{1, 100, 1, 3}, {0, 2, 0, 2}, {2, 1, 2, 3}, {3, 100, 3, 3}, {99, 100, 3, 3}} {
		got, err := s.Entries(ctx, l.ID, row.after, row.limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("entries after %d, at most %d", row.after, row.limit), append([]room.Entry{}, got...), append([]room.Entry{}, l.log[row.from:row.to]...))
	}
	for since, from := range map[time.Duration]int{0: 0, 1: 1, time.Minute: 1, time.Minute + 1: 2, time.Hour: 3} {
		_, tail, err := s.Load(ctx, l.ID, noon.Add(since))
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprint("entries since ", since), append([]room.Entry{}, tail...), append([]room.Entry{}, l.log[from:]...))
	}

	renamed := l.join("Ann")
	renamed.By.Name = "Anna"
	l.do(renamed)
	l.check()
	l.log[1].Events[0].Name = "Anna" // a person's name is the present one everywhere
	got, err = s.Entries(ctx, l.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "all entries after a renaming", got, l.log)
}

func due(t *testing.T, s Store) {
	ctx := t.Context()
	minutes := []int{30, 10, 20, 40}
	ids := make([]room.ID, len(minutes))
	for i, m := range minutes {
		l := begin(t, s, 2)
		l.do(room.Command{Type: room.CommandUpdate, By: lecturer, Change: &room.Change{Options: &room.OptionsEdit{MaxMinutes: &m}}})
		if m == 20 {
			l.do(closing())
		}
		ids[i] = l.ID
	}
	for _, row := range []struct {
		minute, limit int
		want          []room.ID
	}{
		{9, 9, []room.ID{}},
		{10, 9, []room.ID{ids[1]}},
		{35, 9, []room.ID{ids[1], ids[0]}},
		{99, 2, []room.ID{ids[1], ids[0]}},
		{99, 9, []room.ID{ids[1], ids[0], ids[3]}},
	} {
		got, err := s.Due(ctx, noon.Add(time.Duration(row.minute)*time.Minute), row.limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("due after %d minutes, at most %d", row.minute, row.limit), append([]room.ID{}, got...), row.want)
	}
}

func orphans(t *testing.T, s Store) {
	ctx := t.Context()
	gone := beat(t, s, "gone")
	beat(t, s, "living")
	if off := time.Since(gone.Now).Abs(); off > time.Minute || gone.Now.Location() != time.UTC {
		t.Fatalf("the store's time %v is off by %v", gone.Now, off)
	}
	l := begin(t, s, 9)
	l.do(l.joinOn("Ann", "a1", "living"), l.joinOn("Bob", "b1", "gone"), l.joinOn("Bob", "b2", "gone"))
	l.now = noon.Add(time.Minute)
	l.do(l.joinOn("Cleo", "c1", "silent"), l.joinOn("Dan", "d1", "ended"))
	l.do(l.joinOn("Cleo", "c2", "silent"))
	l.do(disconnect("Dan", "d1", time.Time{}))

	look := func() []room.Orphan {
		t.Helper()
		orphans, err := s.Orphans(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return orphans
	}
	silent := room.Orphan{Room: l.ID, Instance: "silent", BeatAt: l.now}
	same(t, "orphans while two live", look(), []room.Orphan{silent})
	bury(t, s, "living", 0, 1)
	same(t, "orphans", look(), []room.Orphan{{Room: l.ID, Instance: "gone", BeatAt: gone.Now}, silent})
	l.do(closing())
	if got := look(); len(got) > 0 {
		t.Fatalf("orphans of a closed room: %v", got)
	}
}

// instances: who is marked dead stays dead.
func instances(t *testing.T, s Store) {
	for i, id := range []room.InstanceID{"a", "b", "c"} {
		first := beat(t, s, id)
		again := beat(t, s, id)
		if first.Dead || again.Dead || first.Living != i+1 || again.Living != i+1 || again.Now.Before(first.Now) {
			t.Fatalf("beats of a new instance: %+v, %+v", first, again)
		}
	}
	bury(t, s, "a", time.Hour, 0)
	bury(t, s, "a", 0, 2)
	bury(t, s, "a", 0, 0)
	last := beat(t, s, "b")
	if !last.Dead || last.Living != 1 {
		t.Fatalf("the beat of a dead instance: %+v", last)
	}
	if p := beat(t, s, "a"); p.Dead || p.Living != 1 || p.Now.Before(last.Now) {
		t.Fatalf("the beat of the living: %+v", p)
	}
	bury(t, s, "", 0, 1)
	if p := beat(t, s, "a"); !p.Dead || p.Living != 0 {
		t.Fatalf("the beat of the last: %+v", p)
	}
}

// hidden: what happened to the people of an instance between its last beat and
// its burial is not known.
func hidden(t *testing.T, s Store) {
	last := beat(t, s, "crashed").Now
	beat(t, s, "living")
	l := beginWith(t, s, last.Add(-time.Hour), 9, nil)
	l.do(l.joinOn("Ann", "a1", "crashed"), l.joinOn("Bob", "b1", "crashed"), l.joinOn("Cid", "c1", "living"), l.joinOn("Dan", "d1", "crashed"))
	l.now = last.Add(5 * time.Second)
	l.do(leave("Ann"), leave("Cid"), disconnect("Bob", "b1", last.Add(-time.Minute)), l.joinOn("Eve", "e1", "crashed"))
	came := l.now
	l.now = l.now.Add(time.Second)
	l.do(closing())
	bury(t, s, "living", 0, 1)

	h, err := s.History(t.Context(), l.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := map[room.UserID]time.Time{}
	for _, stay := range h.Stays {
		got[stay.User] = stay.To
	}
	same(t, "ends", got, map[room.UserID]time.Time{
		"ann": last, "bob": last.Add(-time.Minute), "cid": came, "dan": last, "eve": came,
	})
}

// Forgotten is one more promise of a store, whose time later moves on: who is
// long dead is forgotten, unless sessions are open that end with the last
// beat.
func Forgotten(t *testing.T, s Store, later func(time.Duration)) {
	beat(t, s, "past")
	missed := beat(t, s, "missed")
	l := begin(t, s, 9)
	l.do(l.joinOn("Ann", "a1", "missed"), l.joinOn("Bob", "b1", "past"), disconnect("Bob", "b1", noon))
	bury(t, s, "living", 0, 2)

	later(23 * time.Hour)
	beat(t, s, "living")
	bury(t, s, "living", 0, 0)
	if p := beat(t, s, "past"); !p.Dead {
		t.Fatalf("the beat of one that has died today: %+v", p)
	}
	later(2 * time.Hour)
	beat(t, s, "living")
	bury(t, s, "living", 0, 0)
	if p := beat(t, s, "past"); p.Dead || p.Living != 2 {
		t.Fatalf("the beat of one that is forgotten: %+v", p)
	}
	if p := beat(t, s, "missed"); !p.Dead {
		t.Fatalf("the beat of one that has open sessions: %+v", p)
	}
	orphans, err := s.Orphans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "orphans", orphans, []room.Orphan{{Room: l.ID, Instance: "missed", BeatAt: missed.Now}})
}

func beat(t *testing.T, s Store, id room.InstanceID) room.Pulse {
	t.Helper()
	pulse, err := s.Beat(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return pulse
}

func bury(t *testing.T, s Store, living room.InstanceID, silence time.Duration, want int) {
	t.Helper()
	if n, err := s.Bury(t.Context(), living, silence); err != nil || n != want {
		t.Fatalf("%d instances were marked dead, want %d: %v", n, want, err)
	}
}

func versionsOf(t *testing.T, s Store) {
	a, b, c := begin(t, s, 2), begin(t, s, 2), begin(t, s, 2)
	a.do(a.join("Ann"))
	b.do()
	b.do()
	for _, row := range []struct {
		ids  []room.ID
		want map[room.ID]int64
	}{
		{nil, map[room.ID]int64{}},
		{[]room.ID{"nowhere"}, map[room.ID]int64{}},
		{[]room.ID{b.ID, "nowhere", a.ID, b.ID}, map[room.ID]int64{a.ID: 2, b.ID: 3}},
		{[]room.ID{c.ID}, map[room.ID]int64{c.ID: 1}},
	} {
		got, err := s.Versions(t.Context(), row.ids)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprint("versions of ", row.ids), got, row.want)
	}
}

func rooms(t *testing.T, s Store) {
	ctx := t.Context()
	var newest []room.Header
	for i := range 5 {
		l := &lecture{TB: t, store: s, now: noon.Add(time.Duration(i) * time.Second)}
		l.Room = &room.Room{Header: room.Header{ID: room.NewID(l.now)}}
		by, title, seats := lecturer, fmt.Sprint("Lecture ", i), 10
		if i == 2 {
			by.User = "another"
		}
		l.do(room.Command{Type: room.CommandOpen, By: by, Change: &room.Change{Title: &title, Capacity: &seats, Code: room.NewCode()}})
		if i != 2 {
			newest = append([]room.Header{l.Header}, newest...)
		}
	}
	first, err := s.Rooms(ctx, lecturer.User, "", 3)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the first page", first, newest[:3])
	rest, err := s.Rooms(ctx, lecturer.User, first[2].ID, 3)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the second page", rest, newest[3:])
	if none, err := s.Rooms(ctx, "nobody", "", 3); err != nil || len(none) > 0 {
		t.Fatalf("rooms of nobody: %v, %v", none, err)
	}
}

func places(t *testing.T, s Store) {
	a, b, closed, left := begin(t, s, 2), begin(t, s, 2), begin(t, s, 2), begin(t, s, 2)
	for _, l := range []*lecture{a, closed, left} {
		l.do(l.join("Ann"))
	}
	b.do(b.join("Bob"), b.join("Ann"))
	closed.do(closing())
	left.do(leave("Ann"))

	got, err := s.Places(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	want := []room.Place{{Room: a.ID, State: room.Seated, Seat: 1}, {Room: b.ID, State: room.Seated, Seat: 2}}
	if a.ID < b.ID {
		want[0], want[1] = want[1], want[0]
	}
	same(t, "places", got, want)
}
