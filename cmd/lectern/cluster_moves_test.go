package main

import (
	"slices"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A move is what became of someone's place by an entry of the log.
type move struct {
	version        int64
	at             time.Time
	position, seat int
}

// moves reads the log of the line: what became of everyone's place, and how
// many seats were given out of order.
func (q *queue) moves() (moves map[room.UserID][]move, inversions int) {
	q.t.Helper()
	moves = map[room.UserID][]move{}
	var line []room.UserID
	for _, e := range q.log(q.lecture.id) {
		before := slices.Clone(line)
		for _, event := range e.Events {
			at := slices.Index(line, event.User)
			switch {
			case event.Type == room.EventJoined && event.State == room.Waiting:
				line = append(line, event.User)
			case event.Type == room.EventSeated:
				if at != 0 {
					inversions++
					q.t.Errorf("version %d gave seat %d to %s, number %d of the line %v", e.Version, event.Seat, event.User, at+1, line)
				}
				moves[event.User] = append(moves[event.User], move{e.Version, e.At, 0, event.Seat})
			}
			if at >= 0 && (event.Type == room.EventSeated || event.Type == room.EventLeft) {
				line = slices.Delete(line, at, at+1)
			}
		}
		for k, user := range line {
			if k >= len(before) || before[k] != user {
				moves[user] = append(moves[user], move{e.Version, e.At, k + 1, 0})
			}
		}
	}
	return moves, inversions
}

// check holds what everyone was told against the log.
func (q *queue) check() {
	q.t.Helper()
	moves, inversions := q.moves()
	var waits []time.Duration
	for _, user := range q.asked[lineSeats:] {
		waits = append(waits, q.waiters[user].check(q.t, moves[user])...)
	}
	slow := latencyOf(waits)
	q.t.Logf("%d seats given to those who waited, %d inversions; %d times someone moved and was told after %+v ms", q.given(), inversions, len(waits), slow)
	if q.given() != q.freed || inversions > 0 {
		q.t.Errorf("%d seats were free, %d given, %d out of order", q.freed, q.given(), inversions)
	}
	if len(waits) < lineWaiting*lineChanges/4 || slow.Max > float64(toldWithin.Milliseconds()) {
		q.t.Errorf("%d times someone was told, once after %v ms", len(waits), slow.Max)
	}
	q.checkLog(q.lecture.id)
}

// check looks for anything false that the waiter was told, and returns how
// long each move took to be told.
func (w *waiter) check(t *testing.T, moves []move) (waits []time.Duration) {
	t.Helper()
	told := w.heard()
	for _, h := range told {
		at := -1
		for at+1 < len(moves) && moves[at+1].version <= h.Version {
			at++
		}
		if at < 0 || h.Position != moves[at].position || h.Seat != moves[at].seat {
			t.Errorf("%s was told %s and moved so: %+v", w.user, h.raw, moves)
		}
	}
	for _, m := range moves {
		heard := slices.IndexFunc(told, func(h hearing) bool { return h.Version >= m.version })
		if slices.ContainsFunc(w.away, func(s span) bool { return m.at.Add(toldWithin).After(s.from) && m.at.Before(s.to) }) {
			continue // there was nobody to be told, or soon not
		}
		if heard < 0 {
			t.Errorf("%s was never told of %+v", w.user, m)
			continue
		}
		waits = append(waits, told[heard].at.Sub(m.at))
	}
	return waits
}
