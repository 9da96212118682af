package main

import (
	"slices"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

const (
	// shownOffline is how long after the last socket went a person is shown
	// offline.
	shownOffline = 5 * time.Second
	// longEnough is when that would have been seen, had it been decided.
	longEnough = shownOffline + 1500*time.Millisecond
)

func offline(user room.UserID) func(message) bool {
	return func(m message) bool { return m.Type == "roster" && slices.Contains(m.Offline, user) }
}

// TestTwoTabs is about one person with several sockets, or one after another.
func TestTwoTabs(t *testing.T) {
	i := startInstance(t)
	t.Run("two tabs are one person", func(t *testing.T) {
		t.Parallel()
		l := i.open("t1", 10)
		desk := i.browse(t, l.passport)
		desk.ask("watching", `{"type":"watch","room_id":%q}`, l.id)
		kim := i.pass("kim", room.Student)
		phone, laptop := i.browse(t, kim), i.browse(t, kim)

		first := phone.ask("joined", `{"type":"join","code":%q}`, l.code)
		if first.Seat != 1 || first.Already {
			t.Errorf("the first join was answered %s", first.raw)
		}
		second := laptop.ask("joined", `{"type":"join","code":%q}`, l.code)
		if second.Seat != 1 || !second.Already {
			t.Errorf("the second join was answered %s", second.raw)
		}
		people, _ := l.roster()
		if len(people) != 1 || people[0].User != "kim" || people[0].Seat != 1 || !people[0].Online {
			t.Errorf("the roster is %+v", people)
		}

		phone.close()
		if m, gone := desk.listenFor(longEnough, offline("kim")); gone {
			t.Fatalf("offline with one tab open: %s", m.raw)
		}
		laptop.close()
		closed := time.Now()
		desk.await("kim offline", patience, offline("kim"))
		if after := time.Since(closed); after < shownOffline-200*time.Millisecond || after > shownOffline+time.Second {
			t.Errorf("shown offline after %v", after)
		}
		if people, _ := l.roster(); len(people) != 1 || people[0].Seat != 1 || people[0].Online {
			t.Errorf("the roster is %+v", people)
		}
	})
	t.Run("a reload is no absence", func(t *testing.T) {
		t.Parallel()
		l := i.open("t2", 10)
		desk := i.browse(t, l.passport)
		desk.ask("watching", `{"type":"watch","room_id":%q}`, l.id)
		lee := i.pass("lee", room.Student)
		before := i.browse(t, lee)
		seat := before.ask("joined", `{"type":"join","code":%q}`, l.code).Seat

		before.close()
		after := i.browse(t, lee)
		again := after.ask("joined", `{"type":"join","room_id":%q}`, l.id)
		if again.Seat != seat || !again.Already {
			t.Errorf("after the reload: %s, before it seat %d", again.raw, seat)
		}
		if m, gone := desk.listenFor(longEnough, offline("lee")); gone {
			t.Errorf("shown offline after a reload: %s", m.raw)
		}
	})
}
