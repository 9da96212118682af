package hub

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

func TestJoinWatchLeaveClose(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.open(2)
		watching := lee.expect(message{"type": "watch", "room_id": id}, message{"type": "watching", "more": false, "version": 1})
		if roster := watching["roster"].([]any); len(roster) != 0 {
			t.Fatalf("roster %v", roster)
		}

		kim := c.student("kim")
		joined := kim.expect(message{"type": "join", "code": strings.ToLower(code[:4]) + "-" + code[4:]}, message{"type": "joined", "seat": 1, "already": false, "version": 2})
		message(joined["room"].(map[string]any)).check(t, message{"code": code, "taken": 1, "online_count": 1, "status": "open"})
		event := lee.next("roster")
		event.check(t, message{"room_id": id, "from": 1, "version": 2, "taken": 1, "online_count": 1, "left": []any{}, "online": []any{}})
		entry := message(event["joined"].([]any)[0].(map[string]any))
		entry.check(t, message{"user": "kim", "name": "Name of kim", "state": "seated", "seat": 1, "place": nil, "online": true, "guest": false})
		kim.next("count").check(t, message{"taken": 1, "capacity": 2, "version": 2})
		kim.expect(message{"type": "join", "code": code}, message{"type": "joined", "seat": 1, "already": true})

		bo := c.student("bo")
		bo.expect(message{"type": "join", "code": code}, message{"seat": 2})
		ann := c.student("ann")
		ann.expect(message{"type": "join", "code": code}, message{"type": "error", "code": "room_full", "room_id": id})

		kim.expect(message{"type": "leave"}, message{"type": "left", "room_id": id})
		for _, m := range kim.rest() {
			if m["type"] == "you_were_removed" {
				t.Errorf("told of what it asked for: %v", m)
			}
		}
		kim.expect(message{"type": "leave", "room_id": id}, message{"type": "left"})
		ann.expect(message{"type": "join", "code": code}, message{"type": "joined", "seat": 1})

		lee.expect(message{"type": "close", "room_id": id}, message{"type": "closed"})
		if last := lee.rest(); last[len(last)-1]["type"] != "room_closed" {
			t.Errorf("the last of %v is not room_closed", last)
		}
		bo.until("room_closed").check(t, message{"room_id": id, "reason": "instructor"})
		ann.expect(message{"type": "join", "room_id": id}, message{"type": "error", "code": "room_closed"})
		kim.expect(message{"type": "join", "code": code}, message{"type": "error", "code": "not_found"})
		lee.expect(message{"type": "watch", "room_id": id}, message{"type": "watching", "more": false})
		bo.expect(message{"type": "watch", "room_id": id}, message{"type": "error", "code": "room_closed"})
		lee.expect(message{"type": "close", "room_id": id}, message{"type": "closed"})
	})
}

// TestOnePersonOnManySockets: one seat and one roster row, whatever the number
// of sockets; only the last one's end shows the person offline.
func TestOnePersonOnManySockets(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.open(5)
		lee.ask(message{"type": "watch", "room_id": id})
		first, second, third := c.student("kim"), c.student("kim"), c.student("kim")
		first.expect(message{"type": "join", "code": code}, message{"seat": 1, "already": false})
		second.next("your_place").check(t, message{"room_id": id, "state": "seated", "seat": 1, "position": nil})
		second.expect(message{"type": "join", "room_id": id}, message{"type": "joined", "seat": 1, "already": true})
		lee.until("roster").check(t, message{"taken": 1})

		first.nc.Close()
		time.Sleep(10 * time.Second)
		if told := lee.rest(); len(told) > 0 {
			t.Errorf("one socket of two closed: %v", told)
		}
		second.nc.Close()
		time.Sleep(4 * time.Second)
		if told := lee.rest(); len(told) > 0 {
			t.Errorf("4 s after the last socket closed: %v", told)
		}
		third.expect(message{"type": "join", "room_id": id}, message{"already": true})
		time.Sleep(10 * time.Second)
		if told := lee.rest(); len(told) > 0 {
			t.Errorf("after a reload: %v", told)
		}
		third.nc.Close()
		lost := time.Now()
		lee.until("roster").check(t, message{"offline": []any{"kim"}, "online_count": 0, "taken": 1})
		if after := time.Since(lost); after < room.OfflineAfter || after > room.OfflineAfter+time.Second {
			t.Errorf("offline after %v", after)
		}

		fourth, fifth := c.student("kim"), c.student("kim")
		fourth.expect(message{"type": "join", "room_id": id}, message{"already": true})
		lee.until("roster").check(t, message{"online": []any{"kim"}})
		fifth.expect(message{"type": "join", "room_id": id}, message{"already": true})
		fourth.expect(message{"type": "leave"}, message{"type": "left"})
		fifth.until("you_were_removed").check(t, message{"room_id": id, "reason": "left_elsewhere"})
		fifth.expect(message{"type": "join", "room_id": id}, message{"type": "error", "code": "not_found"})
	})
}

