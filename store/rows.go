package store

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/lectern-room/lectern/room"
)

// The rows that a step writes, as the tables have them: text, int64, bool and
// nil, which go to a database as they are.

func roomRow(step *room.Step) ([]any, error) {
	r := &step.Room
	options, err := text(r.Options)
	if err != nil {
		return nil, err
	}
	policy, err := text(r.Policy)
	if err != nil {
		return nil, err
	}
	return []any{string(r.ID), step.Entry.Version, millis(r.At), r.Title, string(r.Instructor.User), r.Instructor.Name,
		r.Code, int64(r.Renewals), int64(r.Capacity), int64(r.Slot), string(r.Status), options, policy,
		millis(r.OpenedAt), millis(r.ClosedAt), int64(r.Taken), int64(r.Waiting), int64(r.Pending), int64(r.Online),
		millis(r.DueAt)}, nil
}

func entryRow(step *room.Step) ([]any, error) {
	e := &step.Entry
	answers, err := text(e.Answers)
	if err != nil {
		return nil, err
	}
	nameless := make([]unnamed, len(e.Events))
	for i := range e.Events {
		nameless[i].Event = &e.Events[i]
	}
	events, err := text(nameless)
	if err != nil {
		return nil, err
	}
	return []any{string(e.Room), e.Version, millis(e.At), e.Batch, answers, events,
		int64(step.Room.Taken), int64(step.Room.Online)}, nil
}

// An unnamed event is one as the log has it: its own name, which there never
// is, hides the event's.
type unnamed struct {
	*room.Event
	Name *string `json:"name,omitempty"`
}

// text is a value as the tables have it where it is of many parts.
func text(v any) (string, error) {
	var b strings.Builder
	err := json.NewEncoder(&b).Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// addAttendee adds a row; the room's id is the same value in all of them.
func addAttendee(rows []any, id any, p *room.Person) []any {
	return append(rows, id, string(p.User), p.Name, p.Guest, string(p.State), some(int64(p.Seat)), int64(p.LastSeat),
		p.Online, millis(p.JoinedAt), millis(p.FirstJoinedAt), millis(p.LeftAt), millis(p.BannedAt), millis(p.AwayAt),
		millis(p.OfflineAt), some(p.Place), some(string(p.LeftFor)))
}

// correctionRows returns the last correction of everyone in the entry: one
// entry is one moment.
func correctionRows(step *room.Step) [][]any {
	var rows [][]any
	index := map[room.UserID]int{}
	for _, e := range step.Entry.Events {
		if e.Type != room.EventCorrected {
			continue
		}
		row := []any{string(step.Room.ID), string(e.User), step.Entry.Version, millis(step.Entry.At), string(e.By), string(e.Status), e.Why}
		if i, again := index[e.User]; again {
			rows[i] = row
			continue
		}
		index[e.User] = len(rows)
		rows = append(rows, row)
	}
	return rows
}

func (b *beginning) addTo(rows []any, id any) []any {
	return append(rows, id, string(b.id), string(b.stay.User), string(b.where), millis(b.stay.From), millis(b.stay.To))
}

func (e *ending) row(id any) []any {
	return []any{id, millis(e.at), millis(e.Since), string(e.ID)}
}

// leavers returns whose seats the step frees: nothing else frees one.
func leavers(step *room.Step) []room.UserID {
	var users []room.UserID
	for _, e := range step.Entry.Events {
		if e.Type == room.EventLeft {
			users = append(users, e.User)
		}
	}
	return users
}

// some is a value as the tables have it where there may be none; the zero
// value is NULL.
func some[T comparable](v T) any {
	if v == *new(T) {
		return nil
	}
	return v
}

// millis is a time as the tables have it; the zero time is NULL.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}
