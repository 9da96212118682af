package hub

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

func pending() message {
	return message{"type": "waiting_for_seat", "state": "pending", "position": nil, "already": false}
}

// TestApproval: whoever joins is pending until the instructor lets them in,
// one by one or as many as fit, or turns them away.
func TestApproval(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.openWith(2, message{"approval": true})
		lee.ask(message{"type": "watch", "room_id": id})
		people := map[room.UserID]*client{}
		for _, user := range []room.UserID{"ann", "bob", "cho", "dan", "eve"} {
			people[user] = c.joins(user, code, pending())
		}
		c.student("ann").expect(message{"type": "join", "code": code}, message{"type": "waiting_for_seat", "state": "pending", "already": true})
		time.Sleep(time.Second)
		lee.rest()
		admit := func(who message, want message) {
			t.Helper()
			who["type"], who["room_id"] = "admit", id
			lee.expect(who, want)
		}

		admit(message{"user": "cho"}, message{"type": "admitted", "room_id": id, "count": 1})
		told := people["cho"].rest()
		only(told, "your_place")[0].check(t, sits(1))
		message(only(told, "room_changed")[0]["room"].(map[string]any)).check(t, message{"code": code, "taken": 1, "pending": 4})
		lee.next("roster").check(t, message{"taken": 1, "waiting": 0, "pending": 4})
		admit(message{"user": "cho"}, message{"type": "admitted", "count": 1})
		admit(message{"user": "nobody"}, message{"type": "error", "code": "not_found"})
		admit(message{}, message{"type": "error", "code": "bad_request", "field": "user"})

		lee.expect(message{"type": "remove", "room_id": id, "user": "dan"}, message{"type": "person_removed"})
		people["dan"].until("you_were_removed").check(t, message{"reason": "removed"})
		admit(message{"all": true}, message{"type": "admitted", "count": 1})
		people["ann"].hears(sits(2))
		admit(message{"user": "bob"}, message{"type": "error", "code": "room_full"})
		people["bob"].hearsNothing()

		time.Sleep(time.Second)
		lee.expect(message{"type": "update", "room_id": id, "options": message{"waitlist": true}}, message{"type": "updated"})
		admit(message{"all": true}, message{"type": "admitted", "count": 2})
		people["bob"].hears(stands(1))
		people["eve"].hears(stands(2))
		people["cho"].ask(message{"type": "leave"})
		people["bob"].hears(sits(1))
		people["eve"].hears(stands(1))
	})
}

// TestApprovalTurnedOff lets in all who are pending: to seats, and then to
// the line.
func TestApprovalTurnedOff(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.openWith(1, message{"approval": true, "waitlist": true})
		ann, bob, cho := c.joins("ann", code, pending()), c.joins("bob", code, pending()), c.joins("cho", code, pending())
		lee.expect(message{"type": "update", "room_id": id, "options": message{"approval": false}}, message{"type": "updated"})
		ann.hears(sits(1))
		bob.hears(stands(1))
		cho.hears(stands(2))
		c.joins("dan", code, waiting(3))
	})
}

// TestInstructorIsNeverBlocked: however full, locked and guarded the room is,
// its instructor sees and leads it.
func TestInstructorIsNeverBlocked(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.openWith(1, message{"approval": true, "locked": true, "starts_at": room.Stamp(time.Now().Add(time.Hour))})
		lee.expect(message{"type": "watch", "room_id": id}, message{"type": "watching", "more": false})
		lee.expect(message{"type": "start", "room_id": id}, message{"type": "updated"})
		lee.expect(message{"type": "update", "room_id": id, "options": message{"locked": false}}, message{"type": "updated"})
		c.joins("ann", code, pending())
		lee.expect(message{"type": "admit", "room_id": id, "user": "ann"}, message{"type": "admitted", "count": 1})
		again := c.instructor("lee")
		roster := again.expect(message{"type": "watch", "room_id": id}, message{"type": "watching"})["roster"].([]any)
		message(roster[0].(map[string]any)).check(t, message{"user": "ann", "state": "seated"})
		again.expect(message{"type": "join", "code": code}, message{"type": "error", "code": "forbidden", "field": "role"})
		again.expect(message{"type": "close", "room_id": id}, message{"type": "closed"})
	})
}

