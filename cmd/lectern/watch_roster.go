package main

import "github.com/lectern-room/lectern/room"

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
	Left            []leaving
	Online, Offline []room.UserID
}

// A leaving says that someone is not in the roster any more.
type leaving struct {
	User   room.UserID
	Reason room.Reason
}

// A roster is who is in a room, as a client knows it that goes by the rules of
// versions: a snapshot first, and then what changes.
type roster struct {
	entries map[room.UserID]seatEntry
	version int64
	// A snapshot that is not whole yet; nil: there is none.
	pages   map[room.UserID]seatEntry
	pagesOf int64 // its version
}

// A change is what became of one person's entry. One without a user is none.
type change struct {
	before, after seatEntry
	reason        room.Reason // of one who is not there any more, if it was told
}

// take applies a message. It returns what has changed, and whether something
// is missing before the message.
func (r *roster) take(m *rosterMessage) (changes []change, gap bool) {
	switch m.Type {
	case "watching":
		if m.Deltas == nil {
			r.pages, r.pagesOf = map[room.UserID]seatEntry{}, m.Version
			return r.page(m), false
		}
		r.pages = nil
		for i := range m.Deltas {
			more, _ := r.apply(&m.Deltas[i])
			changes = append(changes, more...)
		}
	case "roster_page":
		if r.pages != nil && m.Version == r.pagesOf {
			return r.page(m), false
		}
	case "roster":
		return r.apply(m)
	}
	return changes, false
}

// page adds a part of a snapshot, which counts once it is whole.
func (r *roster) page(m *rosterMessage) (changes []change) {
	for _, e := range m.Roster {
		r.pages[e.User] = e
	}
	if m.More {
		return nil
	}
	for user, e := range r.pages {
		if before := r.entries[user]; before != e {
			changes = append(changes, change{before: before, after: e})
		}
	}
	for user, e := range r.entries {
		if _, there := r.pages[user]; !there {
			changes = append(changes, change{before: e})
		}
	}
	r.entries, r.version, r.pages = r.pages, r.pagesOf, nil
	return changes
}

func (r *roster) apply(m *rosterMessage) (changes []change, gap bool) {
	if m.Version <= r.version {
		return nil, false
	}
	if m.From > r.version {
		return nil, true
	}
	for _, e := range m.Joined {
		changes = append(changes, change{before: r.entries[e.User], after: e})
		r.entries[e.User] = e
	}
	for _, l := range m.Left {
		if e, there := r.entries[l.User]; there {
			changes = append(changes, change{before: e, reason: l.Reason})
			delete(r.entries, l.User)
		}
	}
	changes = append(changes, r.setOnline(m.Online, true)...)
	changes = append(changes, r.setOnline(m.Offline, false)...)
	r.version = m.Version
	return changes, false
}

func (r *roster) setOnline(users []room.UserID, online bool) (changes []change) {
	for _, u := range users {
		e := r.entries[u]
		before := e
		e.Online = online
		r.entries[u] = e
		changes = append(changes, change{before, e, ""})
	}
	return changes
}

// newRoster returns one that knows nothing.
func newRoster() roster { return roster{entries: map[room.UserID]seatEntry{}} }
