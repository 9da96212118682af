package storetest

import (
	"cmp"
	"slices"

	"github.com/lectern-room/lectern/room"
)

// A trace is all that a store tells of a room.
type trace struct {
	Room   room.Header
	People []room.Person // by seat
	Log    []room.Entry
	Record room.History
}

func (p *past) traces() map[room.ID]trace {
	p.Helper()
	traces := map[room.ID]trace{}
	for _, l := range p.all() {
		traces[l.ID] = p.trace(l)
	}
	return traces
}

func (p *past) trace(l *lecture) trace {
	p.Helper()
	stored, _, err := p.store.Load(p.Context(), l.ID, noon)
	if err != nil {
		p.Fatal(err)
	}
	log, err := p.store.Entries(p.Context(), l.ID, 0, 1000)
	if err != nil {
		p.Fatal(err)
	}
	h, err := p.store.History(p.Context(), l.ID)
	if err != nil {
		p.Fatal(err)
	}
	bySeat := func(a, b room.Person) int { return cmp.Compare(a.LastSeat, b.LastSeat) }
	slices.SortFunc(h.People, func(a, b *room.Person) int { return bySeat(*a, *b) })
	return trace{stored.Header, slices.SortedFunc(slices.Values(people(stored)), bySeat), log, *h}
}

// rename makes the trace what it is once somebody is another, of whom nothing
// is known.
func (tr *trace) rename(from, to room.UserID) {
	if tr.Room.Instructor.User == from {
		tr.Room.Instructor.User, tr.Room.Instructor.Name = to, string(to)
	}
	tr.Record.Room = tr.Room
	for i := range tr.People {
		tr.People[i] = renamed(tr.People[i], from, to)
	}
	for i, p := range tr.Record.People {
		q := renamed(*p, from, to)
		tr.Record.People[i] = &q
	}
	for i := range tr.Record.Stays {
		become(&tr.Record.Stays[i].User, from, to)
	}
	for _, entry := range tr.Log {
		for i := range entry.Answers {
			become(&entry.Answers[i].User, from, to)
		}
		for i := range entry.Events {
			e := &entry.Events[i]
			become(&e.By, from, to)
			if become(&e.User, from, to) && e.Name != "" {
				e.Name = string(to)
			}
			if e.User == to {
				e.Why = ""
			}
		}
	}
}

func renamed(p room.Person, from, to room.UserID) room.Person {
	c := p.Correction
	if c != nil {
		copied := *c
		c = &copied
		become(&c.By, from, to)
	}
	if become(&p.User, from, to) {
		p.Name = string(to)
		c.Reason = ""
	}
	p.Correction = c
	return p
}

func become(user *room.UserID, from, to room.UserID) bool {
	if *user != from {
		return false
	}
	*user = to
	return true
}
