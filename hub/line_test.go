package hub

import (
	"fmt"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// openWith has an instructor open a room with options.
func (s *client) openWith(capacity int, options message) (id, code string) {
	s.t.Helper()
	m := s.expect(message{"type": "open", "title": "Botany", "capacity": capacity, "options": options}, message{"type": "opened"})
	object := m["room"].(map[string]any)
	return object["id"].(string), object["code"].(string)
}

// joins enters a student, who joins by code and expects a reply.
func (c *class) joins(user room.UserID, code string, want message) *client {
	c.t.Helper()
	s := c.student(user)
	s.expect(message{"type": "join", "code": code}, want)
	return s
}

// only returns those of messages that have a type.
func only(messages []message, typ string) []message {
	var found []message
	for _, m := range messages {
		if m["type"] == typ {
			found = append(found, m)
		}
	}
	return found
}

// hears expects one your_place, now.
func (s *client) hears(want message) {
	s.t.Helper()
	places := only(s.rest(), "your_place")
	if len(places) != 1 {
		s.t.Fatalf("heard %v, want one your_place with %v", places, want)
	}
	places[0].check(s.t, want)
}

// hearsNothing expects no your_place.
func (s *client) hearsNothing() {
	s.t.Helper()
	if places := only(s.rest(), "your_place"); len(places) > 0 {
		s.t.Fatalf("heard %v", places)
	}
}

func waiting(position int) message {
	return message{"type": "waiting_for_seat", "state": "waiting", "position": position, "already": false}
}

func stands(position int) message {
	return message{"state": "waiting", "seat": nil, "position": position}
}

func sits(seat int) message { return message{"state": "seated", "seat": seat, "position": nil} }

// TestWaitingList walks a line: whoever is first gets each seat that becomes
// free, and everyone behind moves up.
func TestWaitingList(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.openWith(1, message{"waitlist": true})
		lee.ask(message{"type": "watch", "room_id": id})
		ann := c.joins("ann", code, message{"type": "joined", "seat": 1})
		lee.rest()
		bob := c.joins("bob", code, waiting(1))
		joined := message(lee.next("roster")["joined"].([]any)[0].(map[string]any))
		joined.check(t, message{"user": "bob", "state": "waiting", "seat": nil, "online": true})
		first := joined["place"].(float64)
		cho, dan := c.joins("cho", code, waiting(2)), c.joins("dan", code, waiting(3))
		dan.expect(message{"type": "join", "code": code}, message{"type": "waiting_for_seat", "position": 3, "already": true})
		object := message(dan.ask(message{"type": "join", "room_id": id})["room"].(map[string]any))
		object.check(t, message{"code": nil, "taken": 1, "waiting": 3, "pending": 0})
		time.Sleep(2 * time.Second)
		counts := only(ann.rest(), "count")
		counts[len(counts)-1].check(t, message{"taken": 1, "waiting": 3})
		bob.rest()
		lee.rest()

		ann.expect(message{"type": "leave"}, message{"type": "left"})
		told := bob.rest()
		only(told, "your_place")[0].check(t, sits(1))
		message(only(told, "room_changed")[0]["room"].(map[string]any)).check(t, message{"code": code, "taken": 1, "waiting": 2})
		cho.hears(stands(1))
		dan.hears(stands(2))
		moved := lee.next("roster")
		moved.check(t, message{"left": []any{map[string]any{"user": "ann", "reason": "left"}}, "taken": 1, "waiting": 2})
		joined = message(moved["joined"].([]any)[0].(map[string]any))
		joined.check(t, message{"user": "bob", "state": "seated", "seat": 1, "place": nil})

		lee.expect(message{"type": "remove", "room_id": id, "user": "bob"}, message{"type": "person_removed"})
		bob.until("you_were_removed").check(t, message{"reason": "removed"})
		cho.hears(sits(1))
		dan.hearsNothing() // a position is told at most once a second
		time.Sleep(time.Second)
		dan.hears(stands(1))
		lee.expect(message{"type": "update", "room_id": id, "capacity": 2}, message{"type": "updated"})
		told = dan.rest()
		only(told, "your_place")[0].check(t, sits(2))
		if changed := only(told, "room_changed"); len(changed) != 1 || changed[0]["room"].(map[string]any)["code"] != code {
			t.Errorf("the room as the last to get a seat hears of it: %v", changed)
		}
		lee.expect(message{"type": "update", "room_id": id, "capacity": 1}, message{"code": "conflict", "field": "capacity"})

		lee.expect(message{"type": "update", "room_id": id, "options": message{"waitlist": false}}, message{"type": "updated"})
		c.joins("eve", code, message{"type": "error", "code": "room_full"})
		roster := lee.expect(message{"type": "watch", "room_id": id}, message{"type": "watching"})["roster"].([]any)
		if len(roster) != 2 || first <= 0 {
			t.Errorf("in the end the roster is %v", roster)
		}
	})
}

