package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A follow is a visitor's watching of a room. While the clock runs it reads
// nothing but versions; what one that keeps has heard is decoded afterwards.
type follow struct {
	lesson *lesson
	keeps  bool

	version int64
	pages   bool // more pages of a snapshot are to come
	gaps    int
	kept    []heardMessage

	roster
	first map[room.UserID]time.Time // when a person was seen first
}

// A heardMessage waits to be decoded.
type heardMessage struct {
	at   time.Time
	text []byte
}

func newFollow(l *lesson, keeps bool) *follow {
	return &follow{lesson: l, keeps: keeps, roster: newRoster(), first: map[room.UserID]time.Time{}}
}

// request asks for the roster, or for what has changed since it was known.
func (f *follow) request() []byte {
	if f.version == 0 {
		return textOf(`{"id":%d,"type":"watch","room_id":%q}`, watchID, f.lesson.id)
	}
	return textOf(`{"id":%d,"type":"watch","room_id":%q,"since":%d}`, watchID, f.lesson.id, f.version)
}

// hear takes a message. It returns whether something is missing before it.
func (f *follow) hear(k kind, message []byte, at time.Time) (gap bool) {
	version := numberField(message, `"version":`)
	if k == kindRoster {
		switch from := numberField(message, `"from":`); {
		case version <= f.version:
			return false
		case from > f.version:
			f.gaps++
			return true
		}
	} else {
		f.pages = bytes.Contains(message, []byte(`"more":true`))
	}
	if !f.pages {
		f.version = version
	}
	if f.keeps {
		f.kept = append(f.kept, heardMessage{at, bytes.Clone(message)})
	}
	return false
}

// settle decodes what was kept.
func (f *follow) settle() error {
	for _, h := range f.kept {
		var m rosterMessage
		if err := json.Unmarshal(h.text, &m); err != nil {
			return fmt.Errorf("read a message to the watcher: %w", err)
		}
		changes, gap := f.roster.take(&m)
		if gap {
			return fmt.Errorf("a roster event from version %d reached a watcher at %d", m.From, f.roster.version)
		}
		for _, c := range changes {
			if _, seen := f.first[c.after.User]; !seen && c.after.User != "" {
				f.first[c.after.User] = h.at
			}
		}
	}
	f.kept = nil
	return nil
}

// differs says where the roster is not the given one, "" if it is.
func (r *roster) differs(given []seatEntry, version int64) string {
	switch {
	case r.version > version || r.pages != nil:
		return fmt.Sprintf("the watcher is at version %d, the room at %d", r.version, version)
	case len(r.entries) != len(given):
		return fmt.Sprintf("the watcher has %d people, the room %d", len(r.entries), len(given))
	}
	i := slices.IndexFunc(given, func(e seatEntry) bool { return r.entries[e.User] != e })
	if i >= 0 {
		return fmt.Sprintf("the watcher has %+v, the room %+v", r.entries[given[i].User], given[i])
	}
	return ""
}