func TestInstructorLeads(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee, other := c.instructor("lee"), c.instructor("other")
		id, code := lee.open(3)
		kim, bo := c.student("kim"), c.student("bo")
		kim.ask(message{"type": "join", "code": code})
		bo.ask(message{"type": "join", "code": code})

		other.expect(message{"type": "update", "room_id": id, "capacity": 9}, message{"type": "error", "code": "forbidden", "room_id": id})
		kim.expect(message{"type": "close", "room_id": id}, message{"type": "error", "code": "forbidden"})
		lee.expect(message{"type": "update", "room_id": id, "capacity": 1}, message{"type": "error", "code": "conflict", "field": "capacity"})
		lee.expect(message{"type": "update", "room_id": id, "options": message{"locked": true, "roster": "everyone"}}, message{"type": "updated"})
		changed := kim.until("room_changed")["room"].(map[string]any)
		message(changed["options"].(map[string]any)).check(t, message{"locked": true, "roster": "everyone"})
		c.student("ann").expect(message{"type": "join", "code": code}, message{"code": "room_locked"})

		kim.expect(message{"type": "watch", "room_id": id}, message{"type": "watching"})
		lee.expect(message{"type": "update", "room_id": id, "options": message{"roster": "instructor"}}, message{"type": "updated"})
		kim.until("unwatch_forced").check(t, message{"room_id": id})
		kim.expect(message{"type": "watch", "room_id": id}, message{"type": "error", "code": "forbidden"})

		lee.expect(message{"type": "remove", "room_id": id, "user": "bo", "ban": true}, message{"type": "person_removed"})
		bo.until("you_were_removed").check(t, message{"reason": "banned"})
		bo.expect(message{"type": "join", "code": code}, message{"code": "banned"})
		lee.expect(message{"type": "unban", "room_id": id, "user": "bo"}, message{"type": "unbanned"})
		bo.expect(message{"type": "join", "code": code}, message{"code": "room_locked"})

		renewed := lee.expect(message{"type": "update", "room_id": id, "new_code": true, "options": message{"locked": false}}, message{"type": "updated"})
		fresh := renewed["room"].(map[string]any)["code"].(string)
		if fresh == code || renewed["room_passport"] == nil {
			t.Errorf("renewed: %v", renewed)
		}
		bo.expect(message{"type": "join", "code": code}, message{"code": "not_found"})
		bo.expect(message{"type": "join", "code": fresh}, message{"seat": 2})
		lee.expect(message{"type": "open", "title": "Another", "capacity": 3}, message{"code": "already_open", "room_id": id})
		kim.expect(message{"type": "open", "title": "Mine", "capacity": 3}, message{"code": "forbidden"})
		lee.expect(message{"type": "start", "room_id": id}, message{"type": "updated"})
		lee.expect(message{"type": "admit", "room_id": id, "all": true}, message{"type": "admitted", "count": 0})
	})
}

// TestWatchSince: deltas bring a watcher to the room as it is; a version that
// the server cannot start from is answered with a snapshot.
func TestWatchSince(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.open(5)
		for _, u := range []room.UserID{"a", "b", "c"} {
			c.student(u).ask(message{"type": "join", "code": code})
		}
		again := lee.expect(message{"type": "watch", "room_id": id, "since": 2}, message{"version": 4, "roster": nil})
		deltas := again["deltas"].([]any)
		if len(deltas) != 1 {
			t.Fatalf("deltas %v", deltas)
		}
		d := message(deltas[0].(map[string]any))
		d.check(t, message{"type": "roster", "from": 2, "version": 4, "taken": 3})
		if joined := d["joined"].([]any); len(joined) != 2 {
			t.Errorf("joined %v", joined)
		}
		lee.expect(message{"type": "watch", "room_id": id, "since": 4}, message{"deltas": []any{}})
		lee.expect(message{"type": "watch", "room_id": id, "since": 99}, message{"deltas": nil, "more": false})
	})
}

