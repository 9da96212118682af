package hub

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// golden returns a message that the browser client's tests read too.
func golden(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "room", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

const goldenID = "01KJQ8M3ZC7N5T2V4X6Y8A0B1C"

// goldenRoom is the room of the golden messages at a version, with two people
// in its roster.
func goldenRoom(version int64, edit func(*room.Header)) *room.Room {
	joined := at("2026-03-02T09:01:02.345Z")
	h := room.Header{
		ID: goldenID, Version: version, Title: "Distributed Systems", Code: "K7QF3MXD", Capacity: 120,
		Instructor: room.Caller{User: "t1", Name: "Prof. Lee"}, Status: room.Open, Options: room.DefaultOptions(),
		OpenedAt: at("2026-03-02T09:00:00.000Z"), Taken: 17, Online: 16,
	}
	if edit != nil {
		edit(&h)
	}
	return room.Restore(h, []*room.Person{
		{User: "s42", Name: "Kim", State: room.Seated, Seat: 17, Online: true, JoinedAt: joined},
		{User: "s43", Name: "박서연", State: room.Seated, Seat: 18, Online: true, JoinedAt: joined},
		{User: "s44", Name: "Choi", State: room.Seated, Seat: 19, Online: true, JoinedAt: joined},
		{User: "s50", Name: "Jung", State: room.Waiting, Place: 12, Online: true, JoinedAt: joined},
		{User: "s51", Name: "Han", State: room.Pending, Place: 11, JoinedAt: joined},
		{User: "w1", State: room.Waiting, Place: 9}, {User: "w2", State: room.Waiting, Place: 10},
		{User: "s7", State: room.Left, LeftFor: room.ReasonLeft}, {User: "s8", State: room.Left, LeftFor: room.ReasonLapsed},
		{User: "s9", State: room.Seated, Online: true}, {User: "s11", State: room.Seated},
	})
}

func second(h *room.Header) { h.Title = "Distributed Systems II" }

// scheduled makes the room one that has not opened yet.
func scheduled(h *room.Header) {
	h.Options.StartsAt = room.Timestamp{Time: h.OpenedAt}
	h.Status, h.OpenedAt, h.Taken, h.Online = room.Scheduled, time.Time{}, 0, 0
}

func TestMessagesAreTheGoldenOnes(t *testing.T) {
	r := goldenRoom(41, nil)
	r44 := goldenRoom(44, nil)
	people := func(users ...room.UserID) (list []*room.Person) {
		for _, u := range users {
			list = append(list, r44.Person(u))
		}
		return list
	}
	token := "aaaa.bbbb.cccc"
	one := 1
	notStarted := *room.ErrNotStarted
	notStarted.StartsAt = at("2026-03-02T09:00:00.000Z")
	id := func(text string) json.RawMessage { return json.RawMessage(text) }
	q := &request{ID: id("2")}
	h, full, asking := &hall{}, &hall{}, &hall{}
	line := goldenRoom(44, func(h *room.Header) { h.Waiting, h.Pending = 1, 1 })

	for name, message := range map[string]any{
		"event-hello": appendHello(nil, &room.Passport{
			Caller: room.Caller{User: "s42", Name: "Kim", Role: room.Student}, ExpiresAt: at("2026-03-02T17:00:00.000Z"),
		}, at("2026-03-02T09:00:59.999Z")),
		"event-roster": appendRoster(nil, r44, delta{
			from: 41, joined: people("s43"), left: people("s7"), online: people("s9"), offline: people("s11"),
		}),
		"event-roster-places": appendRoster(nil, line, delta{
			from: 41, joined: people("s43", "s50", "s51"), left: people("s8"), online: people("s9"), offline: people("s11"),
		}),
		"event-roster_page":  appendPage(nil, r, appendList(nil, people("s44"), appendEntry), false),
		"event-count":        appendCount(nil, r44),
		"event-room_changed": roomEvent{"room_changed", objectOf(&goldenRoom(45, second).Header, true)},
		"event-room_changed-started": roomEvent{"room_changed", objectOf(&goldenRoom(2, func(h *room.Header) {
			opened := h.OpenedAt
			scheduled(h)
			h.Status, h.OpenedAt = room.Open, opened
		}).Header, true)},
		"event-your_place":                    appendPlace(nil, r, r.Person("s42")),
		"event-your_place-waiting":            appendPlace(nil, r, r.Person("s50")),
		"event-your_place-pending":            appendPlace(nil, r, r.Person("s51")),
		"event-you_were_removed":              roomIDEvent{"you_were_removed", goldenID, room.ReasonRemoved},
		"event-you_were_removed-place_lapsed": roomIDEvent{"you_were_removed", goldenID, room.ReasonLapsed},
		"event-room_closed":                   roomIDEvent{"room_closed", goldenID, room.ReasonInstructor},
		"event-unwatch_forced":                roomIDEvent{Type: "unwatch_forced", Room: goldenID},
		"event-draining":                      drainingEvent{"draining", 1500},

		"reply-opened": openedReply{reply{id("1"), "opened"}, objectOf(&goldenRoom(1, func(h *room.Header) { h.Taken, h.Online = 0, 0 }).Header, true), &token, false},
		"reply-opened-scheduled": openedReply{
			reply{id("1"), "opened"}, objectOf(&goldenRoom(1, scheduled).Header, true), &token, false,
		},
		"reply-joined": h.appendAnswer(nil, "joined", q, room.Outcome{Room: r}, place{state: room.Seated, seat: 17}),
		"reply-waiting_for_seat": full.appendAnswer(nil, "waiting_for_seat", q, room.Outcome{Room: goldenRoom(41, func(h *room.Header) {
			h.Capacity, h.Waiting, h.Options.Waitlist = 17, 3, true
		})}, place{state: room.Waiting, position: 3}),
		"reply-waiting_for_seat-pending": asking.appendAnswer(nil, "waiting_for_seat", q, room.Outcome{Room: goldenRoom(41, func(h *room.Header) {
			h.Pending, h.Options.Approval = 2, true
		})}, place{state: room.Pending}),
		"reply-left": versionReply{reply: reply{id("4"), "left"}, Room: goldenID, Version: 42},
		"reply-updated": updatedReply{reply{id("7"), "updated"}, objectOf(&goldenRoom(45, func(h *room.Header) {
			second(h)
			h.Code, h.Capacity, h.Options.Locked = "9W2H5TCE", 150, true
		}).Header, true), &token},
		"reply-admitted":       versionReply{reply{id("9"), "admitted"}, goldenID, &one, 46},
		"reply-person_removed": versionReply{reply: reply{id("11"), "person_removed"}, Room: goldenID, Version: 47},
		"reply-unbanned":       versionReply{reply: reply{id("12"), "unbanned"}, Room: goldenID, Version: 48},
		"reply-closed": updatedReply{reply: reply{id("13"), "closed"}, Room: objectOf(&goldenRoom(49, func(h *room.Header) {
			h.Status, h.ClosedAt, h.Online = room.Closed, at("2026-03-02T10:40:00.000Z"), 0
		}).Header, true)},
		"reply-renewed":   renewedReply{reply{id("14"), "renewed"}, "2026-03-02T18:00:00.000Z"},
		"reply-pong":      pongReply{reply{id(`"p-15"`), "pong"}, "2026-03-02T09:02:03.004Z"},
		"reply-unwatched": roomReply{reply{id("6"), "unwatched"}, goldenID},

		"error-not_started":     errorReply{reply{id("2"), "error"}, errorOf(notStarted.In(goldenID))},
		"error-room_full":       errorReply{reply{id("2"), "error"}, errorOf(room.ErrFull.In(goldenID))},
		"error-room_locked":     errorReply{reply{id("2"), "error"}, errorOf(room.ErrLocked.In(goldenID))},
		"error-room_closed":     errorReply{reply{id("2"), "error"}, errorOf(room.ErrClosed.In(goldenID))},
		"error-banned":          errorReply{reply{id("2"), "error"}, errorOf(room.ErrBanned.In(goldenID))},
		"error-forbidden":       errorReply{reply{id("2"), "error"}, errorOf(room.ErrForbidden.In(goldenID))},
		"error-not_found":       errorReply{reply{id("2"), "error"}, errorOf(room.ErrNotFound)},
		"error-already_open":    errorReply{reply{id("2"), "error"}, errorOf(room.ErrAlreadyOpen.In(goldenID))},
		"error-already_in_room": errorReply{reply{id("2"), "error"}, errorOf(room.ErrAlreadyInRoom.In(goldenID))},
		"error-conflict":        errorReply{reply{id("2"), "error"}, errorOf(room.ErrConflict.In(goldenID))},
		"error-rate_limited":    errorReply{reply{id("2"), "error"}, errorOf(room.Limited("requests", 1200*time.Millisecond-1))},
		"error-unauthorized":    errorReply{reply{id("2"), "error"}, errorOf(room.ErrUnauthorized)},
		"error-unavailable":     errorReply{reply{id("2"), "error"}, errorOf(room.ErrUnavailable)},
	} {
		t.Run(name, func(t *testing.T) {
			got, raw := message.([]byte)
			if !raw {
				got = mustJSON(message)
			}
			if want := golden(t, name); string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestRequestsAreTheGoldenOnes reads what the browser client sends.
func TestRequestsAreTheGoldenOnes(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "room", "testdata", "request-*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden requests: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		q, err := parseRequest(data)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		if want, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(file), "request-"), "."); !strings.HasPrefix(want, q.Type) || q.ID == nil {
			t.Errorf("%s: type %q, id %s", filepath.Base(file), q.Type, q.ID)
		}
	}
}

// TestAppendEntry holds the entry written by hand to the one that the HTTP
// API describes.
func TestAppendEntry(t *testing.T) {
	for _, name := range []string{"Kim", "박서연", `a "quoted" \ name`, "<script>&", "tab\tnul\x00", "😀"} {
		p := &room.Person{User: "u/" + room.UserID(name), Name: name, State: room.Seated, Seat: 3, Online: true, Guest: true, JoinedAt: at("2026-03-02T09:01:02.345Z")}
		if len(name)%2 == 0 {
			p.State, p.Seat, p.Place = room.Waiting, 0, 12
		}
		var got, want any
		if err := json.Unmarshal(appendEntry(nil, p), &got); err != nil {
			t.Fatalf("%q: %v in %s", name, err, appendEntry(nil, p))
		}
		if err := json.Unmarshal(mustJSON(entryOf(p)), &want); err != nil {
			t.Fatal(err)
		}
		if g, w := mustJSON(got), mustJSON(want); !bytes.Equal(g, w) {
			t.Errorf("got %s, want %s", g, w)
		}
	}
}

func TestParseRequest(t *testing.T) {
	for text, want := range map[string]struct {
		id    string
		field string
		ok    bool
	}{
		`{"id":1,"type":"ping"}`:                                       {id: "1", ok: true},
		`{"id":-9007199254740992,"type":"ping"}`:                       {id: "-9007199254740992", ok: true},
		`{"id":9007199254740993,"type":"ping"}`:                        {ok: true},
		`{"id":1.5,"type":"ping"}`:                                     {ok: true},
		`{"id":null,"type":"ping"}`:                                    {ok: true},
		`{"id":[1],"type":"ping"}`:                                     {ok: true},
		`{"id":"` + strings.Repeat("x", 64) + `","type":"ping"}`:       {id: `"` + strings.Repeat("x", 64) + `"`, ok: true},
		`{"id":"` + strings.Repeat("x", 65) + `","type":"ping"}`:       {ok: true},
		`{"id":1,"type":7}`:                                            {id: "1", field: "type"},
		`{"id":1,"type":"open","capacity":"many"}`:                     {id: "1", field: "capacity"},
		`{"id":1,"type":"open","capacity":1.5}`:                        {id: "1", field: "capacity"},
		`{"id":1,"type":"open","options":[]}`:                          {id: "1", field: "options"},
		`{"id":1,"type":"open","options":{"locked":"yes"}}`:            {id: "1", field: "locked"},
		`{"id":1,"type":"open","options":{"waitlist":true}}`:           {id: "1", ok: true},
		`{"id":1,"type":"open","options":{"waitlist":1}}`:              {id: "1", field: "waitlist"},
		`{"id":1,"type":"open","options":{"waitlist":false}}`:          {id: "1", ok: true},
		`{"id":1,"type":"open","options":{"volume":11}}`:               {id: "1", field: "volume"},
		`{"id":1,"type":"open","options":{"max_minutes":10081}}`:       {id: "1", field: "max_minutes"},
		`{"id":1,"type":"open","options":{"seat_hold_seconds":5}}`:     {id: "1", ok: true},
		`{"id":1,"type":"open","options":{"seat_hold_seconds":86401}}`: {id: "1", field: "seat_hold_seconds"},
		`{"present_percent":101,"present_minutes":null}`:               {ok: true},
		`{"present_percent":"80"}`:                                     {field: "present_percent"},
		`{"late_after_minutes":1.5}`:                                   {field: "late_after_minutes"},
		`{"id":1,"type":"open","options":{"starts_at":"2030-01-01Z"}}`: {id: "1", field: "starts_at"},
		`[]`:        {},
		`7`:         {},
		`{"id":1,`:  {},
		``:          {},
		`{"id":1}x`: {},
	} {
		q, err := parseRequest([]byte(text))
		if string(q.ID) != want.id && (err == nil || want.field != "") {
			t.Errorf("%s: id %s, want %s", text, q.ID, want.id)
		}
		var refusal *room.Refusal
		switch {
		case (err == nil) != want.ok:
			t.Errorf("%s: %v", text, err)
		case err != nil:
			refusal = err.(*room.Refusal)
			if refusal.Code != room.CodeBadRequest || refusal.Field != want.field || refusal.Message == "" {
				t.Errorf("%s: %+v, want field %q", text, refusal, want.field)
			}
		}
	}
}

// TestUsualRequestsArePlain: what pages send by the thousand takes no decoder.
func TestUsualRequestsArePlain(t *testing.T) {
	for _, text := range []string{
		`{"id":1,"type":"join","code":"K7QF-3MXD"}`, `{"id":2,"type":"join","room_id":"01KJQ8M3ZC7N5T2V4X6Y8A0B1C"}`,
		`{"id":3,"type":"watch","room_id":"01KJQ8M3ZC7N5T2V4X6Y8A0B1C","since":41}`, `{"id":"a","type":"leave"}`, `{"id":4,"type":"ping"}`,
	} {
		if q := new(request); !q.readPlain([]byte(text)) {
			t.Errorf("not plain: %s", text)
		}
	}
}

func BenchmarkDeltaOf(b *testing.B) {
	r := goldenRoom(44, nil)
	p := r.Person("s43")
	people := make([]*room.Person, 100)
	for i := range people {
		people[i] = p
	}
	b.ReportAllocs()
	for b.Loop() {
		textFrame(appendRoster(nil, r, delta{from: 41, joined: people}))
	}
}

func BenchmarkParseRequest(b *testing.B) {
	frame := []byte(`{"id":17,"type":"join","code":"K7QF-3MXD"}`)
	for b.Loop() {
		if _, err := parseRequest(frame); err != nil {
			b.Fatal(err)
		}
	}
}
