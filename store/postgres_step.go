package store

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/lectern-room/lectern/room"
)

// A step is saved by one statement a table, for all the steps of a group
// together. The first moves the rooms on that are at the version before; those
// after it touch only rooms that this transaction has moved on, which the
// room's row itself tells (xmin: the transaction that wrote it). So a step
// that comes too late writes nothing, and nothing has to be asked in between.
const (
	// The rooms are locked first, in order, so that two groups never wait for
	// each other in a circle.
	lockRooms    = `WITH mine AS (SELECT id FROM room WHERE id = ANY ($1) ORDER BY id FOR UPDATE`
	skipLocked   = ` SKIP LOCKED`
	moveRoomsOn  = lockRooms + moveMineOn
	moveFreeOnes = lockRooms + skipLocked + moveMineOn
	moveMineOn   = `)
		UPDATE room SET version = n.version, at = n.at, title = n.title, instructor_id = n.instructor_id,
			instructor_name = n.instructor_name, code = n.code, renewals = n.renewals, capacity = n.capacity,
			slot = n.slot, status = n.status, options = n.options, policy = n.policy,
			opened_at = n.opened_at, closed_at = n.closed_at,
			taken = n.taken, waiting = n.waiting, pending = n.pending, online_count = n.online_count, due_at = n.due_at
		FROM mine JOIN ` + newRooms + ` USING (id)
		WHERE room.id = mine.id AND room.version = n.version - 1
		RETURNING room.id`

	openRooms = `
		INSERT INTO room (id, version, at, title, instructor_id, instructor_name, code, renewals, capacity,
			slot, status, options, policy, opened_at, closed_at, taken, waiting, pending, online_count, due_at)
		SELECT n.* FROM ` + newRooms + `
		ON CONFLICT (id) DO NOTHING
		RETURNING id`

	newRooms = `unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
			$8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::bigint[],
			$15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[])
		AS n (id, version, at, title, instructor_id, instructor_name, code, renewals, capacity,
			slot, status, options, policy, opened_at, closed_at, taken, waiting, pending, online_count, due_at)`

	// movedOn ends a FROM clause with rows n: of rooms that have been.
	movedOn = ` JOIN room AS r ON r.id = n.room_id AND r.xmin = pg_current_xact_id()::xid `

	releaseClaims = `
		DELETE FROM claim USING unnest($1::text[], $2::text[]) AS n (key, room_id)` + movedOn + `
		WHERE claim.key = n.key AND claim.room_id = n.room_id`

	// A name that another room holds violates the key, and fails the step.
	takeClaims = `
		INSERT INTO claim (key, room_id)
		SELECT n.key, n.room_id FROM unnest($1::text[], $2::text[]) AS n (key, room_id)` + movedOn + `
			LEFT JOIN claim AS held ON held.key = n.key AND held.room_id = n.room_id
		WHERE held.key IS NULL
		ORDER BY n.key`

	insertEntries = `
		INSERT INTO room_log (room_id, version, at, batch, answers, events, taken, online_count)
		SELECT n.* FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[],
				$7::bigint[], $8::bigint[])
			AS n (room_id, version, at, batch, answers, events, taken, online_count)` + movedOn

	freeSeats = `
		UPDATE attendee SET seat = NULL
		FROM unnest($1::text[], $2::text[]) AS n (room_id, user_id)` + movedOn + `
		WHERE attendee.room_id = n.room_id AND attendee.user_id = n.user_id`

	putAttendees = `
		INSERT INTO attendee (room_id, user_id, name, guest, state, seat, last_seat, online,
			joined_at, first_joined_at, left_at, banned_at, away_at, offline_at, place, left_for)
		SELECT n.* FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::bigint[],
				$7::bigint[], $8::boolean[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
				$14::bigint[], $15::bigint[], $16::text[])
			AS n (room_id, user_id, name, guest, state, seat, last_seat, online,
				joined_at, first_joined_at, left_at, banned_at, away_at, offline_at, place, left_for)` + movedOn + keepAttendees

	putCorrections = `
		INSERT INTO correction (room_id, user_id, version, at, by_user, status, reason)
		SELECT n.* FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[])
			AS n (room_id, user_id, version, at, by_user, status, reason)` + movedOn

	endTheseSessions = `
		UPDATE session SET disconnected_at = n.at
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) AS n (room_id, at, since, session_id)` + movedOn + `
		WHERE session.room_id = n.room_id AND session.disconnected_at IS NULL
			AND session.connected_at = n.since AND session.session_id = n.session_id`
	endSessionsOfRooms = `
		UPDATE session SET disconnected_at = n.at
		FROM unnest($1::text[], $2::bigint[]) AS n (room_id, at)` + movedOn + `
		WHERE session.room_id = n.room_id AND session.disconnected_at IS NULL`

	putSessions = `
		INSERT INTO session (room_id, session_id, user_id, instance_id, connected_at, disconnected_at)
		SELECT n.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
			AS n (room_id, session_id, user_id, instance_id, connected_at, disconnected_at)` + movedOn + keepSessions
)