// TestRosterComesInPages: a large roster is answered in pages of one version,
// before any roster event.
func TestRosterComesInPages(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, _ := lee.open(2000)
		for i := range 1201 {
			by := room.Caller{User: room.UserID(fmt.Sprintf("s%04d", i)), Name: "S", Role: room.Student}
			code := ""
			c.reg.View(t.Context(), room.ID(id), func(v room.View) { code = v.Code })
			if _, err := c.reg.Do(room.Command{Type: room.CommandJoin, Room: room.ID(id), By: by, Code: code}, nil); err != nil {
				t.Fatal(err)
			}
		}
		first := lee.expect(message{"type": "watch", "room_id": id}, message{"more": true})
		entries := len(first["roster"].([]any))
		for more := true; more; {
			page := lee.next("roster_page")
			page.check(t, message{"version": int(first["version"].(float64)), "room_id": id})
			entries += len(page["roster"].([]any))
			more = page["more"].(bool)
		}
		if entries != 1201 {
			t.Errorf("%d entries", entries)
		}
	})
}

// TestCoalescing: a lone change is told at once, a storm in at most 10 roster
// events and 1 count a second.
func TestCoalescing(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee, kim := c.instructor("lee"), c.student("kim")
		id, code := lee.open(1000)
		lee.ask(message{"type": "watch", "room_id": id})
		kim.ask(message{"type": "join", "code": code})
		lee.next("roster")
		time.Sleep(2 * time.Second)
		kim.rest()

		began := time.Now()
		for i := range 200 {
			time.Sleep(10 * time.Millisecond)
			by := room.Caller{User: room.UserID(fmt.Sprintf("s%d", i)), Name: "S", Role: room.Student}
			if _, err := c.reg.Do(room.Command{Type: room.CommandJoin, Room: room.ID(id), By: by, Code: code}, nil); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				if told := lee.rest(); len(told) != 1 {
					t.Errorf("a lone change: %v", told)
				}
			}
		}
		time.Sleep(time.Second)
		took := time.Since(began)
		rosters, counts := lee.rest(), kim.rest()
		if most := int(took/rosterEvery) + 1; len(rosters) > most || len(rosters) < 10 {
			t.Errorf("%d roster events in %v", len(rosters), took)
		}
		if most := int(took/countEvery) + 1; len(counts) > most || len(counts) == 0 {
			t.Errorf("%d counts in %v", len(counts), took)
		}
		seen := 0
		for _, m := range rosters {
			seen += len(m["joined"].([]any))
		}
		if seen != 199 {
			t.Errorf("%d seen after the first, want 199", seen)
		}
		rosters[len(rosters)-1].check(t, message{"taken": 201})
		counts[len(counts)-1].check(t, message{"taken": 201})
	})
}

func TestPassportOnALiveSocket(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		short := c.dial("X-User-ID: " + c.passport("kim", room.Student, time.Minute) + "\r\n")
		long := c.dial("X-User-ID: " + c.passport("kim", room.Student, time.Minute) + "\r\n")
		long.next("hello")
		began := time.Now()
		for _, bad := range []string{"", "x.y.z", c.passport("bo", room.Student, time.Hour), c.passport("kim", room.Instructor, time.Hour)} {
			long.expect(message{"type": "renew", "passport": bad}, message{"type": "error", "code": "unauthorized"})
		}
		long.expect(message{"type": "renew", "passport": c.passport("kim", room.Student, time.Hour)}, message{"type": "renewed"})
		short.closed(closeExpired)
		if after := time.Since(began); after < 59*time.Second || after > 61*time.Second {
			t.Errorf("closed after %v", after)
		}
		long.expect(message{"type": "ping"}, message{"type": "pong"})
	})
}

func TestTooManySockets(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		var last *client
		for range 8 {
			last = c.student("kim")
		}
		ninth := c.student("kim")
		ninth.closed(closeTooMany)
		last.nc.Close()
		time.Sleep(time.Second)
		c.student("kim").expect(message{"type": "ping"}, message{"type": "pong"})
	})
}

func TestRequestRate(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		kim := c.student("kim")
		limited := 0
		for range requestsAtOnce + 5 {
			if m := kim.ask(message{"type": "ping"}); m["code"] == "rate_limited" {
				limited++
				if m["retry_after_ms"].(float64) <= 0 {
					t.Errorf("no retry_after_ms in %v", m)
				}
			}
		}
		if limited != 5 {
			t.Errorf("%d refused, want 5", limited)
		}
		time.Sleep(time.Second)
		kim.expect(message{"type": "ping"}, message{"type": "pong"})
	})
}

