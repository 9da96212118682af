package store

import (
	"context"
	"time"

	"github.com/lectern-room/lectern/room"
)

const (
	// A session that comes back under its id, later, is another stay.
	insertSessions = `
		INSERT INTO session (room_id, session_id, user_id, instance_id, connected_at, disconnected_at)
		VALUES `
	keepSessions = `
		ON CONFLICT (room_id, connected_at, session_id) DO UPDATE SET
			instance_id = excluded.instance_id, disconnected_at = excluded.disconnected_at`
	sessionColumns = 6

	endSessions = `UPDATE session SET disconnected_at = $2 WHERE room_id = $1 AND disconnected_at IS NULL`
	endSession  = endSessions + ` AND connected_at = $3 AND session_id = $4`
)

// sessions is what an entry does to the sessions of its room.
type sessions struct {
	began []beginning            // in order
	index map[room.SessionID]int // of began
	ended []ending               // those that began earlier, but for what ends with the room
}

type beginning struct {
	id    room.SessionID
	stay  room.Stay
	where room.InstanceID
}

type ending struct {
	room.Session
	at time.Time
}

func (w *writer) saveSessions(ctx context.Context, step *room.Step) error {
	var id any = string(step.Room.ID)
	s := sessionsOf(step)
	for _, e := range s.ended {
		if _, err := w.exec(ctx, endSession, e.row(id)...); err != nil {
			return err
		}
	}
	if step.Room.Status == room.Closed {
		if _, err := w.exec(ctx, endSessions, id, millis(step.Room.ClosedAt)); err != nil {
			return err
		}
	}
	rows := make([]any, 0, len(s.began)*sessionColumns)
	for i := range s.began {
		rows = s.began[i].addTo(rows, id)
	}
	return w.insert(ctx, insertSessions, sessionColumns, keepSessions, rows)
}

// sessionsOf folds the entry's events into one net change a session.
func sessionsOf(step *room.Step) sessions {
	most := len(step.People) // few have two
	s := sessions{began: make([]beginning, 0, most), index: make(map[room.SessionID]int, most)}
	at := step.Entry.At
	told := map[room.SessionID]time.Time{}
	for _, e := range step.Entry.Events {
		switch e.Type {
		case room.EventConnected:
			s.begin(beginning{id: e.Session, stay: room.Stay{User: e.User, From: at}, where: e.Instance})
		case room.EventDisconnected:
			if i, ok := s.index[e.Session]; ok {
				s.began[i].stay.To = e.At
			} else {
				told[e.Session] = e.At
			}
		case room.EventLeft:
			s.end(at, func(b *beginning) bool { return b.stay.User == e.User })
		case room.EventClosed:
			s.end(step.Room.ClosedAt, func(*beginning) bool { return true })
		}
	}
	for _, session := range step.Ended {
		end, ok := told[session.ID]
		switch {
		case ok:
			s.ended = append(s.ended, ending{session, end})
		case step.Room.Status != room.Closed: // with its person's place
			s.ended = append(s.ended, ending{session, at})
		}
	}
	return s
}

func (s *sessions) begin(b beginning) {
	if i, ok := s.index[b.id]; ok {
		s.began[i] = b // one step takes no time
		return
	}
	s.index[b.id] = len(s.began)
	s.began = append(s.began, b)
}

func (s *sessions) end(at time.Time, of func(*beginning) bool) {
	for i := range s.began {
		if b := &s.began[i]; b.stay.To.IsZero() && of(b) {
			b.stay.To = at
		}
	}
}
