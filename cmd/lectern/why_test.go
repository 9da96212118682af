package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// told is what `lectern why` says of a person, without the times of day.
func (h *hall) told(user string) string {
	h.t.Helper()
	text := must(h.t, h.environ, "", "why", h.id, user)
	return regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3}  | since \d.*$`).ReplaceAllString(text, "")
}

func TestWhy(t *testing.T) {
	h := newHall(t, "1", `"waitlist":true`)
	h.attend("s1", "김민수", http.StatusCreated)
	h.attend("s2", "Kim", http.StatusAccepted)
	h.attend("s3", "Kim", http.StatusAccepted)
	h.attend("s3", "Kim", http.StatusOK)
	h.leave("s1")
	h.call("PATCH", "/v1/rooms/"+h.id, h.teacher, `{"capacity":2,"options":{"locked":true}}`, http.StatusOK, nil)
	h.attend("s4", "Late", http.StatusConflict)
	h.call("DELETE", "/v1/rooms/"+h.id+"/members/s3?ban=true", h.teacher, "", http.StatusOK, nil)
	today := time.Now().Format(time.DateOnly) + "\n"
	head := func(who string) string {
		return who + ` in "물리학 1", room ` + h.id + ". Times are UTC" + time.Now().Format("-07:00") + ".\n" + today
	}
	for user, want := range map[string]string{
		"s1": head("김민수 (s1)") + "asked to join: got seat 1\nleft\nNow: has no place\n",
		"s2": head("Kim (s2)") + "asked to join: every seat was taken, so 1st in line\ngot seat 1, freed by 김민수 (s1), who left\nNow: seat 1, offline.\n",
		"s3": head("Kim (s3)") + "asked to join: every seat was taken, so 2nd in line\ncame back to the line, 2nd\n" +
			"got seat 2, since there are more seats now\nwas removed and banned by the instructor\nNow: banned\n",
		"s4":  head("s4") + "asked to join, refused: the instructor had locked the room (room_locked)\nNow: has no place, and never had one.\n",
		"lee": head("Lee (lee)") + "opened the room \"물리학 1\" with 1 seat\nasked to change the room: done\nasked to remove someone: done\nNow: the room's instructor; the room is open.\n",
	} {
		if got := h.told(user); got != want {
			t.Errorf("of %s:\n%s\nwant:\n%s", user, got, want)
		}
	}
	h.closeRoom()
	if got := h.told("s2"); !strings.HasSuffix(got, "the room closed: its instructor closed it\nNow: the room is closed\n") {
		t.Errorf("after the room closed:\n%s", got)
	}
	fails(t, try(t, h.environ, "", "why", h.id, "kim"), "that is a name", `"s2", "s3"`)
	fails(t, try(t, h.environ, "", "why", h.id, "nobody"), `nobody with the user id "nobody"`)
}

// For programs it is what GET …/log?user= answers.
func TestWhyJSON(t *testing.T) {
	h := newHall(t, "1", "")
	h.attend("s1", "Kim", http.StatusCreated)
	h.attend("s2", "Lee", http.StatusConflict)
	h.leave("s1")
	var log struct{ Items []json.RawMessage }
	h.call("GET", "/v1/rooms/"+h.id+"/log?user=s1", h.teacher, "", http.StatusOK, &log)
	var want strings.Builder
	for _, item := range log.Items {
		want.Write(append(item, '\n'))
	}
	if got := must(t, h.environ, "", "why", h.code, "s1", "--json"); got != want.String() || len(log.Items) != 2 {
		t.Errorf("%s\nwant %s", got, want.String())
	}
}

func TestStory(t *testing.T) {
	at := time.Date(2026, 3, 2, 0, 59, 59, 120e6, time.UTC)
	seoul := time.FixedZone("KST", 9*60*60)
	seated := []room.Event{{Type: room.EventJoined, User: "s1", Name: "Kim", State: room.Seated, Seat: 3}, {Type: room.EventConnected, User: "s1", Online: true}}
	join := room.Answer{Type: room.CommandJoin, User: "s1", State: room.Seated, Seat: 3}
	for name, test := range map[string]struct {
		entries []room.Entry
		want    string
	}{
		"a connection that is lost was lost before it was known": {[]room.Entry{
			{Events: seated, Answers: []room.Answer{join}},
			{At: at.Add(time.Minute), Events: []room.Event{{Type: room.EventOffline, User: "s1"}, {Type: room.EventDisconnected, User: "s1", At: at.Add(time.Second)}}},
		}, "09:59:59.120  asked to join: got seat 3\n10:00:00.120  a connection ended\n10:00:59.120  went offline\n"},
		"back online": {[]room.Entry{
			{Events: []room.Event{{Type: room.EventConnected, User: "s1", Online: true}},
				Answers: []room.Answer{{Type: room.CommandConnect, User: "s1", State: room.Seated, Seat: 3, Already: true}}},
		}, "09:59:59.120  came back to seat 3, online again\n"},
		"pending, admitted to the line, lapsed": {[]room.Entry{
			{Events: []room.Event{{Type: room.EventJoined, User: "s1", State: room.Pending, Place: 1}},
				Answers: []room.Answer{{Type: room.CommandJoin, User: "s1", State: room.Pending}}},
			{Events: []room.Event{{Type: room.EventAdmitted, User: "s1", Place: 2}}},
			{Events: []room.Event{{Type: room.EventLeft, User: "s1", Reason: room.ReasonLapsed}}},
		}, "09:59:59.120  asked to join: waits to be admitted\n09:59:59.120  was admitted, and waits in line for a seat\n" +
			"09:59:59.120  lost the place in line: was offline for too long (place_lapsed)\n"},
		"pending, admitted to a seat, which lapses": {[]room.Entry{
			{Events: []room.Event{{Type: room.EventJoined, User: "s1", State: room.Pending, Place: 1}}},
			{Events: []room.Event{{Type: room.EventSeated, User: "s1", Seat: 9}}},
			{Events: []room.Event{{Type: room.EventLeft, User: "s1", Reason: room.ReasonLapsed}}},
		}, "09:59:59.120  asked to join: waits to be admitted\n09:59:59.120  was admitted: got seat 9\n" +
			"09:59:59.120  lost seat 9: was offline for too long (place_lapsed)\n"},
		"corrections, and another day": {[]room.Entry{
			{Events: seated},
			{At: at.Add(24 * time.Hour), Events: []room.Event{{Type: room.EventCorrected, User: "s1", Status: room.StatusPresent, Why: "was ill", By: "lee"}}},
			{At: at.Add(25 * time.Hour), Events: []room.Event{{Type: room.EventCorrected, User: "s1", By: "lee"}}},
		}, "09:59:59.120  asked to join: got seat 3\n2026-03-03\n09:59:59.120  attendance: lee set it to present: was ill\n" +
			"10:59:59.120  attendance: lee took the correction back\n"},
		"the room's end is that of its members": {[]room.Entry{
			{Events: seated},
			{Events: []room.Event{{Type: room.EventClosed, Reason: room.ReasonExpired, At: at.Add(time.Second)}}},
		}, "09:59:59.120  asked to join: got seat 3\n10:00:00.120  the room closed: its time was over\n"},
		"and not of who has left": {[]room.Entry{
			{Events: seated},
			{Events: []room.Event{{Type: room.EventLeft, User: "s1", Reason: room.ReasonRemoved}}},
			{Events: []room.Event{{Type: room.EventClosed, Reason: room.ReasonInstructor}}},
		}, "09:59:59.120  asked to join: got seat 3\n09:59:59.120  was removed by the instructor\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(room.Restore(room.Header{ID: "r", Title: "Physics 1"}, nil), "s1")
			for i := range test.entries {
				e := &test.entries[i]
				if e.At.IsZero() {
					e.At = at
				}
				item := e.LogItem()
				part, _ := item.Of("s1")
				s.follow(item, part)
			}
			var text strings.Builder
			if err := s.print(&text, seoul); err != nil {
				t.Fatal(err)
			}
			want := "s1 in \"Physics 1\", room r. Times are UTC+09:00.\n2026-03-02\n" + test.want + "Now: has no place, and never had one.\n"
			if text.String() != want {
				t.Errorf("%s\nwant\n%s", text.String(), want)
			}
		})
	}
}

// Every refusal of a room has words of its own.
func TestRefusalsInWords(t *testing.T) {
	said := map[string]room.LogRefusal{}
	for _, r := range []room.LogRefusal{
		{Code: room.CodeRoomFull}, {Code: room.CodeRoomLocked}, {Code: room.CodeNotStarted}, {Code: room.CodeRoomClosed}, {Code: room.CodeBanned},
		{Code: room.CodeNotFound, Type: room.CommandJoin}, {Code: room.CodeNotFound, Type: room.CommandConnect}, {Code: room.CodeNotFound, Type: room.CommandAdmit},
		{Code: room.CodeForbidden}, {Code: room.CodeForbidden, Field: "guests"}, {Code: room.CodeForbidden, Field: "role"},
		{Code: room.CodeConflict, Field: "capacity"}, {Code: room.CodeConflict, Field: "starts_at"}, {Code: room.CodeBadRequest},
	} {
		words := refused(r)
		if other, twice := said[words]; twice {
			t.Errorf("%q is said of %+v and of %+v", words, r, other)
		}
		said[words] = r
	}
}

func TestOrdinal(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 102: "102nd", 111: "111th"} {
		if got := ordinal(n); got != want {
			t.Errorf("%d is the %s, want %s", n, got, want)
		}
	}
}
