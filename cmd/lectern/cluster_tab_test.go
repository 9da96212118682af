package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lectern-room/lectern/room"
)

// tolerance is how precisely the record and what people are told must be in
// time.
const tolerance = time.Second

// A tab is one socket of one person, which hears all that it is told and can
// fall silent as a telephone does. Its methods but asleep, wake and told are
// for one goroutine at a time.
type tab struct {
	user   room.UserID
	at     *instance
	socket *loadSocket

	id      int64
	replies chan hearing
	leaving atomic.Bool   // the socket is about to end, or has
	ended   chan struct{} // closed when it has
	err     error         // why; valid once it has

	awake sync.Mutex // held while it neither reads nor answers
	mu    sync.Mutex // guards the rest
	heard []hearing  // events but those about counts, in order
}

// A hearing is what a tab hears.
type hearing struct {
	message
	State    room.State
	Position int
	Room     roomHeard
	at       time.Time
}

// A roomHeard is the part of a room object that tests look at.
type roomHeard struct {
	ID       room.ID
	Status   room.Status
	OpenedAt room.Timestamp `json:"opened_at"`
	ClosedAt room.Timestamp `json:"closed_at"`
}

// tabLasts is how long the passports of tabs do: past the end of every test,
// and no longer than an instance's clock is wrong in one.
const tabLasts = 8 * time.Minute

// tab opens a socket, which ends with the test and must not end before it
// leaves.
func (c *cluster) tab(user room.UserID, role room.Role, at *instance) (*tab, error) {
	passport, err := c.target.keys.Seal(room.Passport{
		Caller: room.Caller{User: user, Name: string(user), Role: role}, ExpiresAt: time.Now().Add(tabLasts),
	}, false)
	if err != nil {
		return nil, err
	}
	socket, err := dialSocket(c.t.Context(), at.loadTarget.url, passport)
	if err != nil {
		return nil, err
	}
	socket.patient()
	t := &tab{user: user, at: at, socket: socket, replies: make(chan hearing, 1), ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		if t.err = t.listen(); !t.leaving.Load() {
			c.t.Errorf("the socket of %s ended: %v", user, t.err)
		}
	}()
	c.t.Cleanup(t.cut)
	return t, nil
}

// mustTab is tab on the test's own goroutine.
func (c *cluster) mustTab(user room.UserID, role room.Role, at *instance) *tab {
	c.t.Helper()
	t, err := c.tab(user, role, at)
	if err != nil {
		c.t.Fatal(err)
	}
	return t
}

// listen keeps what is heard until the socket ends.
func (t *tab) listen() error {
	for {
		opcode, last, payload, err := t.socket.readFrame()
		t.whileAwake()
		switch {
		case err != nil:
			return err
		case opcode == opClose:
			t.socket.write(opClose, payload)
			return fmt.Errorf("closed by the server: %q", payload)
		case opcode == opPing:
			if err := t.socket.write(opPong, payload); err != nil {
				return err
			}
		case opcode == opText && last:
			data := t.socket.message
			t.socket.message = nil
			if err := t.hear(data); err != nil {
				return err
			}
		}
	}
}

func (t *tab) hear(data []byte) error {
	h := hearing{at: time.Now()}
	h.raw = string(data)
	if err := json.Unmarshal(data, &h); err != nil {
		return fmt.Errorf("%w in %s", err, data)
	}
	switch {
	case h.ID != nil:
		t.replies <- h
	case h.Type != "count":
		t.mu.Lock()
		defer t.mu.Unlock()
		t.heard = append(t.heard, h)
	}
	return nil
}

// told returns the events of a type that were heard so far.
func (t *tab) told(kind string) (told []hearing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range t.heard {
		if h.Type == kind {
			told = append(told, h)
		}
	}
	return told
}

// ask sends a request, given without its id, and returns the reply.
func (t *tab) ask(request string, args ...any) (hearing, error) {
	t.id++
	text := fmt.Sprintf(`{"id":%d,`, t.id) + strings.TrimPrefix(fmt.Sprintf(request, args...), "{")
	if err := t.socket.send([]byte(text)); err != nil {
		return hearing{}, err
	}
	select {
	case h := <-t.replies:
		return h, nil
	case <-t.ended:
		return hearing{}, fmt.Errorf("%s had no answer: %w", text, t.err)
	case <-time.After(patience):
		return hearing{}, fmt.Errorf("%s had no answer within %v", text, patience)
	}
}

// must is ask on the test's own goroutine for a reply of a type.
func (t *tab) must(reply, request string, args ...any) hearing {
	t.at.t.Helper()
	h, err := t.ask(request, args...)
	if err != nil || h.Type != reply {
		t.at.t.Fatalf("%s asked %s and was answered %s, %v", t.user, fmt.Sprintf(request, args...), h.raw, err)
	}
	return h
}

// close closes the socket as a browser does, and returns once it has ended.
func (t *tab) close() error {
	t.leaving.Store(true)
	err := t.socket.write(opClose, []byte{0x03, 0xe9}) // 1001, going away
	select {
	case <-t.ended:
	case <-time.After(patience):
		err = errors.Join(err, errors.New("a closing handshake was not answered"))
	}
	return errors.Join(err, t.socket.conn.Close())
}

// cut ends the connection without a word.
func (t *tab) cut() {
	t.leaving.Store(true)
	if tcp, ok := t.socket.conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // it is reset
	}
	t.socket.conn.Close()
	<-t.ended
}

// whileAwake returns when the tab is awake.
func (t *tab) whileAwake() {
	t.awake.Lock()
	defer t.awake.Unlock()
}

// sleep has the tab say nothing until wake, while the connection stays.
func (t *tab) sleep() { t.awake.Lock() }

func (t *tab) wake() { t.awake.Unlock() }

// openAs opens a room as a request says it.
func (i *instance) openAs(instructor room.UserID, request string, args ...any) *lecture {
	i.t.Helper()
	l := &lecture{instance: i, passport: i.pass(string(instructor), room.Instructor)}
	var opened struct {
		Room struct {
			ID   room.ID
			Code string
		}
	}
	err := i.call(i.t.Context(), l.passport, http.MethodPost, "/v1/rooms", fmt.Sprintf(request, args...), &opened)
	if err != nil {
		i.t.Fatal(err)
	}
	l.id, l.code = opened.Room.ID, opened.Room.Code
	return l
}
