package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lectern-room/lectern/room"
)

const (
	selectRoom = `
		SELECT id, version, at, title, instructor_id, instructor_name, code, renewals, capacity,
			slot, status, options, policy, opened_at, closed_at, taken, waiting, pending, online_count, due_at
		FROM room `

	selectPeople = `
		SELECT user_id, name, guest, state, coalesce(seat, 0), last_seat, online,
			joined_at, first_joined_at, left_at, banned_at, away_at, offline_at, coalesce(place, 0), coalesce(left_for, '')
		FROM attendee WHERE room_id = $1 `

	selectCorrections = `SELECT user_id, at, by_user, status, reason FROM correction WHERE room_id = $1 ORDER BY version`

	selectOpenSessions = `
		SELECT user_id, session_id, instance_id, connected_at FROM session
		WHERE room_id = $1 AND disconnected_at IS NULL ORDER BY connected_at, session_id`

	selectEntries = `SELECT version, at, batch, answers, events FROM room_log WHERE room_id = $1 `

	// An entry is never older than the one before it: looked at backwards, a
	// long log costs nothing.
	selectSince = selectEntries + `
		AND version > coalesce(
			(SELECT version FROM room_log WHERE room_id = $1 AND at < $2 ORDER BY version DESC LIMIT 1), 0)
		ORDER BY version`

	selectAfter = selectEntries + `AND version > $2 ORDER BY version LIMIT $3`
)

// A reader answers what both databases are asked in the same words.
type reader struct {
	db       *sql.DB
	snapshot sql.TxOptions // a transaction that sees one moment
	elements string        // the function that makes rows (value) of a JSON array
	position string        // the function that finds a text in a text, from 1
}

