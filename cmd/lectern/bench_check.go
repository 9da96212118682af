package main

import (
	"context"
	"errors"
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
	if len(a) > seats {
		broken = append(broken, fmt.Sprintf("%d people were told that they have one of %d seats", len(a), seats))
	}
	told := map[int]room.UserID{}
	for user, seat := range a {
		if other, twice := told[seat]; twice {
			broken = append(broken, fmt.Sprintf("%s and %s were both told that they have seat %d", other, user, seat))
		}
		told[seat] = user
	}
	return append(broken, a.unlike("stored", seats, stored, sure)...)
}

// unlike says what is wrong with seats as they are stored, or shown.
func (a acknowledged) unlike(are string, seats int, entries []seatEntry, sure bool) (broken []string) {
	say := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	holders := map[int]room.UserID{}
	has := acknowledged{}
	for _, e := range entries {
		if e.State != room.Seated {
			continue
		}
		if other, twice := holders[e.Seat]; twice {
			say("%s and %s are both %s with seat %d", other, e.User, are, e.Seat)
		}
		if e.Seat < 1 || e.Seat > seats {
			say("%s is %s with seat %d of %d", e.User, are, e.Seat, seats)
		}
		holders[e.Seat], has[e.User] = e.User, e.Seat
	}
	for user, seat := range a {
		if has[user] != seat {
			say("%s was told seat %d and is %s with seat %d", user, seat, are, has[user])
		}
	}
	if sure && len(has) != len(a) {
		say("%d people are %s with seats, %d were told so", len(has), are, len(a))
	}
	return broken
}

// pageOf is how much of a roster is read at a time: the most that there is.
const pageOf = "500"

// shownRoster reads a room's roster as an instance shows it, which has it in
// memory, all of one version.
func (t *loadTarget) shownRoster(ctx context.Context, passport string, id room.ID) (entries []seatEntry, version int64, err error) {
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

// storedSeats reads who has which seat from a room's attendance record, which is
// read from the store. It has the seats held last, and nobody leaves a load's.
func (b *bench) storedSeats(ctx context.Context, l *lesson) ([]seatEntry, error) {
	for deadline := time.Now().Add(answerTime); ; {
		var record struct{ People []seatEntry }
		err := b.call(ctx, l.passport, http.MethodGet, "/v1/rooms/"+string(l.id)+"/attendance", "", &record)
		var bad *badAnswer
		if !errors.As(err, &bad) || bad.status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			for i := range record.People {
				if p := &record.People[i]; p.Seat > 0 {
					p.State = room.Seated
				}
			}
			return record.People, err
		}
		if err := b.rest(ctx, againAfter); err != nil {
			return nil, err
		}
	}
}

// convergeTime is how long a watcher may take to be right: see RELIABILITY's
// promise 5.
const convergeTime = 5 * time.Second

// check has everyone's seats compared with those that are shown and stored, and
// each instructor's roster with what is shown, which may take convergeTime to be
// right. Sure: nobody can have a seat without having been told.
func (b *bench) check(ctx context.Context, sure bool) error {
	deadline := time.Now().Add(convergeTime)
	for _, l := range b.lessons {
		shown, differs, err := b.converge(ctx, l, sure, deadline)
		if err != nil {
			return err
		}
		if differs != "" {
			b.report.breaks("%s", differs)
		}
		b.report.Broken = append(b.report.Broken, l.told.unlike("shown", l.seats, shown, sure)...)
	}
	for _, l := range b.lessons { // not before: a great record takes seconds, in which no watcher hears anything
		stored, err := b.storedSeats(ctx, l)
		if err != nil {
			return fmt.Errorf("read the attendance record: %w", err)
		}
		b.report.Broken = append(b.report.Broken, l.told.broken(l.seats, stored, sure)...)
	}
	return nil
}

// converge waits until a room's instructor has what is shown, and that is what
// people were told, perhaps by another instance; it returns what is shown, and
// what the instructor lacks when the time is over.
func (b *bench) converge(ctx context.Context, l *lesson, sure bool, deadline time.Time) (shown []seatEntry, differs string, err error) {
	f := l.instructor.follow
	for {
		shown, version, err := b.shownRoster(ctx, l.passport, l.id)
		if err != nil {
			return nil, "", fmt.Errorf("read the roster: %w", err)
		}
		if err := f.settle(); err != nil {
			return shown, err.Error(), nil
		}
		if l.instructor.err != nil {
			return shown, fmt.Sprintf("the watcher's socket ended: %v", l.instructor.err), nil
		}
		differs := f.roster.differs(shown, version)
		right := differs == "" && len(l.told.unlike("shown", l.seats, shown, sure)) == 0
		if right || time.Now().After(deadline) {
			return shown, differs, nil
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
