package hub

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectern-room/lectern/room"
)

// TestLeaveOfNoRoom: what a socket has left before counts no more once it has
// been in another room, where its person may have a place by now.
func TestLeaveOfNoRoom(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		first, one := lee.open(5)
		second, two := c.instructor("han").open(5)
		kim, again := c.student("kim"), c.student("kim")
		kim.expect(message{"type": "join", "code": two}, message{"seat": 1})
		kim.expect(message{"type": "leave"}, message{"room_id": second})
		kim.expect(message{"type": "join", "code": one}, message{"seat": 1})
		again.expect(message{"type": "join", "code": two}, message{"seat": 1})
		lee.expect(message{"type": "remove", "room_id": first, "user": "kim"}, message{"type": "person_removed"})
		kim.until("you_were_removed")
		synctest.Wait()
		kim.expect(message{"type": "leave"}, message{"code": "bad_request", "field": "room_id"})
		again.expect(message{"type": "join", "code": two}, message{"seat": 1, "already": true})
	})
}

// TestWatchTheEnd: nobody is online in a room that has closed, and its watchers
// are told so, those too that were away then.
func TestWatchTheEnd(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee, away := c.instructor("lee"), c.instructor("lee")
		id, code := lee.open(5)
		for _, u := range []room.UserID{"a", "b"} {
			c.student(u).ask(message{"type": "join", "code": code})
		}
		lee.expect(message{"type": "watch", "room_id": id}, message{"version": 3})
		c.student("c").ask(message{"type": "join", "code": code})
		lee.next("roster").check(t, message{"version": 4})
		c.student("d").ask(message{"type": "join", "code": code}) // too soon after the other to be told at once
		lee.expect(message{"type": "close", "room_id": id}, message{"type": "closed"})
		last := lee.next("roster")
		last.check(t, message{"from": 4, "version": 6, "online_count": 0, "online": []any{}})
		offline, joined := last["offline"].([]any), last["joined"].([]any)
		if len(offline) != 3 || len(joined) != 1 || joined[0].(map[string]any)["online"] != false {
			t.Errorf("the last roster event is %v", last)
		}
		lee.next("room_changed")
		lee.next("room_closed")
		final := away.expect(message{"type": "watch", "room_id": id, "since": 3}, message{"version": 6, "deltas": nil})
		for _, entry := range final["roster"].([]any) {
			if entry.(map[string]any)["online"] != false {
				t.Errorf("online in a closed room: %v", entry)
			}
		}
	})
}

// A lateStore keeps the next save waiting for some time, and does it then.
type lateStore struct {
	room.Store
	late atomic.Int64 // ns
}

func (s *lateStore) Save(ctx context.Context, step room.Step) error {
	time.Sleep(time.Duration(s.late.Swap(0)))
	return s.Store.Save(context.WithoutCancel(ctx), step)
}

// inLateClass is inClass on such a store.
func inLateClass(t *testing.T, test func(*testing.T, *class, *lateStore)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		config, sqlite := newConfig(t, folder, prometheus.NewRegistry())
		t.Cleanup(func() { sqlite.Close() })
		store := &lateStore{Store: config.Registrar.Store}
		config.Registrar.Store = store
		test(t, begin(t, config), store)
	})
}

// TestRemovedBeforeTheJoin: a join that is answered unavailable and decided
// later, after its person was removed, leaves no session behind that nobody
// ends.
func TestRemovedBeforeTheJoin(t *testing.T) {
	inLateClass(t, func(t *testing.T, c *class, store *lateStore) {
		lee, tab, kim := c.instructor("lee"), c.student("kim"), c.student("kim")
		other, _ := c.instructor("han").open(5)
		id, code := lee.open(5)
		tab.expect(message{"type": "join", "code": code}, message{"seat": 1})

		store.late.Store(int64(2250 * time.Millisecond)) // between two looks for who has waited too long
		lee.send(`{"id":"r","type":"remove","room_id":"` + id + `","user":"kim"}`)
		time.Sleep(100 * time.Millisecond)
		kim.expect(message{"type": "join", "code": code}, message{"code": "unavailable"})
		kim.expect(message{"type": "leave", "room_id": other}, message{"type": "left"})
		time.Sleep(time.Second)
		kim.expect(message{"type": "join", "code": code}, message{"seat": 1, "already": true})
		kim.nc.Close()
		tab.nc.Close()
		time.Sleep(time.Minute)
		c.reg.View(t.Context(), room.ID(id), func(v room.View) {
			if p := v.Person("kim"); p.Online || len(p.Sessions) > 0 {
				t.Errorf("a minute after the last socket went: online %v, %v", p.Online, p.Sessions)
			}
		})
	})
}

// TestRemovedWithTheJoin: who is removed in the entry in which a join is
// decided is in no room then, and may join another.
func TestRemovedWithTheJoin(t *testing.T) {
	inLateClass(t, func(t *testing.T, c *class, store *lateStore) {
		lee, tab, kim := c.instructor("lee"), c.student("kim"), c.student("kim")
		id, code := lee.open(5)
		_, other := c.instructor("han").open(5)
		tab.expect(message{"type": "join", "code": code}, message{"seat": 1})

		store.late.Store(int64(time.Second))
		lee.send(`{"id":"u","type":"update","room_id":"` + id + `","title":"Zoology"}`)
		time.Sleep(100 * time.Millisecond)
		kim.send(`{"id":"j","type":"join","code":"` + code + `"}`)
		synctest.Wait()
		lee.send(`{"id":"r","type":"remove","room_id":"` + id + `","user":"kim"}`)
		kim.until("joined")
		kim.until("you_were_removed")
		synctest.Wait()
		kim.expect(message{"type": "join", "code": other}, message{"seat": 1})
	})
}
