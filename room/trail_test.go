package room_test

import (
	"encoding/json"
	"testing"

	"github.com/lectern-room/lectern/room"
)

// trailed is an entry in which all kinds of things happen at once.
func trailed() room.Entry {
	capacity := 2
	return room.Entry{
		Room: "r", Version: 7, At: second(3.12), Batch: "batch",
		Answers: []room.Answer{
			{Command: "c1", Type: room.CommandJoin, User: "ann", Ago: 20, State: room.Waiting, Position: 4},
			{Command: "c2", Type: room.CommandJoin, User: "bob", Ago: 120, Code: room.CodeForbidden, Field: "guests"},
			{Command: "c3", Type: room.CommandUpdate, User: "lee"},
			{Command: "c4", Type: room.CommandReap, Count: 1},
			{Command: "c5", Type: room.CommandDisconnect, User: "cy", Session: "secret"},
		},
		Events: []room.Event{
			{Type: room.EventJoined, User: "ann", Name: "Ann", State: room.Waiting, Place: 9},
			{Type: room.EventConnected, User: "ann", Session: "secret", Instance: "secret", Online: true},
			{Type: room.EventChanged, Change: &room.Change{Capacity: &capacity, Slot: 3}},
			{Type: room.EventDisconnected, User: "cy", Session: "secret", At: second(1)},
			{Type: room.EventLeft, User: "dan", Reason: room.ReasonLeft, Command: "secret"},
			{Type: room.EventCorrected, User: "cy", Status: room.StatusPresent, Why: "was there", By: "lee"},
		},
	}
}

func TestLogItem(t *testing.T) {
	entry := trailed()
	got, err := json.Marshal(entry.LogItem())
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, `{"version":7,"at":"2026-03-02T09:00:03.120Z",
		"events":[
			{"type":"joined","user":"ann","name":"Ann","state":"waiting","place":9},
			{"type":"connected","user":"ann","online":true},
			{"type":"changed","user":null,"change":{"capacity":2}},
			{"type":"disconnected","user":"cy","at":"2026-03-02T09:00:01.000Z"},
			{"type":"left","user":"dan","reason":"left"},
			{"type":"corrected","user":"cy","status":"present","why":"was there","by":"lee"}],
		"refused":[{"type":"join","user":"bob","code":"forbidden","field":"guests","asked_at":"2026-03-02T09:00:03.000Z"}],
		"answered":[
			{"type":"join","user":"ann","asked_at":"2026-03-02T09:00:03.100Z","state":"waiting","position":4},
			{"type":"update","user":"lee","asked_at":"2026-03-02T09:00:03.120Z"},
			{"type":"reap","user":null,"asked_at":"2026-03-02T09:00:03.120Z","count":1},
			{"type":"disconnect","user":"cy","asked_at":"2026-03-02T09:00:03.120Z"}]}`)

	empty := room.Entry{Version: 1, At: second(0)}
	got, err = json.Marshal(empty.LogItem())
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, `{"version":1,"at":"2026-03-02T09:00:00.000Z","events":[],"refused":[],"answered":[]}`)
}

func TestLogItemOf(t *testing.T) {
	entry := trailed()
	whole := entry.LogItem()
	for user, want := range map[room.UserID][3]int{ // events, refusals, answers
		"ann": {2, 0, 1}, "bob": {0, 1, 0}, "cy": {2, 0, 1}, "dan": {1, 0, 0}, "lee": {1, 0, 1}, "eve": {},
	} {
		part, found := whole.Of(user)
		if got := [3]int{len(part.Events), len(part.Refused), len(part.Answered)}; got != want || found != (want != [3]int{}) {
			t.Errorf("of %q: %v (%v), want %v", user, got, found, want)
		}
		if part.Version != 7 || !part.At.Equal(second(3.12)) {
			t.Errorf("of %q: version %d at %v", user, part.Version, part.At)
		}
	}
	if whole.Facts() != 11 {
		t.Errorf("taking parts changed the whole: %d facts", whole.Facts())
	}
}

// same compares JSON, whatever the spaces in want.
func same(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatal(err)
	}
	wanted, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	if seen, err := json.Marshal(g); err != nil || string(seen) != string(wanted) {
		t.Errorf("%s\nwant %s (%v)", seen, wanted, err)
	}
}
