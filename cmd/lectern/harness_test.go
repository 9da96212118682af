package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/lectern-room/lectern/room"
)

// beProgram is the environment variable that makes this test binary the
// program itself. So servers under test are whole processes, built as the
// tests are, with or without the race detector.
const beProgram = "BE_LECTERN"

func TestMain(m *testing.M) {
	if os.Getenv(beProgram) != "" {
		main()
		return
	}
	// The network-breaking library now and then leaves one behind when it cuts.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"))
}

// patience is how long a test waits for what takes milliseconds: machines are
// noisy.
const patience = time.Minute

// An instance is a server in a process of its own, on a folder that outlives
// it.
type instance struct {
	t      *testing.T
	folder string
	key    room.Key
	shared []string      // the environment of instances that share their rooms
	ahead  time.Duration // of the true time, where the machine's clock is wrong
	*loadTarget
	*child
}

// startInstance starts a server that ends with the test, in order.
func startInstance(t *testing.T, environ ...string) *instance {
	t.Helper()
	i := &instance{t: t, folder: t.TempDir(), key: room.NewKey("test"), shared: environ}
	keys, err := room.NewKeyring(room.KeyConfig{Signing: []room.Key{i.key}})
	if err != nil {
		t.Fatal(err)
	}
	i.loadTarget = &loadTarget{keys: keys, http: &http.Client{Timeout: patience}}
	i.start()
	t.Cleanup(func() {
		if err := i.stop(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// start runs a server on the folder, as it is.
func (i *instance) start() {
	i.t.Helper()
	start := (*exec.Cmd).Start
	if i.ahead != 0 {
		start = func(c *exec.Cmd) error { return startAhead(c, i.ahead) }
	}
	child, err := launchBy(i.t.Context(), i.folder, i.environ(), start)
	if err != nil {
		i.t.Fatal(err)
	}
	i.child, i.loadTarget.url, i.loadTarget.ops = child, child.url, child.ops
}

func (i *instance) environ() []string {
	return append(append(os.Environ(), beProgram+"=1", signingKeys+"="+i.key.Reveal()), i.shared...)
}

// crash kills the server at once, and returns when it was gone.
func (i *instance) crash() time.Time {
	i.t.Helper()
	if err := i.kill(); err != nil {
		i.t.Error(err)
	}
	return time.Now()
}

// pass returns a passport of a person whose name is the user id.
func (i *instance) pass(user string, role room.Role) string {
	i.t.Helper()
	token, err := i.passport(room.UserID(user), user, role)
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}

// A lecture is an open room, and what it takes to lead it.
type lecture struct {
	*instance
	passport string
	id       room.ID
	code     string
}

// open opens a room for an instructor who has none.
func (i *instance) open(instructor string, seats int) *lecture {
	i.t.Helper()
	l := &lecture{instance: i, passport: i.pass(instructor, room.Instructor)}
	var err error
	if l.id, l.code, err = i.openRoom(i.t.Context(), l.passport, "Physics 1", seats); err != nil {
		i.t.Fatal(err)
	}
	return l
}

// roster returns who is in the room, as it is shown, for which a busy machine
// may have to be asked again.
func (l *lecture) roster() (entries []seatEntry, version int64) {
	l.t.Helper()
	eventually(l.t, func() string {
		var err error
		if entries, version, err = l.shownRoster(l.t.Context(), l.passport, l.id); err != nil {
			return err.Error()
		}
		return ""
	})
	return entries, version
}

// An attendee is a person of an attendance record, as the protocol has it.
type attendee struct {
	User           room.UserID
	Seat           int
	PresentSeconds int `json:"present_seconds"`
	Intervals      []struct {
		From time.Time
		To   *time.Time
	}
}

// attendance returns the room's record.
func (l *lecture) attendance() []attendee {
	l.t.Helper()
	var record struct{ People []attendee }
	err := l.call(l.t.Context(), l.passport, http.MethodGet, "/v1/rooms/"+string(l.id)+"/attendance", "", &record)
	if err != nil {
		l.t.Fatal(err)
	}
	return record.People
}

// A message is what a browser hears.
type message struct {
	rosterMessage
	Seat    int
	Already bool
	Reason  room.Reason
	raw     string
}

// A browser is one socket of one person. It keeps what it hears until it is
// asked for.
type browser struct {
	t     *testing.T
	conn  *websocket.Conn
	heard chan message
	id    int64
}

// browse opens a socket that closes with the test.
func (i *instance) browse(t *testing.T, passport string) *browser {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, i.loadTarget.url.String()+"/v1/socket", &websocket.DialOptions{
		Subprotocols: []string{"lectern.v1"}, HTTPHeader: http.Header{"Authorization": {"Bearer " + passport}},
	})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(maxServerFrame)
	b := &browser{t: t, conn: conn, heard: make(chan message, 1000)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		b.listen()
	}()
	t.Cleanup(func() {
		conn.CloseNow()
		<-gone
	})
	return b
}

func (b *browser) listen() {
	defer close(b.heard)
	for {
		_, data, err := b.conn.Read(context.Background())
		if err != nil {
			return
		}
		m := message{raw: string(data)}
		if err := json.Unmarshal(data, &m); err != nil {
			b.t.Errorf("%v in %s", err, data)
		}
		b.heard <- m
	}
}

// close leaves as a closed tab does.
func (b *browser) close() {
	b.t.Helper()
	if err := b.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		b.t.Error(err)
	}
}

// ask sends a request, given without its id, and returns the reply, which
// must be of the given type. Events that come before it are passed over.
func (b *browser) ask(reply, request string, args ...any) message {
	b.t.Helper()
	b.id++
	text := fmt.Sprintf(`{"id":%d,`, b.id) + strings.TrimPrefix(fmt.Sprintf(request, args...), "{")
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	if err := b.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		b.t.Fatal(err)
	}
	m := b.await("the reply to "+text, patience, func(m message) bool { return m.ID != nil && *m.ID == b.id })
	if m.Type != reply {
		b.t.Fatalf("%s was answered %s", text, m.raw)
	}
	return m
}

// await returns the next message that is meant.
func (b *browser) await(what string, within time.Duration, meant func(message) bool) message {
	b.t.Helper()
	m, ok := b.listenFor(within, meant)
	if !ok {
		b.t.Fatalf("not heard within %v: %s", within, what)
	}
	return m
}

// listenFor returns the next message that is meant, if it comes within the
// time.
func (b *browser) listenFor(within time.Duration, meant func(message) bool) (message, bool) {
	b.t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		select {
		case m, open := <-b.heard:
			if !open {
				b.t.Fatal("the socket has ended")
			}
			if meant(m) {
				return m, true
			}
		case <-deadline.C:
			return message{}, false
		}
	}
}

// eventually waits until a condition, which says what is missing, holds.
func eventually(t testing.TB, missing func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		what := missing()
		switch {
		case what == "":
			return
		case time.Now().After(deadline):
			t.Fatalf("after %v: %s", patience, what)
		}
		<-time.After(20 * time.Millisecond)
	}
}
