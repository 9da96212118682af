package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lectern-room/lectern/room"
)

// nastyIDs are ids of one person each, that must not be taken for another's,
// nor for what is not an id.
var nastyIDs = []room.UserID{
	"joined", "Optics", "u2", "a", "ab", `quo"ted`, `back\slash`, `\"`, "100%", "per_cent", "<tag>&", "학생 1", "line\u2028",
	"erased:1", "guest:1",
}

// A past is of rooms that know everyone of nastyIDs.
type past struct {
	testing.TB
	store    Store
	attended *lecture   // by all
	refused  *lecture   // all were
	open     *lecture   // of every second, and not closed
	led      []*lecture // by one, who corrected the next
}

func newPast(t *testing.T, s Store) *past {
	p := &past{TB: t, store: s, attended: begin(t, s, 100), refused: begin(t, s, 1), open: begin(t, s, 100)}
	p.refused.do(p.refused.join("Zoe"))
	for i, id := range nastyIDs {
		who := room.Caller{User: id, Name: "Name of " + string(id), Role: room.Student}
		join := func(l *lecture, session room.SessionID) {
			c := l.joinOn("", session, "i1")
			c.By = who
			l.do(c)
		}
		join(p.attended, room.SessionID(fmt.Sprint("first ", i)))
		p.attended.do(room.Command{Type: room.CommandLeave, By: who})
		join(p.attended, room.SessionID(fmt.Sprint("second ", i)))
		join(p.refused, "")
		if i%2 == 0 {
			join(p.open, "")
		}
		p.led = append(p.led, ledBy(t, s, who, nastyIDs[(i+1)%len(nastyIDs)]))
	}
	p.refused.do(closing())
	p.attended.do(closing())
	for _, id := range nastyIDs {
		p.attended.do(room.Command{Type: room.CommandCorrect, By: lecturer, User: id, Status: room.StatusLate, Reason: "a brother called"})
	}
	return p
}

// ledBy opens and closes a room whose instructor corrects a student. It keeps
// names that have the instructor's id in them, and names that only look so.
func ledBy(t *testing.T, s Store, who room.Caller, corrected room.UserID) *lecture {
	l := &lecture{TB: t, store: s, now: noon, Room: &room.Room{Header: room.Header{ID: room.NewID(noon)}}}
	who.Role = room.Instructor
	title, seats := "Optics", 1
	open := l.step(room.Command{Type: room.CommandOpen, By: who, Change: &room.Change{Title: &title, Capacity: &seats, Code: room.NewCode()}})
	open.Claim = append(namesOf(who.User), looksLike(who.User)...)
	l.save(open)
	join := l.join("")
	join.By = room.Caller{User: corrected, Name: string(corrected), Role: room.Student}
	l.do(join, room.Command{Type: room.CommandClose, By: who},
		room.Command{Type: room.CommandCorrect, By: who, User: corrected, Status: room.StatusAbsent, Reason: "not there"})
	return l
}

func namesOf(id room.UserID) []string {
	return []string{fmt.Sprintf("key:%d:%s:1", len(id), id), fmt.Sprintf("key:%d:%s:", len(id), id), "slot:12:" + string(id)}
}

func looksLike(id room.UserID) []string {
	return []string{fmt.Sprintf("key:%d:%s:x:1", len(id)+2, id), "slot:12:x" + string(id), "slot:12:" + string(id) + ":", "code:" + string(id)}
}

// erase: nothing is left of a person in closed rooms, everything else is as it
// was, and each room moves on by one version.
func erase(t *testing.T, s Store) {
	p := newPast(t, s)
	traces := p.traces()
	for i, id := range nastyIDs {
		before := len(nastyIDs) - 1
		knows := []*lecture{p.attended, p.refused, p.led[i], p.led[(i+before)%len(nastyIDs)]}
		erasure, err := s.Erase(t.Context(), id)
		if err != nil {
			t.Fatalf("erase %q: %v", id, err)
		}
		same(t, fmt.Sprintf("the rooms of %q", id), erasure.Rooms, idsOf(knows...))
		if i%2 == 0 {
			same(t, fmt.Sprintf("the open rooms of %q", id), erasure.Open, idsOf(p.open))
		} else {
			same(t, fmt.Sprintf("the open rooms of %q", id), erasure.Open, nil)
		}
		log := erasure.Rows["room_log"]
		same(t, "the rows", erasure.Rows, map[string]int{"attendee": 2, "session": 2, "correction": 3, "room": 1, "claim": 3, "room_log": log})
		traces = p.check(id, knows, traces)
		p.checkClaims(i)
		again, err := s.Erase(t.Context(), id)
		if err != nil || again.Rooms != nil || len(again.Rows) > 0 || !slices.Equal(again.Open, erasure.Open) {
			t.Fatalf("erase %q again: %+v, %v", id, again, err)
		}
		traces = p.check(id, nil, traces)
	}
	late := p.attended.step(room.Command{Type: room.CommandPolicy, By: lecturer, Policy: &room.Policy{}})
	fails(t, "a version that the erasure took", s.Save(t.Context(), late), room.ErrStale)
}