// TestLineIsPaced: while seats keep becoming free, each of those who wait is
// told a position at most once a second, and the last one told is right;
// nobody hears of those behind.
func TestLineIsPaced(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.openWith(1, message{"waitlist": true})
		sits := c.joins("s0", code, message{"seat": 1})
		const waitingHere = 40
		people := []*client{sits}
		for i := range waitingHere {
			people = append(people, c.joins(room.UserID(fmt.Sprint("s", i+1)), code, waiting(i+1)))
		}
		time.Sleep(2 * time.Second)
		last, behind := people[waitingHere], c.joins("behind", code, waiting(waitingHere+1))
		last.rest()
		behind.ask(message{"type": "leave"})
		last.hearsNothing()

		began := time.Now()
		const gone = 25
		sits.expect(message{"type": "leave"}, message{"type": "left"})
		last.hears(stands(waitingHere - 1)) // at once
		for i := 1; i < gone; i++ {
			people[i].expect(message{"type": "leave"}, message{"type": "left"})
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		heard := only(last.rest(), "your_place")
		if most := int(time.Since(began)/lineEvery) + 1; len(heard) < 2 || len(heard) > most {
			t.Errorf("told %d positions within %v", len(heard), time.Since(began))
		}
		heard[len(heard)-1].check(t, stands(waitingHere-gone))
		for i := 1; i < len(heard); i++ {
			if heard[i]["version"].(float64) <= heard[i-1]["version"].(float64) || heard[i]["position"].(float64) >= heard[i-1]["position"].(float64) {
				t.Errorf("told %v after %v", heard[i], heard[i-1])
			}
		}
		time.Sleep(3 * time.Second)
		last.hearsNothing()
		c.reg.View(t.Context(), room.ID(id), func(v room.View) {
			if n := len(c.hub.hallOf(v.ID).line); n != waitingHere-gone {
				t.Errorf("%d people are remembered as waiting, want %d", n, waitingHere-gone)
			}
		})
	})
}

// TestWaitingOnTwoSockets: all sockets of one person hear of the place,
// whether or not they are in the room.
func TestWaitingOnTwoSockets(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		id, code := c.instructor("lee").openWith(1, message{"waitlist": true})
		ann, bob := c.joins("ann", code, message{"seat": 1}), c.joins("bob", code, waiting(1))
		first, second, outside := c.student("kim"), c.student("kim"), c.student("kim")
		first.expect(message{"type": "join", "code": code}, waiting(2))
		second.hears(stands(2))
		outside.hears(stands(2))
		second.expect(message{"type": "join", "room_id": id}, message{"type": "waiting_for_seat", "position": 2, "already": true})
		bob.ask(message{"type": "leave"})
		for _, s := range []*client{first, second, outside} {
			s.hears(stands(1))
		}
		first.nc.Close()
		time.Sleep(time.Minute) // the other keeps the place
		ann.ask(message{"type": "leave"})
		second.hears(sits(1))
		outside.hears(sits(1))
		second.expect(message{"type": "leave"}, message{"type": "left"})
		outside.until("you_were_removed").check(t, message{"reason": "left_elsewhere"})
	})
}

// TestLineOnTwoInstances: whoever waits hears of every step, whichever
// instance decides it.
func TestLineOnTwoInstances(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		other := c.beside()
		lee := c.instructor("lee")
		id, code := lee.openWith(1, message{"waitlist": true})
		ann, bob := c.joins("ann", code, message{"seat": 1}), other.joins("bob", code, waiting(1))
		cho, dan := c.joins("cho", code, waiting(2)), other.joins("dan", code, waiting(3))
		elsewhere := c.student("dan")
		elsewhere.expect(message{"type": "join", "room_id": id}, message{"type": "waiting_for_seat", "position": 3, "already": true})
		elsewhere.rest() // of the place, if this instance heard of it only now
		ann.ask(message{"type": "leave"})
		bob.hears(sits(1))
		cho.hears(stands(1))
		dan.hears(stands(2))
		elsewhere.hears(stands(2))
		time.Sleep(time.Second)
		bob.ask(message{"type": "leave"})
		cho.hears(sits(1))
		dan.hears(stands(1))
		elsewhere.hears(stands(1))
		lee.expect(message{"type": "update", "room_id": id, "capacity": 2}, message{"type": "updated"})
		told := dan.rest()
		only(told, "your_place")[0].check(t, sits(2))
		message(only(told, "room_changed")[0]["room"].(map[string]any)).check(t, message{"code": code, "taken": 2, "waiting": 0})
	})
}

