package hub

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A slowStore takes a second for each save, once it is slow.
type slowStore struct {
	room.Store
	slow atomic.Bool
}

func (s *slowStore) Save(ctx context.Context, step room.Step) error {
	if s.slow.Load() {
		time.Sleep(time.Second)
	}
	return s.Store.Save(ctx, step)
}

// handshake returns a connection on which nobody reads after the handshake.
func (c *class) handshake(user room.UserID, role room.Role) net.Conn {
	c.t.Helper()
	ours, theirs := net.Pipe()
	c.t.Cleanup(func() { ours.Close() })
	c.pipes.conns <- theirs
	go fmt.Fprintf(ours, localHandshake+"X-User-ID: %s\r\n\r\n", c.passport(user, role, time.Hour))
	if _, err := http.ReadResponse(bufio.NewReaderSize(ours, 16), nil); err != nil {
		c.t.Fatal(err)
	}
	return ours
}

// TestLeaveAndJoinInOneEntry: who leaves on one socket and joins on another
// while both commands wait for the same entry has the place, and its end is
// noticed.
func TestLeaveAndJoinInOneEntry(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		slow := &slowStore{Store: c.reg.Store}
		c.reg.Store = slow
		id, code := c.instructor("lee").open(5)
		leaves, joins, ann := c.student("kim"), c.student("kim"), c.student("ann")
		leaves.expect(message{"type": "join", "code": code}, message{"seat": 1})
		joins.rest()

		slow.slow.Store(true)
		ann.send(`{"id":1,"type":"join","code":"` + code + `"}`)
		time.Sleep(100 * time.Millisecond)
		leaves.send(`{"id":77,"type":"leave"}`)
		time.Sleep(100 * time.Millisecond)
		joins.send(`{"id":78,"type":"join","code":"` + code + `"}`)
		time.Sleep(3 * time.Second)
		slow.slow.Store(false)
		for _, m := range joins.rest() {
			if m["type"] == "you_were_removed" {
				t.Errorf("the socket that joined hears %v", m)
			}
		}
		leaves.nc.Close()
		joins.nc.Close()
		time.Sleep(time.Minute)
		c.reg.View(t.Context(), room.ID(id), func(v room.View) {
			if p := v.Person("kim"); p.Online || len(p.Sessions) > 0 || p.State != room.Seated {
				t.Errorf("a minute after both sockets closed: %+v", p)
			}
		})
	})
}

// TestLateSocketIsSentAway: a socket whose handshake ends while the instance
// goes away is told so too.
func TestLateSocketIsSentAway(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		ours, theirs := net.Pipe()
		c.pipes.conns <- theirs
		fmt.Fprintf(ours, localHandshake+"X-User-ID: %s\r\n\r\n", c.passport("kim", room.Student, time.Hour))
		synctest.Wait() // the server cannot write its answer yet
		gone := make(chan struct{})
		began := time.Now()
		go func() {
			defer close(gone)
			c.drain()
		}()
		synctest.Wait()
		br := bufio.NewReader(ours)
		if _, err := http.ReadResponse(br, nil); err != nil {
			t.Fatal(err)
		}
		kim := &client{t: t, nc: ours, said: make(chan message, 10)}
		go kim.listen(br)
		kim.until("draining")
		kim.closed(closeRestart)
		<-gone
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the end took %v", took)
		}
	})
}

// TestWatchFlood: what waits for a client that asks for one snapshot after the
// other and does not read them stays bounded.
func TestWatchFlood(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		id, code := c.instructor("lee").open(1000)
		for n := range 500 {
			by := room.Caller{User: room.UserID(fmt.Sprint("s", n)), Name: strings.Repeat("é", 60), Role: room.Student}
			if _, err := c.reg.Do(room.Command{Type: room.CommandJoin, Room: room.ID(id), By: by, Code: code}, nil); err != nil {
				t.Fatal(err)
			}
		}
		ours := c.handshake("lee", room.Instructor)
		for n := range 60 {
			if _, err := ours.Write(masked(0x81, fmt.Appendf(nil, `{"id":%d,"type":"watch","room_id":"%s"}`, n, id))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if _, _, waiting := c.hub.flush.traffic(); waiting > 2*snapshotsWaiting {
			t.Errorf("%d bytes wait for one socket", waiting)
		}
	})
}