func TestWrongCodesAreLimited(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		_, code := lee.open(5)
		kim := c.student("kim")
		for range 5 {
			kim.expect(message{"type": "join", "code": "ZZZZZZZZ"}, message{"code": "not_found"})
		}
		kim.expect(message{"type": "join", "code": code}, message{"code": "rate_limited"})
		c.student("bo").expect(message{"type": "join", "code": code}, message{"seat": 1})
		time.Sleep(time.Minute)
		kim.expect(message{"type": "join", "code": code}, message{"seat": 2})
	})
}

func TestBadRequests(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		kim, lee := c.student("kim"), c.instructor("lee")
		for _, bad := range []string{"[]", "{", `"x"`, `{"type":"ping"}`, `{"id":1.5,"type":"ping"}`} {
			kim.send(bad)
			m := kim.next("error")
			m.check(t, message{"code": "bad_request"})
			if _, ok := m["id"]; ok {
				t.Errorf("%s: an id in %v", bad, m)
			}
		}
		for field, request := range map[string]message{
			"type":     {"type": "dance"},
			"title":    {"type": "open", "capacity": 5},
			"capacity": {"type": "open", "title": "x"},
			"waitlist": {"type": "open", "title": "x", "capacity": 5, "options": message{"waitlist": "yes"}},
			"room_id":  {"type": "close"},
		} {
			lee.expect(request, message{"type": "error", "code": "bad_request", "field": field})
			time.Sleep(time.Second)
		}
		lee.send(`{"type":"open","title":"x","capacity":5,"options":{"waitlist":"yes"},"id":"last"}`)
		lee.next("error").check(t, message{"id": "last", "code": "bad_request", "field": "waitlist"})
		lee.expect(message{"type": "open", "title": "a\u202eb", "capacity": 5}, message{"code": "bad_request", "field": "title"})
		kim.expect(message{"type": "join"}, message{"code": "bad_request", "field": "code"})
		kim.expect(message{"type": "join", "code": "short"}, message{"code": "bad_request", "field": "code"})
		kim.expect(message{"type": "join", "room_id": "01J00000000000000000000000"}, message{"code": "not_found"})
		kim.expect(message{"type": "leave"}, message{"code": "bad_request", "field": "room_id"})
	})
}

func TestOneRoomASocket(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		first, one := c.instructor("lee").open(5)
		_, two := c.instructor("han").open(5)
		kim, again := c.student("kim"), c.student("kim")
		kim.expect(message{"type": "join", "code": one}, message{"seat": 1})
		kim.expect(message{"type": "join", "code": two}, message{"code": "already_in_room"})
		again.expect(message{"type": "join", "code": two}, message{"seat": 1})
		kim.expect(message{"type": "leave"}, message{"type": "left", "room_id": first})
		kim.expect(message{"type": "leave"}, message{"type": "left", "room_id": first})
		kim.expect(message{"type": "join", "code": two}, message{"seat": 1, "already": true})
	})
}

// TestLaggingWatcher: a watcher that missed frames is told as soon as it reads
// again, though nothing else happens.
func TestLaggingWatcher(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, _ := lee.open(5)
		lee.ask(message{"type": "watch", "room_id": id})
		c.hub.of("lee", func(s *socket) { s.lag(room.ID(id)) })
		time.Sleep(time.Second)
		m := lee.next("roster")
		if m["from"] != m["version"] {
			t.Errorf("a nudge is %v", m)
		}
	})
}

// An instance that others took for dead closes its sockets: whoever comes back
// has the seat, and is there under the instance's new name.
func TestTakenForDead(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		id, code := c.instructor("kim").open(2)
		ann := c.student("ann")
		ann.expect(message{"type": "join", "code": code}, message{"type": "joined", "seat": 1})
		before := c.reg.Self()
		if dead, err := c.reg.Store.Bury(t.Context(), "another", 0); dead != 1 || err != nil {
			t.Fatalf("%d instances are dead, %v", dead, err)
		}
		ann.closed(closeRestart)
		if c.reg.Self() == before {
			t.Errorf("the instance is still %s", before)
		}
		again := c.student("ann")
		again.expect(message{"type": "join", "code": code}, message{"type": "joined", "seat": 1, "already": true})
		time.Sleep(20 * time.Second) // the old session ends, the new one does not
		watching := c.instructor("kim").expect(message{"type": "watch", "room_id": id}, message{"type": "watching"})
		message(watching["roster"].([]any)[0].(map[string]any)).check(t, message{"user": "ann", "online": true})
	})
}