// TestPlaceOutsideTheRoom: a socket that is in no room hears of its person's
// place all the same, on an instance that has the room; also where nobody is in
// the room there.
func TestPlaceOutsideTheRoom(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		other := c.beside()
		_, code := c.instructor("lee").openWith(1, message{"waitlist": true})
		outside := other.student("cho")
		other.joins("dan", code, message{"seat": 1}).ask(message{"type": "leave"})
		ann, bob := c.joins("ann", code, message{"seat": 1}), c.joins("bob", code, waiting(1))
		c.joins("cho", code, waiting(2))
		outside.hears(stands(2))
		ann.ask(message{"type": "leave"})
		outside.hears(stands(1))
		bob.ask(message{"type": "leave"})
		outside.hears(sits(1))
	})
}

// TestComingBackToTheLine: within the time that a place is kept it is the
// same one; after that it is gone, and those behind have moved up.
func TestComingBackToTheLine(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.openWith(1, message{"waitlist": true})
		lee.ask(message{"type": "watch", "room_id": id})
		c.joins("ann", code, message{"seat": 1})
		bob, cho := c.joins("bob", code, waiting(1)), c.joins("cho", code, waiting(2))
		bob.nc.Close()
		time.Sleep(room.OfflineAfter + room.LapseAfter - time.Second)
		cho.hearsNothing()
		bob = c.student("bob")
		bob.expect(message{"type": "join", "room_id": id}, message{"type": "waiting_for_seat", "position": 1, "already": true})
		bob.nc.Close()
		outside := c.student("bob")
		lee.rest()
		time.Sleep(room.OfflineAfter + room.LapseAfter + time.Second)
		outside.next("you_were_removed").check(t, message{"room_id": id, "reason": "place_lapsed"})
		cho.hears(stands(1))
		events := only(lee.rest(), "roster")
		events[len(events)-1].check(t, message{"left": []any{map[string]any{"user": "bob", "reason": "place_lapsed"}}, "waiting": 1})
		outside.expect(message{"type": "join", "room_id": id}, message{"type": "error", "code": "not_found"})
		outside.expect(message{"type": "join", "code": code}, waiting(2))
	})
}

// TestSeatHold: a seat whose holder stays away is given up, and to whoever is
// first in line.
func TestSeatHold(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		id, code := c.instructor("lee").openWith(1, message{"waitlist": true, "seat_hold_seconds": 60})
		ann, bob := c.joins("ann", code, message{"seat": 1}), c.joins("bob", code, waiting(1))
		ann.nc.Close()
		time.Sleep(50 * time.Second)
		ann = c.student("ann")
		ann.expect(message{"type": "join", "room_id": id}, message{"type": "joined", "seat": 1, "already": true})
		ann.nc.Close()
		time.Sleep(room.OfflineAfter + 59*time.Second)
		bob.hearsNothing()
		time.Sleep(2 * time.Second)
		bob.hears(sits(1))
		c.joins("ann", code, waiting(1))
	})
}

// TestLineMovesThoughLocked: the lock keeps newcomers out, and nobody who
// waits already.
func TestLineMovesThoughLocked(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.openWith(1, message{"waitlist": true})
		ann, bob := c.joins("ann", code, message{"seat": 1}), c.joins("bob", code, waiting(1))
		lee.expect(message{"type": "update", "room_id": id, "options": message{"locked": true}}, message{"type": "updated"})
		c.joins("cho", code, message{"type": "error", "code": "room_locked"})
		bob.nc.Close()
		bob = c.joins("bob", code, message{"type": "waiting_for_seat", "position": 1, "already": true})
		ann.ask(message{"type": "leave"})
		bob.hears(sits(1))
		ann.expect(message{"type": "join", "code": code}, message{"code": "room_locked"})
	})
}

// TestLaggingInLine: a socket that missed its position hears it when it reads
// again.
func TestLaggingInLine(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		id, code := c.instructor("lee").openWith(1, message{"waitlist": true})
		ann, bob := c.joins("ann", code, message{"seat": 1}), c.joins("bob", code, waiting(1))
		for _, s := range []*client{ann, bob} {
			s.rest()
		}
		for _, user := range []room.UserID{"ann", "bob"} {
			c.hub.of(user, func(s *socket) { s.lag(room.ID(id)) })
		}
		time.Sleep(time.Second)
		ann.hearsNothing()
		bob.hears(stands(1))
	})
}

