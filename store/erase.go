package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/lectern-room/lectern/room"
)

// searchedAtOnce bounds how many entries one statement searches: some
// milliseconds' worth, and well within the server's limit for a statement even
// if each is of a full batch.
const searchedAtOnce = 250

const searchLog = `
	SELECT room_id, version, %[1]s(answers, $3) > 0 OR %[1]s(events, $3) > 0 FROM room_log
	WHERE (room_id, version) > ($1, $2) ORDER BY room_id, version LIMIT $4`

// Erase takes a person's id and name out of every closed room, each in a
// transaction that adds an entry of its own (room.EventErased). Repeated, it
// finds nothing. If it fails, what it has done so far stays: call it again.
// At last it writes the file anew, in which the old words would stay until
// their room is needed; also if it finds nothing, since a call before may have
// ended too early.
func (s *SQLite) Erase(ctx context.Context, user room.UserID) (room.Erasure, error) {
	erasure, err := s.erase(ctx, user, s.do)
	anew := s.alone(context.WithoutCancel(ctx), func(ctx context.Context) error {
		_, err := s.writer.conn.ExecContext(ctx, `VACUUM`)
		return err
	})
	return erasure, errors.Join(err, anew)
}

// Erase is as SQLite.Erase, but for the files: there the old words stay until
// the database vacuums.
func (p *Postgres) Erase(ctx context.Context, user room.UserID) (room.Erasure, error) {
	return p.erase(ctx, user, p.waiting)
}

func (r *reader) erase(ctx context.Context, user room.UserID, do func(context.Context, room.ID, work) error) (room.Erasure, error) {
	erasure := room.Erasure{Rows: map[string]int{}}
	ids, err := r.roomsOf(ctx, user)
	if err != nil {
		return erasure, fmt.Errorf("find the rooms of %s: %w", user, err)
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			return erasure, context.Cause(ctx)
		}
		e := eraser{reader: r, user: user, rows: map[string]int{}}
		closed := false
		err := r.look(ctx, id, func(tx *sql.Tx) (err error) {
			e.tx = tx
			closed, err = e.find(ctx, id)
			return err
		})
		if closed { // and stays so
			err = do(ctx, id, func(ctx context.Context, tx connection, now time.Time) error {
				e.tx = tx
				return e.erase(ctx, id, now)
			})
		}
		switch {
		case err != nil:
			return erasure, fmt.Errorf("erase %s from room %s: %w", user, id, err)
		case e.open:
			erasure.Open = append(erasure.Open, id)
		case len(e.rows) > 0:
			erasure.Rooms = append(erasure.Rooms, id)
			for table, n := range e.rows {
				erasure.Rows[table] += n
			}
		}
	}
	return erasure, nil
}

// roomsOf returns the rooms that may know of the person, by id: what a room
// knows of anybody its log says.
func (r *reader) roomsOf(ctx context.Context, user room.UserID) ([]room.ID, error) {
	text, err := json.Marshal(user)
	if err != nil {
		return nil, err
	}
	ids := map[room.ID]bool{}
	var last mention
	for more := true; more; {
		some, err := list(ctx, r, scanMention, fmt.Sprintf(searchLog, r.position), last.room, last.version, string(text), searchedAtOnce)
		if err != nil {
			return nil, err
		}
		for _, last = range some {
			if last.found {
				ids[last.room] = true
			}
		}
		if ids[last.room] {
			last.version = math.MaxInt64 // on to the next room
		}
		more = len(some) == searchedAtOnce
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

// A mention tells whether an entry may hold the person's id.
type mention struct {
	room    room.ID
	version int64
	found   bool
}

func scanMention(rows *sql.Rows) (mention, error) {
	var m mention
	return m, rows.Scan(&m.room, &m.version, &m.found)
}