// TestSchedule: nobody gets into a room before its time; then it opens by
// itself, and closes by itself so many minutes later.
func TestSchedule(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		starts := c.reg.Now().Add(10 * time.Minute).Truncate(time.Millisecond)
		id, code := lee.openWith(2, message{"starts_at": room.Stamp(starts), "max_minutes": 30})
		watching := lee.expect(message{"type": "watch", "room_id": id}, message{"type": "watching"})
		message(watching["room"].(map[string]any)).check(t, message{
			"status": "scheduled", "opened_at": nil, "closes_at": nil, "closed_at": nil, "code": code,
		})
		kim := c.joins("kim", code, message{"type": "error", "code": "not_started", "room_id": id, "starts_at": room.Stamp(starts)})
		lee.rest()

		time.Sleep(time.Until(starts) - time.Second)
		kim.expect(message{"type": "join", "code": code}, message{"code": "not_started"})
		time.Sleep(2 * time.Second)
		message(only(lee.rest(), "room_changed")[0]["room"].(map[string]any)).check(t, message{
			"status": "open", "opened_at": room.Stamp(starts), "closes_at": room.Stamp(starts.Add(30 * time.Minute)),
		})
		kim.expect(message{"type": "join", "code": code}, message{"type": "joined", "seat": 1})
		soon := message{"starts_at": room.Stamp(starts.Add(time.Hour))}
		lee.expect(message{"type": "update", "room_id": id, "options": soon}, message{"code": "conflict", "field": "starts_at"})
		lee.expect(message{"type": "start", "room_id": id}, message{"type": "updated"})
		lee.rest()
		kim.rest()

		time.Sleep(time.Until(starts.Add(30 * time.Minute)))
		for _, s := range []*client{lee, kim} {
			told := s.rest()
			message(only(told, "room_changed")[0]["room"].(map[string]any)).check(t, message{
				"status": "closed", "closed_at": room.Stamp(starts.Add(30 * time.Minute)),
			})
			told[len(told)-1].check(t, message{"type": "room_closed", "room_id": id, "reason": "expired"})
		}
	})
}

// TestStart: the instructor may open a scheduled room early, or set another
// time.
func TestStart(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.openWith(2, message{"starts_at": room.Stamp(c.reg.Now().Add(time.Hour))})
		later := room.Stamp(c.reg.Now().Add(2 * time.Hour))
		lee.expect(message{"type": "update", "room_id": id, "options": message{"starts_at": later}}, message{"type": "updated"})
		kim := c.joins("kim", code, message{"code": "not_started", "starts_at": later})
		kim.expect(message{"type": "start", "room_id": id}, message{"type": "error", "code": "forbidden"})
		lee.rest()
		started := message(lee.expect(message{"type": "start", "room_id": id}, message{"type": "updated"})["room"].(map[string]any))
		started.check(t, message{"status": "open", "code": code})
		if started["opened_at"] == nil || started["closes_at"] == nil {
			t.Errorf("started: %v", started)
		}
		again := message(lee.expect(message{"type": "start", "room_id": id}, message{"type": "updated"})["room"].(map[string]any))
		again.check(t, message{"opened_at": started["opened_at"], "closes_at": started["closes_at"]})
		kim.expect(message{"type": "join", "code": code}, message{"type": "joined", "seat": 1})
	})
}