// TestLeaveAndWaitInOneEntry: who gives up a seat on one socket and gets a
// place in line on another, all in one entry, may not follow the roster any
// more, and hears of the way up.
func TestLeaveAndWaitInOneEntry(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		slow := &slowStore{Store: c.reg.Store}
		c.reg.Store = slow
		id, code := c.instructor("lee").openWith(1, message{"waitlist": true, "roster": "everyone"})
		leaves, stays := c.joins("kim", code, message{"seat": 1}), c.student("kim")
		stays.ask(message{"type": "watch", "room_id": id})
		ann, bob := c.joins("ann", code, waiting(1)), c.student("bob")
		stays.rest()

		slow.slow.Store(true)
		bob.send(`{"id":1,"type":"join","code":"` + code + `"}`)
		time.Sleep(100 * time.Millisecond)
		leaves.send(`{"id":77,"type":"leave"}`)
		time.Sleep(100 * time.Millisecond)
		stays.send(`{"id":78,"type":"join","code":"` + code + `"}`)
		time.Sleep(3 * time.Second)
		slow.slow.Store(false)
		told := stays.rest()
		reply := only(told, "waiting_for_seat")
		if len(reply) != 1 || len(only(told, "unwatch_forced")) != 1 || len(only(told, "you_were_removed")) > 0 {
			t.Fatalf("the socket that stays hears %v", told)
		}
		reply[0].check(t, message{"position": 2, "already": false})
		ann.hears(sits(1))
		bob.ask(message{"type": "leave"})
		stays.hears(stands(1))
	})
}

// TestSeatedInTheEntryOfTheJoin: the reply says what the join came to, and one
// event what followed from it.
func TestSeatedInTheEntryOfTheJoin(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		c.reg.Store = gatheringStore{c.reg.Store}
		lee := c.instructor("lee")
		id, code := lee.openWith(1, message{"waitlist": true})
		ann, kim, outside := c.joins("ann", code, message{"seat": 1}), c.student("kim"), c.student("kim")
		lee.send(`{"id":77,"type":"update","room_id":"` + id + `","title":"Zoology"}`) // what follows gathers behind it
		time.Sleep(10 * time.Millisecond)
		kim.send(`{"id":1,"type":"join","code":"` + code + `"}`)
		time.Sleep(10 * time.Millisecond)
		ann.send(`{"id":77,"type":"leave"}`)
		time.Sleep(time.Second)
		told := kim.rest()
		told[0].check(t, waiting(1))
		if places := only(told, "your_place"); len(places) != 1 {
			t.Errorf("told %v", places)
		} else {
			places[0].check(t, sits(1))
		}
		outside.hears(sits(1))
	})
}

// TestDeltaOrder: newcomers are told in the order of the roster.
func TestDeltaOrder(t *testing.T) {
	r := goldenRoom(44, nil)
	d := deltaOf(r, 41, map[room.UserID]bool{"s51": true, "w2": true, "s50": true, "s44": true, "w1": true, "s42": true})
	got := ""
	for _, p := range d.joined {
		got += string(p.User) + " "
	}
	if want := "s42 s44 w1 w2 s50 s51 "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestPlaceOf: a join that was decided in an entry before the last is answered
// by the room as it is, since nobody tells of what came between.
func TestPlaceOf(t *testing.T) {
	r := goldenRoom(44, nil)
	answer := room.Answer{User: "s42", State: room.Waiting, Position: 2}
	for version, want := range map[int64]place{44: {state: room.Waiting, position: 2}, 43: {state: room.Seated, seat: 17}} {
		o := room.Outcome{Room: r, Entry: &room.Entry{Version: version}, Answer: answer}
		if got := placeOf(o); got != want {
			t.Errorf("decided in version %d of 44: %+v, want %+v", version, got, want)
		}
		if got := placeNow(o); got != (place{state: room.Seated, seat: 17}) {
			t.Errorf("now: %+v", got)
		}
	}
}

// TestReadAnew: watchers of a room that was read anew are made to ask.
func TestReadAnew(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, _ := lee.open(5)
		lee.ask(message{"type": "watch", "room_id": id})
		c.reg.View(t.Context(), room.ID(id), func(v room.View) {
			v.Version += 3
			c.hub.Applied(v.Room, &room.Entry{Room: v.ID, Version: v.Version})
			v.Version -= 3
		})
		lee.next("roster").check(t, message{"from": 4, "version": 4, "joined": []any{}})
	})
}
