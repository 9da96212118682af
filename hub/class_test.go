package hub

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
)

// A class is a whole instance without a port: a Hub and a Registrar on a real
// store, and people who talk to it in real frames over pipes. It lives in a
// synctest bubble, so that its time passes only while everyone waits.
type class struct {
	t     *testing.T
	hub   *Hub
	reg   *room.Registrar
	keys  *room.Keyring
	pipes *pipeListener
	drain func()        // has the hub go away, and waits until it has
	gone  chan struct{} // closed once it has
}

// inClass runs a test in a class of its own.
func inClass(t *testing.T, test func(*testing.T, *class)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) { test(t, newClass(t, folder)) })
}

func newClass(t *testing.T, folder string) *class {
	config, sqlite := newConfig(t, folder, prometheus.NewRegistry())
	t.Cleanup(func() { sqlite.Close() })
	return begin(t, config)
}

// beside begins another instance on the same store.
func (c *class) beside() *class { return c.besideOn(c.reg.Bus) }

// besideOn is beside where instances hear of each other by a bus.
func (c *class) besideOn(bus room.Bus) *class {
	config, mine := c.hub.Config, c.reg
	config.Metrics = NewMetrics(prometheus.NewRegistry())
	config.Registrar = &room.Registrar{
		Store: mine.Store, Queue: mine.Queue, Locker: mine.Locker, Bus: bus, Log: mine.Log, Metrics: config.Metrics.Registrar(),
		Instance: "beside", RoomsPerInstructor: 1,
	}
	return begin(c.t, config)
}

func begin(t *testing.T, config Config) *class { return beginFor(t, config, 20*time.Second) }

// beginFor begins an instance that has so much time to leave.
func beginFor(t *testing.T, config Config, drain time.Duration) *class {
	c := &class{
		t: t, reg: config.Registrar, keys: config.Keys, hub: New(config),
		pipes: &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}, gone: make(chan struct{}),
	}
	c.reg.Listener = c.hub
	if err := c.reg.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}

	var registrar, instance sync.WaitGroup
	deciding, stopDeciding := context.WithCancel(context.Background())
	serving, stopServing := context.WithCancel(context.Background())
	server := &http.Server{Handler: c.hub.Handler()}
	registrar.Go(func() { c.reg.Run(deciding) })
	instance.Go(func() {
		c.hub.Run(serving, drain)
		close(c.gone)
	})
	instance.Go(func() { server.Serve(c.pipes) })
	c.drain = sync.OnceFunc(func() {
		stopServing()
		server.Shutdown(context.Background())
		instance.Wait()
		stopDeciding()
		registrar.Wait()
	})
	t.Cleanup(c.drain)
	return c
}

// A bubbled store's clock is the test's, not the machine's.
type bubbled struct{ room.Store }

func (b bubbled) Beat(ctx context.Context, instance room.InstanceID) (room.Pulse, error) {
	said, err := b.Store.Beat(ctx, instance)
	said.Now = time.Now()
	return said, err
}

// newConfig makes what a Hub is made of: a real store in a folder, keys of its
// own, and a Registrar that does not run yet.
func newConfig(t *testing.T, folder string, registry *prometheus.Registry) (Config, *store.SQLite) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sqlite, err := store.OpenSQLite(t.Context(), folder, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, err := room.NewKeyring(room.KeyConfig{Signing: []room.Key{room.NewKey("test")}})
	if err != nil {
		t.Fatal(err)
	}
	allow, err := NewAllowlist(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	local := &store.Local{}
	metrics := NewMetrics(registry)
	return Config{
		Registrar: &room.Registrar{
			Store: bubbled{sqlite}, Queue: local, Locker: local, Bus: local, Log: log, Metrics: metrics.Registrar(),
			Instance: "test", RoomsPerInstructor: 1,
		},
		Archive: sqlite, Keys: keys, Allow: allow, Guests: true, Log: log, Version: "1.2.3", Metrics: metrics,
		Limits: Limits{SocketsPerPerson: 8, Guesses: Guesses{Person: 5, Address: 300}},
	}, sqlite
}

func (c *class) passport(user room.UserID, role room.Role, ttl time.Duration) string {
	c.t.Helper()
	p := room.Passport{Caller: room.Caller{User: user, Name: "Name of " + string(user), Role: role}, ExpiresAt: c.reg.Now().Add(ttl)}
	token, err := c.keys.Seal(p, false)
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}

// A message is a frame's JSON.
type message map[string]any

// A client is one socket of a person. What comes while it waits for a reply is
// kept in order.
type client struct {
	t    *testing.T
	nc   net.Conn
	ids  int
	said chan message // closed when the connection has ended
	kept []message
	code int // of the close frame, set before said is closed
}

// localHandshake asks for a socket of a server that is called localhost.
var localHandshake = strings.Replace(handshakeRequest, "Host: lectern", "Host: localhost", 1)

func (c *class) dial(headers string) *client { return c.dialFrom(netip.AddrPort{}, headers) }

// A calling connection comes from an address.
type calling struct {
	net.Conn
	from netip.AddrPort
}

func (c calling) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.from) }