// TestAttendInLine: a place in line without a socket, as HTTP tells it.
func TestAttendInLine(t *testing.T) {
	s := newSchool(t)
	path, code, _ := s.open(`{"title":"Algebra","capacity":1,"options":{"waitlist":true}}`)
	body := `{"code":"` + code + `"}`
	s.must(http.StatusCreated, "POST", "/v1/attend", body, s.student("s1"))
	for i, name := range []room.UserID{"s2", "s3"} {
		for _, status := range []int{http.StatusAccepted, http.StatusOK} {
			got := s.must(status, "POST", "/v1/attend", body, s.student(name))
			if got.body["state"] != "waiting" || got.body["seat"] != nil || got.body["position"] != float64(i+1) || got.room("code") != nil {
				t.Errorf("%s in line: %s", name, got.text)
			}
		}
	}
	me := s.must(http.StatusOK, "GET", "/v1/me", "", s.student("s3"))
	if place := me.body["places"].([]any)[0].(map[string]any); place["state"] != "waiting" || place["position"] != 2.0 || place["seat"] != nil {
		t.Errorf("places: %s", me.text)
	}
	s.must(http.StatusOK, "PATCH", path, `{"options":{"approval":true}}`, s.teacher())
	got := s.must(http.StatusAccepted, "POST", "/v1/attend", body, s.student("s4"))
	if got.body["state"] != "pending" || got.body["position"] != nil {
		t.Errorf("pending: %s", got.text)
	}

	var users []string
	for cursor := ""; ; {
		page := s.must(http.StatusOK, "GET", path+"/roster?limit=1&cursor="+cursor, "", s.teacher())
		users = append(users, page.users()...)
		next, more := page.body["next_cursor"].(string)
		if !more {
			break
		}
		cursor = next
	}
	if strings.Join(users, " ") != "s1 s2 s3 s4" {
		t.Errorf("the roster, page by page: %v", users)
	}
	s.must(http.StatusOK, "DELETE", path+"/members/s1", "", s.student("s1"))
	got = s.must(http.StatusOK, "POST", "/v1/attend", body, s.student("s2"))
	if got.body["state"] != "seated" || got.body["seat"] != 1.0 || got.room("code") != code {
		t.Errorf("promoted: %s", got.text)
	}
}

// TestScheduledOverHTTP: what HTTP shows of a room before its time.
func TestScheduledOverHTTP(t *testing.T) {
	s := newSchool(t)
	starts := room.Stamp(time.Now().Add(time.Hour))
	path, code, invitation := s.open(`{"title":"Algebra","capacity":1,"options":{"starts_at":"` + starts + `"}}`)
	for name, headers := range map[string]http.Header{"code": s.student("s1"), "invitation": with(s.student("s1"), "X-Room-ID", invitation)} {
		body := `{"code":"` + code + `"}`
		if name == "invitation" {
			body = `{"room_id":"` + strings.TrimPrefix(path, "/v1/rooms/") + `"}`
		}
		got := s.call("POST", "/v1/attend", body, headers)
		if got.StatusCode != http.StatusConflict || got.body["code"] != "not_started" || got.body["starts_at"] != starts {
			t.Errorf("too early by %s: %s", name, got.text)
		}
	}
	got := s.must(http.StatusOK, "GET", path, "", s.teacher())
	if got.room("status") != "scheduled" || got.room("opened_at") != nil || got.room("closes_at") != nil {
		t.Errorf("scheduled: %s", got.text)
	}
	record := s.must(http.StatusOK, "GET", path+"/attendance?format=csv", "", s.teacher())
	if name := record.Header.Get("Content-Disposition"); !strings.Contains(name, starts[:len(time.DateOnly)]) {
		t.Errorf("its record is %s", name)
	}
	got = s.must(http.StatusOK, "POST", path+"/start", "", s.teacher())
	if got.room("status") != "open" || got.room("opened_at") == nil {
		t.Errorf("started: %s", got.text)
	}
	s.must(http.StatusOK, "PATCH", path, `{"options":{"starts_at":"`+starts+`"}}`, s.teacher())
	s.refused("conflict", "starts_at", "PATCH", path, `{"options":{"starts_at":null}}`, s.teacher())
}
