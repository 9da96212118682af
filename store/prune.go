package store

import (
	"context"
	"fmt"
	"time"

	"github.com/lectern-room/lectern/room"
)

// Prune deletes rooms that were closed before the given time, at most limit,
// the one closed longest first, and everything that belongs to them. It
// returns how many; any number of instances may do so at once.
func (s *SQLite) Prune(ctx context.Context, closedBefore time.Time, limit int) (rooms int, err error) {
	return s.prune(ctx, closedBefore, limit, s.do)
}

// Prune is as SQLite.Prune. A room that another instance is at is left to it.
func (p *Postgres) Prune(ctx context.Context, closedBefore time.Time, limit int) (rooms int, err error) {
	return p.prune(ctx, closedBefore, limit, p.skipping)
}

func (r *reader) prune(ctx context.Context, closedBefore time.Time, limit int, do func(context.Context, room.ID, work) error) (rooms int, err error) {
	before := closedBefore.UnixMilli()
	ids, err := list(ctx, r, scanID, `SELECT id FROM room WHERE closed_at < $1 ORDER BY closed_at LIMIT $2`, before, limit)
	if err != nil {
		return 0, fmt.Errorf("read the rooms that were closed before %s: %w", room.Stamp(closedBefore), err)
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			return rooms, context.Cause(ctx)
		}
		var gone int64
		err := do(ctx, id, func(ctx context.Context, tx connection, _ time.Time) (err error) {
			gone, err = change(ctx, tx, `DELETE FROM room WHERE id = $1 AND closed_at < $2`, id, before)
			if err != nil || gone == 0 {
				return err
			}
			return deleteWith(ctx, tx, id)
		})
		if err != nil {
			return rooms, fmt.Errorf("delete room %s: %w", id, err)
		}
		rooms += int(gone)
	}
	return rooms, nil
}

// deleteWith deletes all that belongs to a room.
func deleteWith(ctx context.Context, tx connection, id room.ID) error {
	for _, table := range []string{"claim", "room_log", "attendee", "session", "correction"} {
		if _, err := change(ctx, tx, `DELETE FROM `+table+` WHERE room_id = $1`, id); err != nil {
			return err
		}
	}
	return nil
}
