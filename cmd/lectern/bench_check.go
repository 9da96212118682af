package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/lectern-room/lectern/room"
)

// acknowledged are the seats that people were told they have.
type acknowledged map[room.UserID]int

// broken says which promises about the seats of one room do not hold, given
// who is stored there. Sure: everyone was answered, so that nobody can have a
// seat without having been told.
func (a acknowledged) broken(seats int, stored []seatEntry, sure bool) (broken []string) {
	say := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	if len(a) > seats {
		say("%d people were told that they have one of %d seats", len(a), seats)
	}
	told := map[int]room.UserID{}
	for user, seat := range a {
		if other, twice := told[seat]; twice {
			say("%s and %s were both told that they have seat %d", other, user, seat)
		}
		told[seat] = user
	}
	holders := map[int]room.UserID{}
	has := acknowledged{}
	for _, e := range stored {
		if e.State != room.Seated {
			continue
		}
		if other, twice := holders[e.Seat]; twice {
			say("%s and %s are both stored with seat %d", other, e.User, e.Seat)
		}
		if e.Seat < 1 || e.Seat > seats {
			say("%s is stored with seat %d of %d", e.User, e.Seat, seats)
		}
		holders[e.Seat], has[e.User] = e.User, e.Seat
	}
	for user, seat := range a {
		if has[user] != seat {
			say("%s was told seat %d and is stored with seat %d", user, seat, has[user])
		}
	}
	if sure && len(has) != len(a) {
		say("%d people are stored with seats, %d were told so", len(has), len(a))
	}
	return broken
}

// pageOf is how much of a roster is read at a time: the most that there is.
const pageOf = "500"

// storedRoster reads a room's roster as the store has it, all of one version.
func (t *loadTarget) storedRoster(ctx context.Context, passport string, id room.ID) (entries []seatEntry, version int64, err error) {
	cursor := ""
	for {
		var page struct {
			Items      []seatEntry
			NextCursor *string `json:"next_cursor"`
			Version    int64
		}
		query := url.Values{"limit": {pageOf}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		err := t.call(ctx, passport, http.MethodGet, "/v1/rooms/"+string(id)+"/roster?"+query.Encode(), "", &page)
		if err != nil {
			return nil, 0, err
		}
		if cursor != "" && page.Version != version { // it has changed meanwhile: again
			entries, cursor = nil, ""
			continue
		}
		entries, version = append(entries, page.Items...), page.Version
		if page.NextCursor == nil {
			return entries, version, nil
		}
		cursor = *page.NextCursor
	}
}

// convergeTime is how long a watcher may take to be right: see RELIABILITY's
// promise 5.
const convergeTime = 5 * time.Second

// check has everyone's seats compared with the stored ones, and each
// instructor's roster, which may take convergeTime to be right. Sure: nobody
// can have a seat without having been told.
func (b *bench) check(ctx context.Context, sure bool) error {
	deadline := time.Now().Add(convergeTime)
	for _, l := range b.lessons {
		stored, differs, err := b.converge(ctx, l, deadline)
		if err != nil {
			return err
		}
		if differs != "" {
			b.report.breaks("%s", differs)
		}
		b.report.Broken = append(b.report.Broken, l.told.broken(l.seats, stored, sure)...)
	}
	return nil
}

// converge waits until a room's instructor has what is stored, and returns
// that, and what differs when the time is over.
func (b *bench) converge(ctx context.Context, l *lesson, deadline time.Time) (stored []seatEntry, differs string, err error) {
	f := l.instructor.follow
	for {
		stored, version, err := b.storedRoster(ctx, l.passport, l.id)
		if err != nil {
			return nil, "", fmt.Errorf("read the roster: %w", err)
		}
		if err := f.settle(); err != nil {
			return stored, err.Error(), nil
		}
		if l.instructor.err != nil {
			return stored, fmt.Sprintf("the watcher's socket ended: %v", l.instructor.err), nil
		}
		differs := f.roster.differs(stored, version)
		if differs == "" || time.Now().After(deadline) {
			return stored, differs, nil
		}
		if err := b.rest(ctx, glanceEvery); err != nil {
			return nil, "", err
		}
	}
}

// offlineEvents counts in a room's log how often someone was shown offline.
func (t *loadTarget) offlineEvents(ctx context.Context, passport string, id room.ID) (n int, err error) {
	for cursor := ""; ; {
		var page struct {
			Items      []room.LogItem
			NextCursor *string `json:"next_cursor"`
		}
		query := url.Values{"limit": {pageOf}, "cursor": {cursor}}
		if err := t.call(ctx, passport, http.MethodGet, "/v1/rooms/"+string(id)+"/log?"+query.Encode(), "", &page); err != nil {
			return 0, err
		}
		for _, item := range page.Items {
			for _, e := range item.Events {
				if e.Type == room.EventOffline {
					n++
				}
			}
		}
		if page.NextCursor == nil {
			return n, nil
		}
		cursor = *page.NextCursor
	}
}

// openRoom opens a room over HTTP.
func (t *loadTarget) openRoom(ctx context.Context, passport, title string, seats int) (id room.ID, code string, err error) {
	var opened struct {
		Room struct {
			ID   room.ID
			Code string
		}
	}
	body := `{"title":` + strconv.Quote(title) + `,"capacity":` + strconv.Itoa(seats) + `}`
	err = t.call(ctx, passport, http.MethodPost, "/v1/rooms", body, &opened)
	return opened.Room.ID, opened.Room.Code, err
}

// closeRoom closes a room over HTTP.
func (t *loadTarget) closeRoom(ctx context.Context, passport string, id room.ID) error {
	return t.call(ctx, passport, http.MethodPost, "/v1/rooms/"+string(id)+"/close", "", nil)
}
