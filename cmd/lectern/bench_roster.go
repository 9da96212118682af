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

// A seatEntry is one entry of a roster, as the protocol has it.
type seatEntry struct {
	User     room.UserID
	Name     string
	State    room.State
	Seat     int   // 0: none
	Place    int64 // 0: none
	Online   bool
	Guest    bool
	JoinedAt string `json:"joined_at"`
}

// A rosterMessage is what a watcher is sent: the reply to watch, a further
// page of it, or a roster event.
type rosterMessage struct {
	ID      *int64
	Type    string
	Code    string // of an error
	Version int64

	Roster []seatEntry
	More   bool
	Deltas []rosterMessage

	From            int64
	Joined          []seatEntry
	Left            []struct{ User room.UserID }
	Online, Offline []room.UserID
}

// A watcher follows a room's roster as any client does: a snapshot first, and
// then what changes, by the rules of versions.
type watcher struct {
	socket *loadSocket
	room   room.ID

	mu      sync.Mutex // guards all below
	entries map[room.UserID]seatEntry
	version int64
	partial bool                      // pages are still to come
	first   map[room.UserID]time.Time // when a person was seen first
	err     error                     // why it has stopped
}

// newWatcher makes a watcher of a socket that nobody reads. It watches once
// watch runs.
func newWatcher(s *loadSocket, id room.ID) *watcher {
	return &watcher{socket: s, room: id, entries: map[room.UserID]seatEntry{}, first: map[room.UserID]time.Time{}}
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

// take applies a message and returns whether something is missing before it.
func (w *watcher) take(m *rosterMessage, at time.Time) (gap bool) {
	switch m.Type {
	case "watching":
		for i := range m.Deltas {
			w.apply(&m.Deltas[i], at)
		}
		if m.Deltas == nil {
			clear(w.entries)
			w.put(m.Roster, at)
			w.version, w.partial = m.Version, m.More
		}
	case "roster_page":
		if m.Version == w.version && w.partial {
			w.put(m.Roster, at)
			w.partial = m.More
		}
	case "roster":
		return w.apply(m, at)
	}
	return false
}

func (w *watcher) apply(m *rosterMessage, at time.Time) (gap bool) {
	if m.Version <= w.version {
		return false
	}
	if m.From > w.version {
		return true
	}
	w.put(m.Joined, at)
	for _, l := range m.Left {
		delete(w.entries, l.User)
	}
	w.setOnline(m.Online, true)
	w.setOnline(m.Offline, false)
	w.version = m.Version
	return false
}

func (w *watcher) put(entries []seatEntry, at time.Time) {
	for _, e := range entries {
		w.entries[e.User] = e
		if _, seen := w.first[e.User]; !seen {
			w.first[e.User] = at
		}
	}
}

func (w *watcher) setOnline(users []room.UserID, online bool) {
	for _, u := range users {
		e := w.entries[u]
		e.Online = online
		w.entries[u] = e
	}
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
	case w.version > version || w.partial:
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
