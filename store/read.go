package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/lectern-room/lectern/room"
)

// Holder is room.Store's.
func (r *reader) Holder(ctx context.Context, claim string) (room.ID, error) {
	ids, err := list(ctx, r, scanID, selectHolder, claim)
	if err == nil && len(ids) == 0 {
		err = room.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("read a claim: %w", err)
	}
	return ids[0], nil
}

// Due is room.Store's.
func (r *reader) Due(ctx context.Context, at time.Time, limit int) ([]room.ID, error) {
	ids, err := list(ctx, r, scanID, `SELECT id FROM room WHERE due_at <= $1 ORDER BY due_at LIMIT $2`, at.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("read the due rooms: %w", err)
	}
	return ids, nil
}

// Versions is room.Store's.
func (r *reader) Versions(ctx context.Context, ids []room.ID) (map[room.ID]int64, error) {
	array, err := json.Marshal(append([]room.ID{}, ids...))
	if err != nil {
		return nil, fmt.Errorf("read the versions of %d rooms: %w", len(ids), err)
	}
	type row struct {
		id      room.ID
		version int64
	}
	rows, err := list(ctx, r, func(rows *sql.Rows) (row, error) {
		var one row
		return one, rows.Scan(&one.id, &one.version)
	}, fmt.Sprintf(`SELECT id, version FROM room WHERE id IN (SELECT value FROM %s($1))`, r.elements), string(array))
	if err != nil {
		return nil, fmt.Errorf("read the versions of %d rooms: %w", len(ids), err)
	}
	versions := make(map[room.ID]int64, len(rows))
	for _, one := range rows {
		versions[one.id] = one.version
	}
	return versions, nil
}

const (
	// selectGone finds the instances that have open sessions and are dead or
	// not known. It steps from one instance to the next in the index, so that
	// a full house costs no more than an empty one.
	selectGone = `
		WITH RECURSIVE present (id) AS (
			SELECT min(instance_id) FROM session WHERE disconnected_at IS NULL
			UNION ALL
			SELECT (SELECT min(instance_id) FROM session WHERE disconnected_at IS NULL AND instance_id > present.id)
			FROM present WHERE present.id IS NOT NULL)
		SELECT present.id FROM present LEFT JOIN instance i ON i.id = present.id
		WHERE present.id IS NOT NULL AND (i.id IS NULL OR i.dead_at IS NOT NULL)`

	selectOrphans = `
		SELECT room_id, instance_id, coalesce((SELECT beat_at FROM instance WHERE id = instance_id), max(connected_at))
		FROM session WHERE instance_id = $1 AND disconnected_at IS NULL
		GROUP BY room_id, instance_id ORDER BY room_id`
)

// Orphans is room.Store's.
func (r *reader) Orphans(ctx context.Context) (orphans []room.Orphan, err error) {
	gone, err := list(ctx, r, func(rows *sql.Rows) (id room.InstanceID, err error) { return id, rows.Scan(&id) }, selectGone)
	if err != nil {
		return nil, fmt.Errorf("read the instances that are gone: %w", err)
	}
	for _, id := range gone {
		left, err := list(ctx, r, func(rows *sql.Rows) (room.Orphan, error) {
			var o room.Orphan
			return o, rows.Scan(&o.Room, &o.Instance, moment{&o.BeatAt})
		}, selectOrphans, id)
		if err != nil {
			return nil, fmt.Errorf("read the orphans of %s: %w", id, err)
		}
		orphans = append(orphans, left...)
	}
	return orphans, nil
}

// Rooms returns an instructor's rooms, the newest first, at most limit, of
// those older than the given one; an empty id begins with the newest.
func (r *reader) Rooms(ctx context.Context, instructor room.UserID, before room.ID, limit int) ([]room.Header, error) {
	headers, err := list(ctx, r, scanHeader,
		selectRoom+`WHERE instructor_id = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`, instructor, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read the rooms of %s: %w", instructor, err)
	}
	return headers, nil
}