func idsOf(all ...*lecture) []room.ID {
	var ids []room.ID
	for _, l := range all {
		ids = append(ids, l.ID)
	}
	slices.Sort(ids)
	return ids
}

// check compares all rooms with what they were, and returns what they are: id
// is somebody else now in those that knew it.
func (p *past) check(id room.UserID, knew []*lecture, before map[room.ID]trace) map[room.ID]trace {
	p.Helper()
	traces := p.traces()
	others := map[room.UserID]bool{}
	for _, l := range p.all() {
		got, want := traces[l.ID], before[l.ID]
		if slices.Contains(knew, l) {
			last := got.Log[len(got.Log)-1]
			other := last.Events[0].User
			if others[other] || !strings.HasPrefix(string(other), "erased:") {
				p.Fatalf("%q is %q now", id, other)
			}
			others[other] = true
			same(p, "the last entry", last.Events, []room.Event{{Type: room.EventErased, User: other}})
			if last.At.Before(want.Room.At) || last.At != got.Room.At {
				p.Fatalf("the entry is of %v after one of %v", last.At, want.Room.At)
			}
			want.Room.Version, want.Room.At = want.Room.Version+1, last.At
			want.Log = append(want.Log, last)
			want.rename(id, other)
		}
		for _, d := range [][2]any{{got.Room, want.Room}, {got.People, want.People}, {got.Log, want.Log}, {got.Record, want.Record}} {
			same(p, fmt.Sprintf("room %s without %q", l.ID, id), d[0], d[1])
		}
	}
	return traces
}

func (p *past) all() []*lecture { return append([]*lecture{p.attended, p.refused, p.open}, p.led...) }

// checkClaims checks that of so many people the claims are gone, and no more.
func (p *past) checkClaims(erased int) {
	p.Helper()
	for i, id := range nastyIDs {
		for _, key := range namesOf(id) {
			_, err := p.store.Holder(p.Context(), key)
			if gone := errors.Is(err, room.ErrNotFound); gone != (i <= erased) {
				p.Errorf("the name %q: %v", key, err)
			}
		}
		for _, key := range looksLike(id) {
			if _, err := p.store.Holder(p.Context(), key); err != nil {
				p.Errorf("the name %q: %v", key, err)
			}
		}
	}
}

// eraseLongLog: a log of any length is searched and rewritten.
func eraseLongLog(t *testing.T, s Store) {
	l := begin(t, s, 9)
	for range 260 {
		l.do()
	}
	const comings = 40
	for range comings {
		l.do(l.join("Ann"))
		l.do(leave("Ann"))
	}
	l.do(closing())
	erasure, err := s.Erase(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the erasure", erasure, room.Erasure{Rooms: []room.ID{l.ID}, Rows: map[string]int{"attendee": 1, "room_log": 2 * comings}})
	log, err := s.Entries(t.Context(), l.ID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range log {
		if line := text(e); strings.Contains(line, `"ann"`) || strings.Contains(line, `"Ann"`) {
			t.Fatalf("still in the log: %s", line)
		}
	}
	if int64(len(log)) != l.Version+1 {
		t.Fatalf("%d entries, want %d", len(log), l.Version+1)
	}
}

// eraseAmongSavers: no version is lost or taken twice while others save.
func eraseAmongSavers(t *testing.T, s Store) {
	const erased, savers, turns = 10, 3, 10
	l := begin(t, s, 100)
	for i := range erased {
		l.do(l.join(fmt.Sprint("S", i)))
	}
	l.do(l.join("Ann"))
	l.do(closing())
	var all sync.WaitGroup
	all.Go(func() {
		for i := range erased {
			if e, err := s.Erase(t.Context(), student(fmt.Sprint("S", i)).User); err != nil || len(e.Rooms) != 1 {
				t.Errorf("erasure %d: %+v, %v", i, e, err)
			}
		}
	})
	for i := range savers {
		all.Go(func() {
			for turn := 0; turn < turns; {
				r, _, err := s.Load(t.Context(), l.ID, noon)
				if err != nil {
					t.Error(err)
					return
				}
				mine := lecture{TB: t, store: s, Room: r, now: noon}
				switch err := s.Save(t.Context(), mine.step(correct("Ann", room.StatusLate, fmt.Sprint(i, " ", turn)))); {
				case err == nil:
					turn++
				case !errors.Is(err, room.ErrStale):
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	entries, err := s.Entries(t.Context(), l.ID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(entries), int(l.Version)+erased+savers*turns; got != want {
		t.Errorf("%d entries, want %d", got, want)
	}
	for i, version := range slices.Collect(versions(entries)) {
		if version != int64(i+1) {
			t.Fatalf("entry %d is version %d", i, version)
		}
	}
}
