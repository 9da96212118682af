package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
)

// records are what commands read of a store, whether or not a server has it
// open.
type records interface {
	// Load, Entries and Holder are room.Store's.
	Load(ctx context.Context, id room.ID, since time.Time) (*room.Room, []room.Entry, error)
	Entries(ctx context.Context, id room.ID, after int64, limit int) ([]room.Entry, error)
	Holder(ctx context.Context, claim string) (room.ID, error)
	// History returns what the attendance record is made of.
	History(ctx context.Context, id room.ID) (*room.History, error)
	// Now returns the store's time.
	Now(ctx context.Context) (time.Time, error)
	// Pending returns the names of the migrations that the store lacks.
	Pending(ctx context.Context) ([]string, error)
	io.Closer
}

var errNoStore = errors.New("there is no store")

// openRecords opens the store that the settings name, which must be there.
func openRecords(ctx context.Context, c *config, log *slog.Logger) (records, error) {
	r, err := findRecords(ctx, c, log)
	if err != nil {
		return nil, err
	}
	pending, err := r.Pending(ctx)
	if err == nil && len(pending) > 0 {
		err = fmt.Errorf("the store %s is older than this program: bring it up with `lectern migrate`", c.place())
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func findRecords(ctx context.Context, c *config, log *slog.Logger) (records, error) {
	if !c.embedded() {
		postgres, err := store.OpenPostgres(ctx, c.postgres, log)
		if err != nil {
			return nil, fmt.Errorf("LECTERN_POSTGRES_URL: %w", err)
		}
		return postgres, nil
	}
	embedded, err := store.ReadSQLite(ctx, c.data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s: set LECTERN_DATA or LECTERN_POSTGRES_URL to what the server has", errNoStore, c.place())
	}
	if err != nil {
		return nil, fmt.Errorf("LECTERN_DATA: %w", err)
	}
	return embedded, nil
}

// place says where the store is.
func (c *config) place() string {
	if c.embedded() {
		return "in " + c.data
	}
	return "at " + hidePassword(c.postgres.URL)
}

// roomIDLength is that of every room's id: see room.NewID.
const roomIDLength = 26

// readRoomName reads a room's id or a join code, whichever it is.
func readRoomName(text string) (id room.ID, code string, err error) {
	if code = room.ParseCode(text); code != "" {
		return "", code, nil
	}
	if len(text) != roomIDLength {
		return "", "", fmt.Errorf("%q is neither a room's id, which has %d characters, nor a join code, which has 8", text, roomIDLength)
	}
	return room.ID(strings.ToUpper(text)), "", nil
}

// findRoom returns the room that an id or a join code names, as it is.
func findRoom(ctx context.Context, r records, c *config, text string) (*room.Room, error) {
	id, code, err := readRoomName(text)
	if err != nil {
		return nil, err
	}
	if code != "" {
		id, err = r.Holder(ctx, room.CodeClaim(code))
		if errors.Is(err, room.ErrNotFound) {
			return nil, fmt.Errorf("no room %s has the join code %s: closed rooms have none, so name them by their id", c.place(), code)
		}
		if err != nil {
			return nil, err
		}
	}
	now, err := r.Now(ctx)
	if err != nil {
		return nil, err
	}
	found, _, err := r.Load(ctx, id, now) // of its log, next to nothing
	if errors.Is(err, room.ErrNotFound) {
		err = fmt.Errorf("there is no room %s %s: GET /v1/rooms lists its instructor's", id, c.place())
	}
	return found, err
}
