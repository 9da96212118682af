package store

import (
	"context"

	"github.com/lectern-room/lectern/room"
)

const (
	insertRoom = `
		INSERT INTO room (id, version, at, title, instructor_id, instructor_name, code, renewals, capacity,
			slot, status, options, policy, opened_at, closed_at, taken, waiting, pending, online_count, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
		ON CONFLICT (id) DO NOTHING`

	updateRoom = `
		UPDATE room SET version = $2, at = $3, title = $4, instructor_id = $5, instructor_name = $6, code = $7,
			renewals = $8, capacity = $9, slot = $10, status = $11, options = $12, policy = $13, opened_at = $14,
			closed_at = $15, taken = $16, waiting = $17, pending = $18, online_count = $19, due_at = $20
		WHERE id = $1 AND version = $2 - 1`

	insertEntry = `
		INSERT INTO room_log (room_id, version, at, batch, answers, events, taken, online_count)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

	selectBatch = `SELECT batch FROM room_log WHERE room_id = $1 AND version = $2`

	insertClaim  = `INSERT INTO claim (key, room_id) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`
	deleteClaim  = `DELETE FROM claim WHERE key = $1 AND room_id = $2`
	selectHolder = `SELECT room_id FROM claim WHERE key = $1`

	freeSeat = `UPDATE attendee SET seat = NULL WHERE room_id = $1 AND user_id = $2`

	insertAttendees = `
		INSERT INTO attendee (room_id, user_id, name, guest, state, seat, last_seat, online,
			joined_at, first_joined_at, left_at, banned_at, away_at, offline_at, place, left_for)
		VALUES `
	keepAttendees = `
		ON CONFLICT (room_id, user_id) DO UPDATE SET
			name = excluded.name, guest = excluded.guest, state = excluded.state, seat = excluded.seat,
			last_seat = excluded.last_seat, online = excluded.online, joined_at = excluded.joined_at,
			first_joined_at = excluded.first_joined_at, left_at = excluded.left_at,
			banned_at = excluded.banned_at, away_at = excluded.away_at, offline_at = excluded.offline_at,
			place = excluded.place, left_for = excluded.left_for`
	attendeeColumns = 16

	insertCorrections = `
		INSERT INTO correction (room_id, user_id, version, at, by_user, status, reason)
		VALUES `
	correctionColumns = 7
)

// save writes one step. It returns nil without writing if the very step is
// saved already.
func (w *writer) save(ctx context.Context, step *room.Step) error {
	if saved, err := w.saveRoom(ctx, step); saved || err != nil {
		return err
	}
	if err := w.saveClaims(ctx, step); err != nil {
		return err
	}
	if err := w.saveEntry(ctx, step); err != nil {
		return err
	}
	if err := w.savePeople(ctx, step); err != nil {
		return err
	}
	if err := w.saveCorrections(ctx, step); err != nil {
		return err
	}
	return w.saveSessions(ctx, step)
}

func (w *writer) saveRoom(ctx context.Context, step *room.Step) (saved bool, err error) {
	row, err := roomRow(step)
	if err != nil {
		return false, err
	}
	query := updateRoom
	if step.Entry.Version == 1 {
		query = insertRoom
	}
	n, err := w.exec(ctx, query, row...)
	if err != nil || n == 1 {
		return false, err
	}
	var batch string
	found, err := w.find(ctx, selectBatch, &batch, step.Room.ID, step.Entry.Version)
	switch {
	case err != nil:
		return false, err
	case found && batch == step.Entry.Batch:
		return true, nil
	}
	return false, room.ErrStale
}

func (w *writer) saveClaims(ctx context.Context, step *room.Step) error {
	for _, key := range step.Release {
		if _, err := w.exec(ctx, deleteClaim, key, string(step.Room.ID)); err != nil {
			return err
		}
	}
	for _, key := range step.Claim {
		if err := w.claim(ctx, step.Room.ID, key); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) claim(ctx context.Context, id room.ID, key string) error {
	n, err := w.exec(ctx, insertClaim, key, string(id))
	if err != nil || n == 1 {
		return err
	}
	var holder room.ID
	if _, err := w.find(ctx, selectHolder, &holder, key); err != nil {
		return err
	}
	if holder != id {
		return &room.Claimed{Key: key, Holder: holder}
	}
	return nil
}

func (w *writer) saveEntry(ctx context.Context, step *room.Step) error {
	row, err := entryRow(step)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, insertEntry, row...)
	return err
}

// savePeople frees the seats of those who left before it gives any: nothing
// else frees a seat, and the step may give it to another or to the same.
func (w *writer) savePeople(ctx context.Context, step *room.Step) error {
	for _, user := range leavers(step) {
		if _, err := w.exec(ctx, freeSeat, string(step.Room.ID), string(user)); err != nil {
			return err
		}
	}
	var id any = string(step.Room.ID)
	rows := make([]any, 0, len(step.People)*attendeeColumns)
	for _, p := range step.People {
		rows = addAttendee(rows, id, p)
	}
	return w.insert(ctx, insertAttendees, attendeeColumns, keepAttendees, rows)
}

func (w *writer) saveCorrections(ctx context.Context, step *room.Step) error {
	var rows []any
	for _, row := range correctionRows(step) {
		rows = append(rows, row...)
	}
	return w.insert(ctx, insertCorrections, correctionColumns, "", rows)
}
