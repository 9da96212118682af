package hub

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lectern-room/lectern/room"
)

const (
	// logPage is how many entries are read of the store at once: one of a
	// storm holds a thousand joins.
	logPage = 50
	// logFacts is about how many events, refusals and answers one page tells:
	// some megabytes.
	logFacts = 20_000
)

func (a *api) addLogCall() {
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "listLog", Method: http.MethodGet, Path: "/v1/rooms/{id}/log", Tags: []string{"attendance"},
			Summary: "Read what happened",
			Description: "The room's log, the oldest entry first, of a closed room too: each item is one version, with all that happened in it, what was refused, and what was answered. " +
				"Events are `opened`, `started`, `changed`, `joined`, `admitted`, `seated`, `renamed`, `left`, `banned`, `unbanned`, `connected`, `disconnected`, `offline`, `closed`, `policy_set`, `corrected` and `erased`. " +
				"A page may hold fewer items than `limit`, even none, and not be the last: go on until `next_cursor` is null. For the room's instructor. To others there is no such room.",
			Parameters: []*huma.Param{roomParameter, limitParameter, cursorParameter, {
				Name: "user", In: "query", Description: "A user id: only what happened to, was asked by or was done by that person.",
				Schema: &huma.Schema{Type: huma.TypeString},
			}},
		},
		Codes: []room.Code{room.CodeNotFound},
	}, a.listLog)
}

func (a *api) listLog(c *call) (int, list[room.LogItem], error) {
	none := list[room.LogItem]{}
	p, err := c.page(func(key string) bool {
		version, err := strconv.ParseInt(key, 10, 64)
		return err == nil && version > 0
	})
	if err != nil {
		return 0, none, err
	}
	reading := logReading{page: p, user: room.UserID(c.r.URL.Query().Get("user"))}
	if reading.user != "" && !room.ValidUser(string(reading.user)) {
		return 0, none, room.BadField("user", accepted["user"])
	}
	var id room.ID
	err = a.look(c, func(r *room.Room) bool { return r.LedBy(c.passport.Caller) }, func(r *room.Room) { id = r.ID })
	if err != nil {
		return 0, none, err
	}
	read, err := reading.read(func(after int64) ([]room.Entry, error) {
		return inTurn(readTakesAtMost, a, c, "read a log", func(ctx context.Context) ([]room.Entry, error) {
			return a.Archive.Entries(ctx, id, after, logPage)
		})
	})
	return http.StatusOK, read, err
}

// A logReading reads one page of a log.
type logReading struct {
	page
	user  room.UserID // whose part is read; empty: the whole
	items []room.LogItem
	facts int
}

// read goes through the log, of which entriesAfter returns what follows a
// version, until the page is full, the log ends or cannot be read on, or half
// of the time is over: what was found by then is a page too.
func (l *logReading) read(entriesAfter func(int64) ([]room.Entry, error)) (list[room.LogItem], error) {
	began := time.Now()
	var first int64
	if l.after != "" {
		first, _ = strconv.ParseInt(l.after, 10, 64) // it is one: see listLog
	}
	after := first
	l.items = []room.LogItem{}
	for {
		entries, err := entriesAfter(after)
		if err != nil && after > first {
			return l.until(after), nil // where it is still so the next page hears of it
		}
		if err != nil {
			return list[room.LogItem]{}, err
		}
		for i := range entries {
			after = entries[i].Version
			if l.take(entries[i].LogItem()) && (i+1 < len(entries) || len(entries) == logPage) {
				return l.until(after), nil
			}
		}
		if len(entries) < logPage {
			return list[room.LogItem]{Items: l.items}, nil
		}
		if time.Since(began) > requestTakesAtMost/2 {
			return l.until(after), nil
		}
	}
}

// take adds what is asked for of an item, and tells whether the page is full.
func (l *logReading) take(item room.LogItem) bool {
	if l.user != "" {
		part, found := item.Of(l.user)
		if !found {
			return false
		}
		item = part
	}
	l.items = append(l.items, item)
	l.facts += item.Facts()
	return len(l.items) == l.limit || l.facts >= logFacts
}

// until is the page if there may be more after a version.
func (l *logReading) until(version int64) list[room.LogItem] {
	next := base64.RawURLEncoding.EncodeToString(strconv.AppendInt(nil, version, 10))
	return list[room.LogItem]{Items: l.items, Next: &next}
}