// Load is room.Store's.
func (r *reader) Load(ctx context.Context, id room.ID, since time.Time) (*room.Room, []room.Entry, error) {
	var (
		header  room.Header
		people  []*room.Person
		entries []room.Entry
	)
	err := r.look(ctx, id, func(tx *sql.Tx) (err error) {
		if header, err = loadHeader(ctx, tx, id); err != nil {
			return err
		}
		if people, err = loadPeople(ctx, tx, id, ""); err != nil {
			return err
		}
		if err = loadSessions(ctx, tx, id, people); err != nil {
			return err
		}
		from := since.Add(time.Millisecond - 1).UnixMilli() // the first that is not before since
		entries, err = loadEntries(ctx, tx, id, selectSince, id, from)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	names := map[room.UserID]string{header.Instructor.User: header.Instructor.Name}
	for _, p := range people {
		names[p.User] = p.Name
	}
	for i := range entries {
		nameAll(&entries[i], names)
	}
	return room.Restore(header, people), entries, nil
}

// Entries is room.Store's.
func (r *reader) Entries(ctx context.Context, id room.ID, after int64, limit int) ([]room.Entry, error) {
	var entries []room.Entry
	err := r.look(ctx, id, func(tx *sql.Tx) (err error) {
		if entries, err = loadEntries(ctx, tx, id, selectAfter, id, after, limit); err != nil {
			return err
		}
		return r.loadNames(ctx, tx, id, entries)
	})
	return entries, err
}

// look calls f with a transaction in which the store stands still.
func (r *reader) look(ctx context.Context, id room.ID, f func(*sql.Tx) error) error {
	tx, err := r.db.BeginTx(ctx, &r.snapshot)
	if err != nil {
		return fmt.Errorf("read room %s: %w", id, err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return fmt.Errorf("read room %s: %w", id, err)
	}
	return nil
}

// loadHeader answers ErrNotFound if there is no such room.
func loadHeader(ctx context.Context, tx connection, id room.ID) (room.Header, error) {
	rows, err := tx.QueryContext(ctx, selectRoom+`WHERE id = $1`, id)
	if err != nil {
		return room.Header{}, err
	}
	headers, err := collect(rows, scanHeader)
	switch {
	case err != nil:
		return room.Header{}, err
	case len(headers) == 0:
		return room.Header{}, room.ErrNotFound
	}
	return headers[0], nil
}

func scanHeader(rows *sql.Rows) (room.Header, error) {
	var (
		h       room.Header
		options []byte
		policy  []byte
	)
	err := rows.Scan(&h.ID, &h.Version, moment{&h.At}, &h.Title, &h.Instructor.User, &h.Instructor.Name, &h.Code,
		&h.Renewals, &h.Capacity, &h.Slot, &h.Status, &options, &policy,
		moment{&h.OpenedAt}, moment{&h.ClosedAt}, &h.Taken, &h.Waiting, &h.Pending, &h.Online, moment{&h.DueAt})
	if err != nil {
		return h, err
	}
	h.Instructor.Role = room.Instructor
	return h, cmp.Or(json.Unmarshal(options, &h.Options), json.Unmarshal(policy, &h.Policy))
}

// loadPeople returns those of whom the condition holds.
func loadPeople(ctx context.Context, tx *sql.Tx, id room.ID, condition string) ([]*room.Person, error) {
	rows, err := tx.QueryContext(ctx, selectPeople+condition, id)
	if err != nil {
		return nil, err
	}
	people, err := collect(rows, func(rows *sql.Rows) (*room.Person, error) {
		var p room.Person
		return &p, rows.Scan(&p.User, &p.Name, &p.Guest, &p.State, &p.Seat, &p.LastSeat, &p.Online,
			moment{&p.JoinedAt}, moment{&p.FirstJoinedAt}, moment{&p.LeftAt}, moment{&p.BannedAt}, moment{&p.AwayAt},
			moment{&p.OfflineAt}, &p.Place, &p.LeftFor)
	})
	if err != nil {
		return nil, err
	}
	return people, loadCorrections(ctx, tx, id, people)
}

// loadCorrections gives the people their current corrections.
func loadCorrections(ctx context.Context, tx *sql.Tx, id room.ID, people []*room.Person) error {
	rows, err := tx.QueryContext(ctx, selectCorrections, id)
	if err != nil {
		return err
	}
	latest := map[room.UserID]*room.Correction{}
	err = each(rows, func(rows *sql.Rows) error {
		var (
			user room.UserID
			c    room.Correction
		)
		err := rows.Scan(&user, moment{&c.At}, &c.By, &c.Status, &c.Reason)
		latest[user] = &c
		return err
	})
	for _, p := range people {
		if c := latest[p.User]; c != nil && c.Status != "" {
			p.Correction = c
		}
	}
	return err
}

// loadSessions gives the people their open sessions.
func loadSessions(ctx context.Context, tx *sql.Tx, id room.ID, people []*room.Person) error {
	byUser := make(map[room.UserID]*room.Person, len(people))
	for _, p := range people {
		byUser[p.User] = p
	}
	rows, err := tx.QueryContext(ctx, selectOpenSessions, id)
	if err != nil {
		return err
	}
	return each(rows, func(rows *sql.Rows) error {
		var (
			user    room.UserID
			session room.Session
		)
		err := rows.Scan(&user, &session.ID, &session.Instance, moment{&session.Since})
		if p := byUser[user]; p != nil {
			p.Sessions = append(p.Sessions, session)
		}
		return err
	})
}

func loadEntries(ctx context.Context, tx *sql.Tx, id room.ID, query string, args ...any) ([]room.Entry, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (room.Entry, error) { return scanEntry(rows, id) })
}

// collect scans and closes rows.
func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	var all []T
	err := each(rows, func(rows *sql.Rows) error {
		one, err := scan(rows)
		all = append(all, one)
		return err
	})
	return all, err
}

// each hands rows on one by one and closes them.
func each(rows *sql.Rows, take func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := take(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scanEntry(rows *sql.Rows, id room.ID) (room.Entry, error) {
	e := room.Entry{Room: id}
	var answers, events []byte
	if err := rows.Scan(&e.Version, moment{&e.At}, &e.Batch, &answers, &events); err != nil {
		return e, err
	}
	if err := json.Unmarshal(answers, &e.Answers); err != nil {
		return e, err
	}
	return e, json.Unmarshal(events, &e.Events)
}
