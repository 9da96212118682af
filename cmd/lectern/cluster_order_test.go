package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

// An eavesdropper hears what Redis does, in the order in which it does it.
type eavesdropper struct {
	t       *testing.T
	conn    net.Conn
	lines   *bufio.Reader
	another net.Conn // to be heard oneself
}

// listenIn hears everything from now on.
func (c *cluster) listenIn() *eavesdropper {
	c.t.Helper()
	e := &eavesdropper{t: c.t}
	for _, conn := range []*net.Conn{&e.conn, &e.another} {
		var err error
		if *conn, err = net.Dial("tcp", c.redis.Addr()); err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(func() { (*conn).Close() })
	}
	e.conn.SetDeadline(time.Now().Add(patience))
	e.lines = bufio.NewReader(e.conn)
	io.WriteString(e.conn, "MONITOR\r\n")
	if said, err := e.lines.ReadString('\n'); err != nil || said != "+OK\r\n" {
		c.t.Fatalf("MONITOR was answered %q, %v", said, err)
	}
	return e
}

// next returns the next command and the address it came from, "lua" if it
// came from a script: see https://redis.io/docs/latest/commands/monitor/.
func (e *eavesdropper) next() (from string, words []string) {
	e.t.Helper()
	line, err := e.lines.ReadString('\n')
	if err != nil {
		e.t.Fatal(err)
	}
	head, rest, _ := strings.Cut(strings.TrimSpace(line), "] ")
	from = head[strings.LastIndexByte(head, ' ')+1:]
	for rest != "" {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			e.t.Fatalf("%v in %q", err, line)
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			e.t.Fatalf("%v in %q", err, line)
		}
		words, rest = append(words, word), strings.TrimSpace(rest[len(quoted):])
	}
	words[0] = strings.ToLower(words[0])
	return from, words
}

// joins returns who has asked for a seat in a room, in the order of the queue.
func (e *eavesdropper) joins(id room.ID) (line []room.UserID) {
	e.t.Helper()
	const end = "no more"
	fmt.Fprintf(e.another, "ECHO %q\r\n", end)
	for {
		switch _, words := e.next(); {
		case words[0] == "echo" && words[1] == end:
			return line
		case words[0] == "xadd" && strings.Contains(words[1], string(id)):
			var command room.Command
			if err := cbor.Unmarshal([]byte(words[len(words)-1]), &command); err != nil {
				e.t.Fatal(err)
			}
			if command.Type == room.CommandJoin && !slices.Contains(line, command.By.User) {
				line = append(line, command.By.User)
			}
		}
	}
}

const (
	// orderStudents ask at the same time for the last orderLast of orderSeats.
	orderStudents = 500
	orderLast     = 50
	orderSeats    = 200
	// orderTries bounds how often they do: a machine that is too busy for
	// Redis to answer in time has no order to show.
	orderTries = 5
)

// TestOneRoomOnThreeInstances: the last seats go to those who asked first,
// wherever they asked, and everyone sees the same room.
func TestOneRoomOnThreeInstances(t *testing.T) {
	c := newCluster(t, 3)
	for try := range orderTries {
		if c.checkOrder(try) {
			return
		}
	}
	t.Error("there was no order to be seen: the lock was skipped each time")
}

// checkOrder returns false if seats were given without the lock or the queue,
// so that their order tells nothing.
func (c *cluster) checkOrder(try int) bool {
	c.t.Helper()
	const skipped = "lectern_lock_skipped_total"
	l := c.instances[0].open(fmt.Sprintf("t%d", try), orderSeats)
	watchers := c.watch(l)
	early := c.enrol(fmt.Sprintf("e%d", try), orderSeats-orderLast)
	atOnce(early, l.code)
	pupils := c.enrol(fmt.Sprintf("s%d", try), orderStudents)
	redis, before := c.listenIn(), c.sum(skipped)
	last := atOnce(pupils, l.code)
	waited := latencyOf(waits(pupils, everyAsking))
	right := c.converge(l, watchers, last)

	got := c.check(l, orderSeats, append(early, pupils...))
	if want := map[string]int{"joined": orderSeats, "room_full": orderStudents - orderLast}; !maps.Equal(got, want) {
		c.t.Errorf("told %v, want %v", got, want)
	}
	if c.sum(skipped) > before {
		c.t.Logf("the lock was skipped: away %v, held %v", c.sum(skipped+`{reason="away"}`), c.sum(skipped+`{reason="held"}`))
		return false
	}
	seat := map[room.UserID]int{}
	for _, p := range pupils {
		seat[p.user] = p.answer().Seat
	}
	line := redis.joins(l.id)
	if len(line) != orderStudents {
		c.t.Errorf("%d people were in the queue", len(line))
	}
	inversions := 0
	for k, user := range line[:min(orderLast, len(line))] {
		if want := orderSeats - orderLast + k + 1; seat[user] != want {
			inversions++
			c.t.Errorf("%s was number %d in the queue and got seat %d, not %d", user, k+1, seat[user], want)
		}
	}
	if !c.t.Failed() {
		roomtest.Proved(c.t, "%d students asked for the last %d seats on %d instances: they went to the first %d of the queue, %d inversions; asking took %+v ms, the watchers were right %v after the last answer",
			len(line), orderLast, len(c.instances), orderLast, inversions, waited, right)
	}
	return true
}
