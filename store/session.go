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
		ON CONFLICT (room_id, user_id, session_id, connected_at) DO UPDATE SET
			instance_id = excluded.instance_id, disconnected_at = excluded.disconnected_at`
	sessionColumns = 6

	endSessions  = `UPDATE session SET disconnected_at = $2 WHERE room_id = $1 AND disconnected_at IS NULL`
	endSessionOf = endSessions + ` AND user_id = $3`
	endSession   = endSessionOf + ` AND session_id = $4`
)

// sessions is what an entry does to the sessions of its room.
type sessions struct {
	began []beginning                   // in order
	index map[room.SessionID]int        // of began
	ended map[room.SessionID]room.Event // of those that began earlier
	left  []room.UserID                 // whose earlier sessions all ended
}

type beginning struct {
	id    room.SessionID
	stay  room.Stay
	where room.InstanceID
}

func (w *writer) saveSessions(ctx context.Context, step *room.Step) error {
	id := step.Room.ID
	s := sessionsOf(step)
	for session, e := range s.ended {
		if _, err := w.exec(ctx, endSession, id, millis(e.At), e.User, session); err != nil {
			return err
		}
	}
	for _, user := range s.left {
		if _, err := w.exec(ctx, endSessionOf, id, millis(step.Entry.At), user); err != nil {
			return err
		}
	}
	if step.Room.Status == room.Closed {
		if _, err := w.exec(ctx, endSessions, id, millis(step.Room.ClosedAt)); err != nil {
			return err
		}
	}
	rows := make([]any, 0, len(s.began)*sessionColumns)
	for _, b := range s.began {
		rows = append(rows, b.row(id)...)
	}
	return w.insert(ctx, insertSessions, sessionColumns, keepSessions, rows)
}

// sessionsOf folds the entry's events into one net change a session.
func sessionsOf(step *room.Step) sessions {
	s := sessions{index: map[room.SessionID]int{}, ended: map[room.SessionID]room.Event{}}
	at := step.Entry.At
	for _, e := range step.Entry.Events {
		switch e.Type {
		case room.EventConnected:
			s.begin(beginning{id: e.Session, stay: room.Stay{User: e.User, From: at}, where: e.Instance})
		case room.EventDisconnected:
			if i, ok := s.index[e.Session]; ok {
				s.began[i].stay.To = e.At
			} else {
				s.ended[e.Session] = e
			}
		case room.EventLeft:
			s.left = append(s.left, e.User)
			s.end(at, func(b *beginning) bool { return b.stay.User == e.User })
		case room.EventClosed:
			s.end(step.Room.ClosedAt, func(*beginning) bool { return true })
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
