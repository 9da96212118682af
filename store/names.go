package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/lectern-room/lectern/room"
)

const selectNames = `
	SELECT user_id, name FROM attendee
	WHERE room_id = $1 AND user_id IN (SELECT value FROM %s($2))`

// loadNames fills in the names that the log does not keep.
func (r *reader) loadNames(ctx context.Context, tx *sql.Tx, id room.ID, entries []room.Entry) error {
	names := map[room.UserID]string{}
	users := []room.UserID{}
	for _, entry := range entries {
		for _, event := range entry.Events {
			switch event.Type {
			case room.EventOpened:
				header, err := loadHeader(ctx, tx, id)
				if err != nil {
					return err
				}
				names[header.Instructor.User] = header.Instructor.Name
			case room.EventJoined, room.EventRenamed:
				users = append(users, event.User)
			}
		}
	}
	list, err := json.Marshal(users)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, fmt.Sprintf(selectNames, r.elements), id, string(list))
	if err != nil {
		return err
	}
	err = each(rows, func(rows *sql.Rows) error {
		var (
			user room.UserID
			name string
		)
		err := rows.Scan(&user, &name)
		names[user] = name
		return err
	})
	if err != nil {
		return err
	}
	for i := range entries {
		nameAll(&entries[i], names)
	}
	return nil
}

// nameAll names the people in the events that carry a name.
func nameAll(e *room.Entry, names map[room.UserID]string) {
	for i := range e.Events {
		event := &e.Events[i]
		switch event.Type {
		case room.EventOpened, room.EventJoined, room.EventRenamed:
			event.Name = names[event.User]
			if event.Name == "" {
				event.Name = string(event.User)
			}
		}
	}
}