// TestSilentPeerWasThereUntilHeard: the record does not count the minute after
// which a silent peer is given up.
func TestSilentPeerWasThereUntilHeard(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		id, code := c.instructor("lee").open(5)
		ours := c.handshake("kim", room.Student)
		go io.Copy(io.Discard, ours) // and answers no ping
		ours.Write(masked(0x81, fmt.Appendf(nil, `{"id":1,"type":"join","code":"%s"}`, code)))
		time.Sleep(3 * time.Minute)
		h, err := c.hub.Archive.History(t.Context(), room.ID(id))
		if err != nil {
			t.Fatal(err)
		}
		if present := h.Record(c.reg.Now()).People[0].PresentSeconds; present > 1 {
			t.Errorf("heard only at its coming, and present for %d s", present)
		}
	})
}

// TestCloseReasonTellsNothing: what a client says at its end does not change
// how long it was there.
func TestCloseReasonTellsNothing(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		id, code := c.instructor("lee").open(5)
		ours := c.handshake("kim", room.Student)
		go io.Copy(io.Discard, ours)
		ours.Write(masked(0x81, fmt.Appendf(nil, `{"id":1,"type":"join","code":"%s"}`, code)))
		time.Sleep(20 * time.Second)
		ours.Write(masked(0x88, append(binary.BigEndian.AppendUint16(nil, 1000), "silent"...)))
		time.Sleep(10 * time.Second)
		h, err := c.hub.Archive.History(t.Context(), room.ID(id))
		if err != nil {
			t.Fatal(err)
		}
		if present := h.Record(c.reg.Now()).People[0].PresentSeconds; present < 19 || present > 21 {
			t.Errorf("there for 20 s, and present for %d s", present)
		}
	})
}

func TestExpiredRoomPassport(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		id, _ := c.instructor("lee").open(5)
		invite, err := c.keys.Invite(room.Invitation{Room: room.ID(id), ExpiresAt: c.reg.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		kim := c.dial("X-User-ID: " + c.passport("kim", room.Student, time.Hour) + "\r\nX-Room-ID: " + invite + "\r\n")
		kim.next("hello")
		time.Sleep(2 * time.Minute)
		kim.expect(message{"type": "join", "room_id": id}, message{"type": "error", "code": "not_found"})
	})
}

// TestFloodIsReadSlowly: a client that ignores every refusal is read no faster
// than it may ask, apart from what it may send at once.
func TestFloodIsReadSlowly(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		kim := c.student("kim")
		began := time.Now()
		for range 3*requestsAtOnce + 10*requestsPerSecond {
			kim.ask(message{"type": "ping"})
		}
		if took := time.Since(began); took < 3*time.Second {
			t.Errorf("read within %v", took)
		}
	})
}

// TestLeaveTwice: repeated, a request answers as the first time.
func TestLeaveTwice(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		id, code := c.instructor("lee").open(5)
		kim := c.student("kim")
		kim.expect(message{"type": "join", "code": code}, message{"seat": 1})
		for range 2 {
			kim.expect(message{"type": "leave"}, message{"type": "left", "room_id": id})
		}
	})
}

// TestLaggingEndsWithTheRoom: a socket that is in a room no more, and watches
// it no more, is not caught up with it; one that is in it still is.
func TestLaggingEndsWithTheRoom(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.open(5)
		lee.ask(message{"type": "update", "room_id": id, "options": message{"roster": "everyone"}})
		kim := c.student("kim")
		kim.ask(message{"type": "join", "code": code})
		kim.ask(message{"type": "watch", "room_id": id})
		lags := func() (it bool) {
			c.hub.of("kim", func(s *socket) {
				s.mu.Lock()
				defer s.mu.Unlock()
				it = s.lagging[room.ID(id)]
			})
			return it
		}
		c.hub.of("kim", func(s *socket) { s.lag(room.ID(id)) })
		kim.ask(message{"type": "unwatch", "room_id": id})
		if !lags() {
			t.Error("whoever is in the room is not caught up with its count")
		}
		kim.ask(message{"type": "leave"})
		if lags() {
			t.Error("whoever has left is caught up")
		}
	})
}
