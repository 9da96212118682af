package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A watcher follows a room's roster as any client does: a snapshot first, and
// then what changes, by the rules of versions.
type watcher struct {
	socket *loadSocket
	room   room.ID

	mu sync.Mutex // guards all below
	roster
	first map[room.UserID]time.Time // when a person was seen first
	err   error                     // why it has stopped
}

// newWatcher makes a watcher of a socket that nobody reads. It watches once
// watch runs.
func newWatcher(s *loadSocket, id room.ID) *watcher {
	return &watcher{socket: s, room: id, roster: newRoster(), first: map[room.UserID]time.Time{}}
}

// watch follows the room until the socket ends.
func (w *watcher) watch() {
	err := w.ask(0)
	for err == nil {
		err = w.next()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// ask asks for the roster, or for what has changed since a version.
func (w *watcher) ask(since int64) error {
	request := fmt.Appendf(nil, `{"id":1,"type":"watch","room_id":%q`, w.room)
	if since > 0 {
		request = fmt.Appendf(request, `,"since":%d`, since)
	}
	return w.socket.send(append(request, '}'))
}

func (w *watcher) next() error {
	data, err := w.socket.read()
	if err != nil {
		return err
	}
	at := time.Now()
	var m rosterMessage
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("read a message to the watcher: %w", err)
	}
	if m.Type == "error" {
		return fmt.Errorf("watching was refused: %s", m.Code)
	}
	w.mu.Lock()
	gap := w.take(&m, at)
	version := w.version
	w.mu.Unlock()
	if gap {
		return w.ask(version)
	}
	return nil
}

// take applies a message, notes who is there for the first time, and returns
// whether something is missing before it.
func (w *watcher) take(m *rosterMessage, at time.Time) (gap bool) {
	changes, gap := w.roster.take(m)
	for _, c := range changes {
		if _, seen := w.first[c.after.User]; !seen && c.after.User != "" {
			w.first[c.after.User] = at
		}
	}
	return gap
}

// seen returns when each person was seen first.
func (w *watcher) seen() map[room.UserID]time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.first)
}

// differs says where the roster is not the given one, "" if it is.
func (w *watcher) differs(stored []seatEntry, version int64) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return fmt.Sprintf("the watcher's socket ended: %v", w.err)
	case w.version > version || w.pages != nil:
		return fmt.Sprintf("the watcher is at version %d, the store at %d", w.version, version)
	case len(w.entries) != len(stored):
		return fmt.Sprintf("the watcher has %d people, the store %d", len(w.entries), len(stored))
	}
	i := slices.IndexFunc(stored, func(e seatEntry) bool { return w.entries[e.User] != e })
	if i >= 0 {
		return fmt.Sprintf("the watcher has %+v, the store %+v", w.entries[stored[i].User], stored[i])
	}
	return ""
}
