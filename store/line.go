package store

import (
	"slices"
	"sync"

	"github.com/lectern-room/lectern/room"
)

// A saving is a step that waits to be saved.
type saving struct {
	step room.Step
	done chan error // holds the outcome, once
}

func (w *saving) rows() int { return 1 + len(w.step.People) }

// A line is of steps that wait to be saved, in groups: while some are saved,
// the next gather. At most one step of a room is being saved at a time.
type line struct {
	most int // groups that are saved at a time

	mu      sync.Mutex // guards all below
	waiting []*saving  // in order of arrival
	busy    map[room.ID]bool
	flying  int // groups that are being saved
}

// enter adds a step to the line. True: the caller is to save groups, until
// there is none.
func (l *line) enter(w *saving) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, w)
	return l.fly()
}

// leave says that no step of the room is being saved any more. True: as for
// enter.
func (l *line) leave(id room.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, id)
	return l.fly()
}

// fly is called with mu held.
func (l *line) fly() bool {
	if l.flying == l.most || !slices.ContainsFunc(l.waiting, func(w *saving) bool { return !l.busy[w.step.Room.ID] }) {
		return false
	}
	l.flying++
	return true
}

// withdraw takes w out of the line if nobody has taken it up.
func (l *line) withdraw(w *saving) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = slices.DeleteFunc(l.waiting, func(other *saving) bool { return other == w })
}

// group takes up those who have waited longest, and whose rooms are not busy.
// If there is none the caller flies no more.
func (l *line) group() []*saving {
	l.mu.Lock()
	defer l.mu.Unlock()
	var group []*saving
	rows := 0
	l.waiting = slices.DeleteFunc(l.waiting, func(w *saving) bool {
		if rows >= groupRows || l.busy[w.step.Room.ID] {
			return false
		}
		l.busy[w.step.Room.ID] = true
		rows += w.rows()
		group = append(group, w)
		return true
	})
	if group == nil {
		l.flying--
	}
	return group
}