// write saves steps of different rooms in one round trip, which is a
// transaction if the connection is in none. The rooms statement is the first
// to write; write returns which rooms it has moved on.
func write(ctx context.Context, conn *pgx.Conn, rooms string, steps ...*room.Step) (moved map[room.ID]bool, err error) {
	var tables tables
	var batch pgx.Batch
	for _, step := range steps {
		if err := tables.add(step); err != nil {
			return nil, err
		}
		if more := extra(step); more > 0 {
			batch.Queue(allowStatements, strconv.FormatInt((statementTimeout+more).Milliseconds(), 10))
		}
	}
	moved = make(map[room.ID]bool, len(steps))
	batch.Queue(rooms, tables.rooms.args()...).Query(func(rows pgx.Rows) error {
		var id room.ID
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			moved[id] = true
			return nil
		})
		return err
	})
	for _, write := range []struct {
		statement string
		rows      table
	}{
		{releaseClaims, tables.releases},
		{takeClaims, tables.claims},
		{insertEntries, tables.entries},
		{freeSeats, tables.freed}, // before any is given: the step may give it to another
		{putAttendees, tables.attendees},
		{putCorrections, tables.corrections},
		{endTheseSessions, tables.ended},
		{endSessionsOfRooms, tables.emptied},
		{putSessions, tables.sessions},
	} {
		if write.rows != nil {
			batch.Queue(write.statement, write.rows.args()...)
		}
	}
	return moved, conn.SendBatch(ctx, &batch).Close()
}

// tables are the rows that steps write.
type tables struct {
	rooms, releases, claims, entries, freed, attendees, corrections table
	ended, emptied, sessions                                        table
}

func (t *tables) add(step *room.Step) error {
	roomRow, err := roomRow(step)
	if err != nil {
		return err
	}
	entryRow, err := entryRow(step)
	if err != nil {
		return err
	}
	t.rooms.add(roomRow...)
	t.entries.add(entryRow...)
	id := step.Room.ID
	for _, key := range step.Release {
		t.releases.add(key, id)
	}
	for _, key := range step.Claim {
		t.claims.add(key, id)
	}
	for _, user := range leavers(step) {
		t.freed.add(id, user)
	}
	for _, p := range step.People {
		t.attendees.add(addAttendee(nil, string(id), p)...)
	}
	for _, row := range correctionRows(step) {
		t.corrections.add(row...)
	}
	t.addSessions(step)
	return nil
}

func (t *tables) addSessions(step *room.Step) {
	var id any = string(step.Room.ID)
	s := sessionsOf(step)
	for i := range s.ended {
		t.ended.add(s.ended[i].row(id)...)
	}
	if step.Room.Status == room.Closed {
		t.emptied.add(id, millis(step.Room.ClosedAt))
	}
	for i := range s.began {
		t.sessions.add(s.began[i].addTo(nil, id)...)
	}
}

// A table is rows column by column, as unnest takes them.
type table [][]any

func (t *table) add(row ...any) {
	if *t == nil {
		*t = make(table, len(row))
	}
	for i, value := range row {
		(*t)[i] = append((*t)[i], value)
	}
}

func (t table) args() []any {
	args := make([]any, len(t))
	for i, column := range t {
		args[i] = column
	}
	return args
}