// Places returns the places that a person has in rooms that are not closed,
// the newest room first.
func (r *reader) Places(ctx context.Context, user room.UserID) ([]room.Place, error) {
	places, err := list(ctx, r, func(rows *sql.Rows) (room.Place, error) {
		var p room.Place
		return p, rows.Scan(&p.Room, &p.State, &p.Seat, &p.Position)
	}, `
		SELECT a.room_id, a.state, coalesce(a.seat, 0), CASE WHEN a.state = 'waiting' THEN (
			SELECT count(*) FROM attendee w WHERE w.room_id = a.room_id AND w.state = 'waiting' AND w.place <= a.place) ELSE 0 END
		FROM attendee a JOIN room r ON r.id = a.room_id
		WHERE a.user_id = $1 AND a.state IN ('seated', 'waiting', 'pending') AND r.status <> 'closed'
		ORDER BY a.room_id DESC`, user)
	if err != nil {
		return nil, fmt.Errorf("read the places of %s: %w", user, err)
	}
	return places, nil
}

// History returns what the attendance record of a room is made of: of the
// people, those who ever had a place, without their sessions. It returns
// room.ErrNotFound if there is no such room.
func (r *reader) History(ctx context.Context, id room.ID) (*room.History, error) {
	var h room.History
	err := r.look(ctx, id, func(tx *sql.Tx) (err error) {
		if h.Room, err = loadHeader(ctx, tx, id); err != nil {
			return err
		}
		if h.People, err = loadPeople(ctx, tx, id, `AND first_joined_at IS NOT NULL ORDER BY first_joined_at, user_id`); err != nil {
			return err
		}
		if h.Stays, err = loadStays(ctx, tx, id); err != nil {
			return err
		}
		h.Points, err = loadPoints(ctx, tx, &h.Room)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &h, nil
}

func loadStays(ctx context.Context, tx *sql.Tx, id room.ID) ([]room.Stay, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT user_id, connected_at, disconnected_at FROM session
		WHERE room_id = $1 ORDER BY connected_at, session_id`, id)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (room.Stay, error) {
		var s room.Stay
		return s, rows.Scan(&s.User, moment{&s.From}, moment{&s.To})
	})
}

// Of a log most of which changes neither number, what comes back is short.
const selectPoints = `
	SELECT at, taken, online_count
	FROM (
		SELECT version, at, taken, online_count, lag(taken) OVER log AS taken_before,
			lag(online_count) OVER log AS online_before, lead(version) OVER log AS version_after
		FROM room_log WHERE room_id = $1
		WINDOW log AS (ORDER BY version)
	) AS point
	WHERE taken_before IS NULL OR taken <> taken_before OR online_count <> online_before OR version_after IS NULL
	ORDER BY version`

// loadPoints returns the first and the last point, and those that differ from
// the one before. None is after the room closed: what is written later, a
// correction say, changes neither number.
func loadPoints(ctx context.Context, tx *sql.Tx, h *room.Header) ([]room.Point, error) {
	rows, err := tx.QueryContext(ctx, selectPoints, h.ID)
	if err != nil {
		return nil, err
	}
	points, err := collect(rows, func(rows *sql.Rows) (room.Point, error) {
		var p room.Point
		err := rows.Scan(moment{&p.At}, &p.Taken, &p.Online)
		if !h.ClosedAt.IsZero() && p.At.After(h.ClosedAt) {
			p.At = h.ClosedAt
		}
		return p, err
	})
	return slices.Compact(points), err
}

// list returns what one query finds.
func list[T any](ctx context.Context, r *reader, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scan)
}

func scanID(rows *sql.Rows) (room.ID, error) {
	var id room.ID
	return id, rows.Scan(&id)
}

// A moment scans a time that millis wrote.
type moment struct{ at *time.Time }

func (m moment) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*m.at = time.Time{}
	case int64:
		*m.at = time.UnixMilli(v).UTC()
	default:
		return fmt.Errorf("a time in milliseconds is a %T", value)
	}
	return nil
}
