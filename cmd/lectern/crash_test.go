package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// Of crashStudents, who join crashAtOnce at a time, about crashAfter are
	// answered before the server is killed; at most crashSeats could be.
	crashStudents = 1000
	crashSeats    = 900
	crashAtOnce   = 32
	crashAfter    = 400
)

// A crashed lecture is one during which the server was killed.
type crashed struct {
	*lecture
	told     acknowledged
	unknown  int   // requests that had no answer
	version  int64 // the last that anyone was told
	at       time.Time
	restored time.Time   // when the server was started again
	returned room.UserID // who came back afterwards
}

// TestCrash kills a server amid joins, again and again on the same data. What
// was acknowledged is there afterwards, and the record ends when the server did.
func TestCrash(t *testing.T) {
	i, rounds := startInstance(t), faultsOf(t)
	var lectures []*crashed
	for round := range rounds {
		c := &crashed{lecture: i.open(fmt.Sprintf("t%d", round), crashSeats), told: acknowledged{}}
		c.storm(fmt.Sprintf("s%d", round))
		c.restored = time.Now()
		i.start()
		lectures = append(lectures, c)
		for _, c := range lectures {
			c.checkSeats()
		}
		c.checkReturn()
	}
	told, unknown := 0, 0
	for _, c := range lectures {
		c.checkOffline()
		c.checkAttendance()
		told, unknown = told+len(c.told), unknown+c.unknown
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d SIGKILLs of a server that keeps its data itself, amid joins: %d acknowledged, %d unknown; 0 acknowledged lost, 0 double seats",
			rounds, told, unknown)
	}
}

// storm lets students join until the server is killed, which is as soon as
// enough of them have been answered.
func (c *crashed) storm(prefix string) {
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	request := fmt.Appendf(nil, `{"id":1,"type":"join","code":%q}`, c.code)
	var mu sync.Mutex
	told := func(user room.UserID, a answer) {
		mu.Lock()
		defer mu.Unlock()
		c.told[user] = a.Seat
		c.version = max(c.version, a.Version)
		if len(c.told) == crashAfter {
			c.at = c.crash()
			cancel()
		}
	}
	var untold atomic.Int32
	free := make(chan struct{}, crashAtOnce)
	var students sync.WaitGroup
	for n := range crashStudents {
		free <- struct{}{}
		user := fmt.Sprintf("%s-%d", prefix, n)
		passport := c.pass(user, room.Student)
		students.Go(func() {
			socket, err := dialSocket(ctx, c.loadTarget.url, passport)
			var a answer
			if err == nil {
				a, err = socket.ask(request)
			}
			switch {
			case err == nil && a.Type == "joined":
				told(room.UserID(user), a)
			case err == nil:
				c.t.Errorf("%s was answered %+v", user, a)
			case socket != nil:
				untold.Add(1)
			}
			<-free
			if socket != nil {
				socket.patient()
				socket.attend()
				socket.conn.Close()
			}
		})
	}
	students.Wait()
	c.unknown = int(untold.Load())
	if c.at.IsZero() {
		c.t.Fatalf("only %d of %d students were answered", len(c.told), crashAfter)
	}
	c.t.Logf("killed after %d answers, version %d", len(c.told), c.version)
}

// checkSeats looks for an acknowledged seat that is lost or taken twice.
func (c *crashed) checkSeats() {
	c.t.Helper()
	stored, _ := c.roster()
	for _, broken := range c.told.broken(crashSeats, stored, false) {
		c.t.Error(broken)
	}
	var got struct {
		Room struct{ Taken, Capacity int }
	}
	err := c.call(c.t.Context(), c.passport, http.MethodGet, "/v1/rooms/"+string(c.id), "", &got)
	if err != nil {
		c.t.Fatal(err)
	}
	if got.Room.Taken != len(stored) || got.Room.Taken > got.Room.Capacity {
		c.t.Errorf("%d of %d seats are taken, %d people are stored", got.Room.Taken, got.Room.Capacity, len(stored))
	}
}

// checkReturn lets one student come back, to the seat that was acknowledged,
// and a new one in: the room goes on where it was.
func (c *crashed) checkReturn() {
	c.t.Helper()
	_, version := c.roster()
	if version < c.version {
		c.t.Errorf("the room is at version %d, and someone was told %d", version, c.version)
	}
	for user, seat := range c.told {
		c.returned = user
		back := c.browse(c.t, c.pass(string(user), room.Student))
		again := back.ask("joined", `{"type":"join","room_id":%q}`, c.id)
		if !again.Already || again.Seat != seat || again.Version <= version {
			c.t.Errorf("%s had seat %d before version %d and was answered %s", user, seat, version, again.raw)
		}
		version = again.Version
		back.close()
		break
	}
	late := c.browse(c.t, c.pass(string(c.id)+"-late", room.Student))
	joined := late.ask("joined", `{"type":"join","code":%q}`, c.code)
	if joined.Already || joined.Version <= version {
		c.t.Errorf("a new student after version %d was answered %s", version, joined.raw)
	}
	late.close()
}

// checkOffline waits until everyone whose socket the crash cut is shown
// offline.
func (c *crashed) checkOffline() {
	c.t.Helper()
	eventually(c.t, func() string {
		stored, _ := c.roster()
		for _, e := range stored {
			if e.Online {
				return fmt.Sprintf("%s is shown online", e.User)
			}
		}
		return ""
	})
}

// beatKnown is how precisely the end of a crashed server is known: beats are
// a second apart, and one may be late on a busy machine.
const beatKnown = 2 * time.Second

// checkAttendance compares the record with what happened: everyone was there
// from the join to the crash, and one once more afterwards.
func (c *crashed) checkAttendance() {
	c.t.Helper()
	recorded := map[room.UserID]attendee{}
	for _, p := range c.attendance() {
		recorded[p.User] = p
	}
	for user := range c.told {
		p := recorded[user]
		stays := 1
		if user == c.returned {
			stays = 2
		}
		var present time.Duration
		for _, i := range p.Intervals {
			if i.To == nil {
				c.t.Errorf("%s is still there", user)
				return
			}
			present += i.To.Sub(i.From)
		}
		if len(p.Intervals) != stays {
			c.t.Errorf("%s was there %d times, not %d: %+v", user, len(p.Intervals), stays, p.Intervals)
			continue
		}
		if to := *p.Intervals[0].To; to.After(c.at) || to.Before(c.at.Add(-beatKnown)) {
			c.t.Errorf("%s was there until %v, and the server until %v", user, to, c.at)
		}
		if stays == 2 && p.Intervals[1].From.Before(c.restored) {
			c.t.Errorf("%s was back at %v, and the server at %v", user, p.Intervals[1].From, c.restored)
		}
		if want := int(math.Round(present.Seconds())); p.PresentSeconds != want {
			c.t.Errorf("%s was there %d seconds, and the intervals are %+v", user, p.PresentSeconds, p.Intervals)
		}
	}
}
