package store

import (
	"encoding/json"
	"time"

	"github.com/lectern-room/lectern/room"
)

// The rows that a step writes, as the tables have them.

func roomRow(step *room.Step) ([]any, error) {
	r := &step.Room
	options, err := json.Marshal(r.Options)
	if err != nil {
		return nil, err
	}
	policy, err := json.Marshal(r.Policy)
	if err != nil {
		return nil, err
	}
	return []any{r.ID, step.Entry.Version, millis(r.At), r.Title, r.Instructor.User, r.Instructor.Name,
		r.Code, r.Renewals, r.Capacity, r.Slot, r.Status, string(options), string(policy),
		millis(r.OpenedAt), millis(r.ClosedAt), r.Taken, r.Waiting, r.Pending, r.Online, millis(r.DueAt)}, nil
}

func entryRow(step *room.Step) ([]any, error) {
	e := &step.Entry
	answers, err := json.Marshal(e.Answers)
	if err != nil {
		return nil, err
	}
	nameless := make([]room.Event, len(e.Events))
	for i, event := range e.Events {
		event.Name = ""
		nameless[i] = event
	}
	events, err := json.Marshal(nameless)
	if err != nil {
		return nil, err
	}
	return []any{e.Room, e.Version, millis(e.At), e.Batch, string(answers), string(events),
		step.Room.Taken, step.Room.Online}, nil
}

func attendeeRow(id room.ID, p *room.Person) []any {
	return []any{id, p.User, p.Name, p.Guest, p.State, some(p.Seat), p.LastSeat, p.Online,
		millis(p.JoinedAt), millis(p.FirstJoinedAt), millis(p.LeftAt), millis(p.BannedAt), millis(p.AwayAt),
		millis(p.OfflineAt), some(p.Place), some(p.LeftFor)}
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
		row := []any{step.Room.ID, e.User, step.Entry.Version, millis(step.Entry.At), e.By, e.Status, e.Why}
		if i, again := index[e.User]; again {
			rows[i] = row
			continue
		}
		index[e.User] = len(rows)
		rows = append(rows, row)
	}
	return rows
}

func (b *beginning) row(id room.ID) []any {
	return []any{id, b.id, b.stay.User, b.where, millis(b.stay.From), millis(b.stay.To)}
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
