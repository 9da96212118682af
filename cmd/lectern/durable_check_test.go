package main

import (
	"maps"
	"slices"

	"github.com/lectern-room/lectern/room"
)

// checkDurable looks for what was acknowledged of a room in its log and in the
// store, and returns how many versions it has.
func (e *endurance) checkDurable(l *lecture) (versions int) {
	e.t.Helper()
	e.checkLog(l.id)
	log := e.log(l.id)
	seats := e.replay(log)
	people, version := e.truth(l.id)
	stored := map[room.UserID]int{}
	for _, p := range people {
		stored[p.User] = p.Seat
	}
	if version != int64(len(log)) || !maps.Equal(stored, seats) {
		e.t.Errorf("version %d of room %s has the seats %v, and its log of %d entries %v", version, l.id, stored, len(log), seats)
	}
	for _, r := range e.regulars {
		if r.lecture == l {
			r.check(log, stored[r.user])
		}
	}
	return len(log)
}

// replay returns who has which seat in the end. It looks for seats that two
// people ever had, or that there are not.
func (e *endurance) replay(log []room.Entry) (seats map[room.UserID]int) {
	e.t.Helper()
	var r room.Room
	for _, entry := range log {
		r.Apply(entry)
		seats = map[room.UserID]int{}
		holders := map[int]room.UserID{}
		for _, p := range r.Roster() {
			if other, twice := holders[p.Seat]; twice || p.Seat < 1 || p.Seat > r.Capacity {
				e.t.Errorf("version %d gave %s the seat %d of %d, which %q had", entry.Version, p.User, p.Seat, r.Capacity, other)
			}
			holders[p.Seat], seats[p.User] = p.User, p.Seat
		}
	}
	return seats
}

// check looks for something that was acknowledged and is not in the log, or
// was undone. In the end the student has a seat, 0 for none.
func (r *regular) check(log []room.Entry, seat int) {
	r.t.Helper()
	before := int64(0)
	for _, told := range r.told {
		version := told.answer.Version
		if version <= before || version > int64(len(log)) || !slices.ContainsFunc(log[version-1].Answers, func(a room.Answer) bool {
			return a.User == r.user && a.Type == told.asked && a.Code == "" && a.Seat == told.answer.Seat
		}) {
			r.t.Errorf("%s was told %+v after version %d, and the log of %d entries has it not", r.user, told, before, len(log))
		}
		before = version
	}
	if r.sure && r.told[len(r.told)-1].answer.Seat != seat {
		r.t.Errorf("%s was told %+v at last, and has seat %d", r.user, r.told[len(r.told)-1], seat)
	}
}
