package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lectern-room/lectern/room"
)

// rewrittenAtOnce bounds how many entries of one room are in memory at a time:
// some 20 MB if each is of a full batch.
const rewrittenAtOnce = 64

const (
	selectMentions = `
		SELECT version, answers, events FROM room_log
		WHERE room_id = $1 AND version > $2 AND version <= $2 + $4 AND (%[1]s(answers, $3) > 0 OR %[1]s(events, $3) > 0)
		ORDER BY version`

	rewriteEntry = `UPDATE room_log SET answers = $3, events = $4 WHERE room_id = $1 AND version = $2`

	eraseAttendee = `UPDATE attendee SET user_id = $3, name = $3 WHERE room_id = $1 AND user_id = $2`
	eraseSessions = `UPDATE session SET user_id = $3 WHERE room_id = $1 AND user_id = $2`

	// Of a correction of the person the reason goes too: it may say anything.
	eraseCorrections = `
		UPDATE correction SET
			user_id = CASE WHEN user_id = $2 THEN $3 ELSE user_id END,
			reason = CASE WHEN user_id = $2 THEN '' ELSE reason END,
			by_user = CASE WHEN by_user = $2 THEN $3 ELSE by_user END
		WHERE room_id = $1 AND (user_id = $2 OR by_user = $2)`

	selectClaims = `SELECT key FROM claim WHERE room_id = $1`
)

// An eraser takes one person out of one room.
type eraser struct {
	*reader
	tx   connection
	room room.Header
	user room.UserID
	to   room.UserID    // who the person is from now on
	rows map[string]int // that were changed, by table
	open bool           // the room is not closed, and knows the person
}

// find finds out whether the room is closed, and of one that is not, whether
// it knows the person: it holds nobody up there.
func (e *eraser) find(ctx context.Context, id room.ID) (closed bool, err error) {
	e.room, err = loadHeader(ctx, e.tx, id)
	switch {
	case errors.Is(err, room.ErrNotFound):
		return false, nil // deleted meanwhile
	case err != nil || e.room.Status == room.Closed:
		return err == nil, err
	}
	return false, e.eraseLog(ctx)
}

// erase does all of it, if the room, which is closed, knows the person.
func (e *eraser) erase(ctx context.Context, id room.ID, now time.Time) (err error) {
	e.room, err = loadHeader(ctx, e.tx, id)
	if errors.Is(err, room.ErrNotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	e.to = room.UserID("erased:" + room.NewToken())
	if err := e.eraseLog(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		table     string
		statement string
	}{{"attendee", eraseAttendee}, {"session", eraseSessions}, {"correction", eraseCorrections}} {
		if err := e.change(ctx, part.table, part.statement, id, e.user, e.to); err != nil {
			return err
		}
	}
	if err := e.eraseClaims(ctx); err != nil {
		return err
	}
	if e.room.Instructor.User == e.user {
		e.room.Instructor.User, e.room.Instructor.Name = e.to, string(e.to)
		e.rows["room"]++
	}
	if len(e.rows) == 0 {
		return nil
	}
	return e.moveOn(ctx, now)
}

// change counts the rows of a table that a statement changes.
func (e *eraser) change(ctx context.Context, table, statement string, args ...any) error {
	n, err := change(ctx, e.tx, statement, args...)
	if n > 0 {
		e.rows[table] += int(n)
	}
	return err
}

// eraseLog rewrites the entries that mention the person, some at a time. Of a
// room that is not closed it only finds the first.
func (e *eraser) eraseLog(ctx context.Context) error {
	text, err := json.Marshal(e.user)
	if err != nil {
		return err
	}
	for after := int64(0); after < e.room.Version; after += rewrittenAtOnce {
		rows, err := e.tx.QueryContext(ctx, fmt.Sprintf(selectMentions, e.position), e.room.ID, after, string(text), rewrittenAtOnce)
		if err != nil {
			return err
		}
		some, err := collect(rows, scanMentioning)
		if err != nil {
			return err
		}
		for _, m := range some {
			if err := e.eraseEntry(ctx, m); err != nil {
				return fmt.Errorf("version %d: %w", m.version, err)
			}
			if e.open {
				return nil
			}
		}
	}
	return nil
}

// A mentioning is an entry that may have the person in it, as it was written.
type mentioning struct {
	version         int64
	answers, events []byte
}

func scanMentioning(rows *sql.Rows) (mentioning, error) {
	var m mentioning
	return m, rows.Scan(&m.version, &m.answers, &m.events)
}

func (e *eraser) eraseEntry(ctx context.Context, m mentioning) error {
	answers, inAnswers, err := e.rewrite(m.answers)
	if err != nil {
		return err
	}
	events, inEvents, err := e.rewrite(m.events)
	switch {
	case err != nil || !inAnswers && !inEvents:
		return err
	case e.room.Status != room.Closed:
		e.open = true
		return nil
	}
	return e.change(ctx, "room_log", rewriteEntry, e.room.ID, m.version, answers, events)
}

// rewrite replaces the person in a list of answers or events, and takes out
// why the person was corrected. What a later version has added stays.
func (e *eraser) rewrite(list []byte) (text string, changed bool, err error) {
	var all []map[string]json.RawMessage
	if err := json.Unmarshal(list, &all); err != nil {
		return "", false, err
	}
	to, err := json.Marshal(e.to)
	if err != nil {
		return "", false, err
	}
	for _, one := range all {
		if e.is(one["user"]) {
			delete(one, "why")
		}
		for _, field := range []string{"user", "by"} {
			if e.is(one[field]) {
				one[field], changed = to, true
			}
		}
	}
	written, err := json.Marshal(all)
	return string(written), changed, err
}

// is tells whether a value is the person's id.
func (e *eraser) is(value json.RawMessage) bool {
	var user room.UserID
	return value != nil && json.Unmarshal(value, &user) == nil && user == e.user
}

// eraseClaims gives up the names that hold the person's id.
func (e *eraser) eraseClaims(ctx context.Context) error {
	rows, err := e.tx.QueryContext(ctx, selectClaims, e.room.ID)
	if err != nil {
		return err
	}
	keys, err := collect(rows, func(rows *sql.Rows) (key string, err error) { return key, rows.Scan(&key) })
	for _, key := range keys {
		if err == nil && room.ClaimNames(key, e.user) {
			err = e.change(ctx, "claim", deleteClaim, key, e.room.ID)
		}
	}
	return err
}

// moveOn adds the entry that tells whoever has the room in memory.
func (e *eraser) moveOn(ctx context.Context, now time.Time) error {
	if now.After(e.room.At) {
		e.room.At = now
	}
	e.room.Version++
	step := &room.Step{Room: e.room, Entry: room.Entry{
		Room: e.room.ID, Version: e.room.Version, At: e.room.At, Batch: room.NewToken(),
		Events: []room.Event{{Type: room.EventErased, User: e.to}},
	}}
	row, err := roomRow(step)
	if err != nil {
		return err
	}
	entry, err := entryRow(step)
	if err != nil {
		return err
	}
	n, err := change(ctx, e.tx, updateRoom, row...)
	if err == nil && n == 0 {
		err = room.ErrStale
	}
	if err != nil {
		return err
	}
	_, err = change(ctx, e.tx, insertEntry, entry...)
	return err
}
