package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/lectern-room/lectern/room"
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
