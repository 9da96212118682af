package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

// TestNodeClient: the npm library ws, which follows the RFC to the letter, has
// no complaint, and hears what the protocol says.
func TestNodeClient(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node on this machine: make test installs it")
	}
	modules, err := filepath.Abs("../../web/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "ws")); err != nil {
		t.Skip("there is no ws in web/node_modules: make test installs it")
	}
	i := startInstance(t)
	l := i.open("teacher", 10)
	brief, err := i.keys.Seal(room.Passport{
		Caller: room.Caller{User: "brief", Name: "Brief", Role: room.Student}, ExpiresAt: time.Now().Add(3 * time.Second),
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := exec.CommandContext(ctx, node, "testdata/interop.cjs")
	client.Env = append(os.Environ(),
		"NODE_PATH="+modules, "URL="+strings.Replace(i.loadTarget.url.String(), "http", "ws", 1), "ROOM="+string(l.id), "CODE="+l.code,
		"TEACHER="+l.passport, "STUDENT="+i.pass("student", room.Student), "OTHER="+i.pass("other", room.Student), "BRIEF="+brief)
	if said, err := client.CombinedOutput(); err != nil || !strings.HasSuffix(string(said), "\ndone\n") {
		t.Errorf("%v:\n%s", err, said)
	} else {
		roomtest.Proved(t, "the npm library ws spoke with an instance, and has no complaint")
	}
}

// A goClient is a socket through golang.org/x/net/websocket, which shares no
// line with the library that serves.
type goClient struct {
	t  *testing.T
	ws *websocket.Conn
}

func (i *instance) goClient(t *testing.T, protocols ...string) *goClient {
	t.Helper()
	config, err := websocket.NewConfig(strings.Replace(i.loadTarget.url.String(), "http", "ws", 1)+"/v1/socket", "http://localhost")
	if err != nil {
		t.Fatal(err)
	}
	config.Protocol = protocols
	ws, err := config.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	if err := ws.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c := &goClient{t, ws}
	c.next("hello")
	return c
}

// next returns the next message, which has a type, and passes over others.
func (c *goClient) next(typ string) (m rosterMessage) {
	c.t.Helper()
	for m.Type != typ {
		m = rosterMessage{}
		if err := websocket.JSON.Receive(c.ws, &m); err != nil {
			c.t.Fatalf("%s: %v", typ, err)
		}
	}
	return m
}

func (c *goClient) ask(reply, request string, args ...any) rosterMessage {
	c.t.Helper()
	if err := websocket.Message.Send(c.ws, fmt.Sprintf(request, args...)); err != nil {
		c.t.Fatal(err)
	}
	return c.next(reply)
}

// frame sends a frame of any kind.
func (c *goClient) frame(kind byte, payload string) {
	c.t.Helper()
	w, err := c.ws.NewFrameWriter(kind)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.WriteString(w, payload); err != nil {
		c.t.Fatal(err)
	}
}

// hear reads the next frame, which is of a kind.
func (c *goClient) hear(kind byte) string {
	c.t.Helper()
	frame, err := c.ws.NewFrameReader()
	if err != nil {
		c.t.Fatal(err)
	}
	io.Copy(io.Discard, frame.HeaderReader())
	payload, err := io.ReadAll(frame)
	if err != nil || frame.PayloadType() != kind {
		c.t.Fatalf("heard %x %q, %v, want %x", frame.PayloadType(), payload, err, kind)
	}
	return string(payload)
}

// TestGoClient: so does the library golang.org/x/net/websocket.
func TestGoClient(t *testing.T) {
	t.Parallel()
	i := startInstance(t)
	l := i.open("teacher", 10)
	teacher := i.goClient(t, "lectern.v1", "passport."+l.passport)
	student := i.goClient(t, "lectern.v1", "passport."+i.pass("student", room.Student))
	if got := student.ws.Config().Protocol; len(got) != 1 || got[0] != "lectern.v1" {
		t.Errorf("selected %q", got)
	}

	watching := teacher.ask("watching", `{"id":1,"type":"watch","room_id":%q}`, l.id)
	student.ask("joined", `{"id":1,"type":"join","code":%q}`, l.code)
	event := teacher.next("roster")
	if len(event.Joined) != 1 || event.Joined[0].User != "student" || event.From != watching.Version {
		t.Errorf("told of %+v after %+v", event, watching)
	}
	student.ask("left", `{"id":2,"type":"leave"}`)
	student.ask("pong", `{"id":3,"type":"ping","more":%q}`, strings.Repeat("x", 30_000))

	pinging := i.goClient(t, "lectern.v1", "passport."+i.pass("pinging", room.Student))
	for _, payload := range []string{"", "p", strings.Repeat("\xff", 125)} {
		pinging.frame(websocket.PingFrame, payload)
		if got := pinging.hear(websocket.PongFrame); got != payload {
			t.Errorf("pong %q to %q", got, payload)
		}
	}
	pinging.frame(websocket.PongFrame, "not asked for")
	pinging.frame(websocket.CloseFrame, "\x13\x87bye")
	if got := pinging.hear(websocket.CloseFrame); got != "\x13\x87bye" {
		t.Errorf("close was answered %q", got)
	}

	faults := map[uint16]func(*goClient){
		1003: func(c *goClient) { c.frame(websocket.BinaryFrame, "a") },
		1007: func(c *goClient) { c.frame(websocket.TextFrame, "\xff") },
		1009: func(c *goClient) { c.frame(websocket.TextFrame, strings.Repeat("x", 32<<10+1)) },
		1002: func(c *goClient) { c.frame(websocket.ContinuationFrame, "a") },
	}
	for code, fault := range faults {
		c := i.goClient(t, "lectern.v1", "passport."+i.pass(fmt.Sprint("s", code), room.Student))
		fault(c)
		if got := c.hear(websocket.CloseFrame); len(got) < 2 || binary.BigEndian.Uint16([]byte(got)) != code {
			t.Errorf("closed with %q, want %d", got, code)
		}
	}
	if !t.Failed() {
		roomtest.Proved(t, "golang.org/x/net/websocket spoke with an instance; %d faults, each with its close code", len(faults))
	}
}