func (c *class) dialFrom(from netip.AddrPort, headers string) *client {
	c.t.Helper()
	ours, theirs := net.Pipe()
	c.pipes.conns <- calling{theirs, from}
	br := bufio.NewReader(ours)
	go fmt.Fprintf(ours, localHandshake+"%s\r\n", headers)
	response, err := http.ReadResponse(br, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		c.t.Fatalf("dial: %v, %v", response, err)
	}
	s := &client{t: c.t, nc: ours, said: make(chan message, 10_000)}
	go s.listen(br)
	c.t.Cleanup(func() { ours.Close() })
	return s
}

// enter connects a person and takes the hello.
func (c *class) enter(user room.UserID, role room.Role) *client {
	c.t.Helper()
	s := c.dial("X-User-ID: " + c.passport(user, role, time.Hour) + "\r\n")
	s.next("hello")
	return s
}

func (c *class) student(user room.UserID) *client    { return c.enter(user, room.Student) }
func (c *class) instructor(user room.UserID) *client { return c.enter(user, room.Instructor) }

func (s *client) listen(br *bufio.Reader) {
	defer close(s.said)
	p := &peer{t: s.t, br: br}
	for {
		op, payload, err := p.read()
		switch {
		case err != nil:
			return
		case op == opClose:
			s.code, _ = parseClose(payload)
			return
		case op == opPing:
			s.nc.Write(masked(0x8a, payload))
		case op == opText:
			var m message
			if err := json.Unmarshal(payload, &m); err != nil {
				s.t.Errorf("%v in %s", err, payload)
			}
			s.said <- m
		}
	}
}

func (s *client) send(text string) {
	s.t.Helper()
	if _, err := s.nc.Write(masked(0x81, []byte(text))); err != nil && err != io.ErrClosedPipe {
		s.t.Fatal(err)
	}
}

// ask sends a request, whose id it fills in, and returns the reply.
func (s *client) ask(request message) message {
	s.t.Helper()
	s.ids++
	request["id"] = s.ids
	text, err := json.Marshal(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.send(string(text))
	for m := range s.said {
		if m["id"] == float64(s.ids) {
			return m
		}
		s.kept = append(s.kept, m)
	}
	s.t.Fatalf("no reply to %s: closed with %d", text, s.code)
	return nil
}

// expect asks and checks some fields of the reply.
func (s *client) expect(request, want message) message {
	s.t.Helper()
	got := s.ask(request)
	got.check(s.t, want)
	return got
}

func (m message) check(t *testing.T, want message) {
	t.Helper()
	for field, value := range want {
		if n, ok := value.(int); ok {
			value = float64(n)
		}
		if !reflect.DeepEqual(m[field], value) {
			t.Fatalf("%s is %v, want %v, in %v", field, m[field], value, m)
		}
	}
}

// next returns the next message, which has a type.
func (s *client) next(typ string) message {
	s.t.Helper()
	m := s.any()
	if m["type"] != typ {
		s.t.Fatalf("got %v, want type %s", m, typ)
	}
	return m
}

// until returns the next message of a type, and forgets those before it.
func (s *client) until(typ string) message {
	s.t.Helper()
	for {
		if m := s.any(); m["type"] == typ {
			return m
		}
	}
}

func (s *client) any() message {
	s.t.Helper()
	if len(s.kept) > 0 {
		m := s.kept[0]
		s.kept = s.kept[1:]
		return m
	}
	select {
	case m, ok := <-s.said:
		if !ok {
			s.t.Fatalf("closed with %d", s.code)
		}
		return m
	case <-time.After(time.Minute):
		s.t.Fatal("nothing comes")
	}
	return nil
}

// rest returns all that has come and not been looked at, once everyone is idle.
func (s *client) rest() []message {
	synctest.Wait()
	rest := s.kept
	s.kept = nil
	for {
		select {
		case m, ok := <-s.said:
			if !ok {
				return rest
			}
			rest = append(rest, m)
		default:
			return rest
		}
	}
}

// closed waits for the server's close frame and checks its code.
func (s *client) closed(code int) {
	s.t.Helper()
	for range s.said {
	}
	if s.code != code {
		s.t.Fatalf("closed with %d, want %d", s.code, code)
	}
}

// open has an instructor open a room and returns its id and code.
func (s *client) open(capacity int) (id, code string) {
	s.t.Helper()
	m := s.expect(message{"type": "open", "title": "Botany", "capacity": capacity}, message{"type": "opened", "already": false})
	object := m["room"].(map[string]any)
	return object["id"].(string), object["code"].(string)
}
