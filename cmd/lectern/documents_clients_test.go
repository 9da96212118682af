package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lectern-room/lectern/room"
)

// losesItsSocket plays a person to the page's client: it takes a seat, loses
// the connection, and is to be back in the seat.
const losesItsSocket = `
const sockets = [];
const Socket = require("ws");
globalThis.WebSocket = class extends Socket {
  constructor(...how) { super(...how); sockets.push(this); }
};
const { CLIENT, SERVER, PASSPORT, CODE } = process.env;
let seats = [];
import(CLIENT).then(({ takeSeat }) => takeSeat(SERVER, PASSPORT, CODE, (message) => {
  if (message.type === "error" || message.type === "stopped") throw new Error(JSON.stringify(message));
  if (message.type !== "joined") return;
  seats.push([message.seat, message.already]);
  if (seats.length === 1) return sockets[0].terminate();
  console.log(JSON.stringify(seats));
  process.exit();
}));
`

// TestDocumentedClient: the client on the page "Integrate" keeps its seat.
func TestDocumentedClient(t *testing.T) {
	t.Parallel()
	node := tool(t, "node")
	client, err := filepath.Abs(documentedExamples + "seat.js")
	if err != nil {
		t.Fatal(err)
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
	said := says(t, "", []string{
		"NODE_PATH=" + modules, "CLIENT=" + client, "SERVER=" + i.loadTarget.url.String(), "PASSPORT=" + i.pass("kim", room.Student), "CODE=" + l.code,
	}, node, "-e", losesItsSocket)
	if said != "[[1,false],[1,true]]\n" {
		t.Errorf("it said %s", said)
	}
}

// aroundTheExample makes a whole configuration of the page's part of one, for
// a process that leaves nothing behind.
const aroundTheExample = `
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	include example.conf;
}
`

// startGateway runs nginx as the page configures it, and returns a client
// whose calls, to whatever host, go to it.
func startGateway(t *testing.T, instance, login string) *http.Client {
	t.Helper()
	nginx := tool(t, "nginx")
	example, err := os.ReadFile(documentedExamples + "nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	socket := filepath.Join(folder, "gateway")
	here := strings.NewReplacer("127.0.0.1:8080", instance, "127.0.0.1:8090", login, "listen 8000", "listen unix:"+socket)
	for name, text := range map[string]string{"nginx.conf": aroundTheExample, "example.conf": here.Replace(string(example))} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(nginx, "-p", folder, "-c", "nginx.conf", "-e", "errors")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := command.Process.Kill(); err != nil {
			t.Error(err)
		}
		command.Wait()
	})
	eventually(t, func() string {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			complaints, _ := os.ReadFile(filepath.Join(folder, "errors"))
			return err.Error() + "\n" + string(complaints)
		}
		conn.Close()
		return ""
	})
	return &http.Client{Transport: transport, Timeout: patience}
}

// TestDocumentedGateway: nginx as the page configures it says who people are,
// and nobody else does.
func TestDocumentedGateway(t *testing.T) {
	t.Parallel()
	i := startInstance(t)
	l := i.open("teacher", 10)
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := r.Cookie("session")
		switch {
		case r.URL.Path != "/passport":
			w.WriteHeader(http.StatusNotFound)
		case err != nil:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("X-Lectern-Passport", i.pass(session.Value, room.Student))
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(login.Close)
	gateway := startGateway(t, i.loadTarget.url.Host, login.Listener.Addr().String())

	teacher := i.pass("teacher", room.Instructor)
	for what, want := range map[string]struct {
		header http.Header
		status int
		says   string
	}{
		"nobody":             {http.Header{}, 401, ""},
		"with a passport":    {http.Header{"X-User-Id": {teacher}}, 401, ""},
		"signed in":          {http.Header{"Cookie": {"session=kim"}}, 200, `"user":"kim"`},
		"somebody else, too": {http.Header{"Cookie": {"session=kim"}, "X-User-Id": {teacher}, "Authorization": {"Bearer " + teacher}}, 200, `"user":"kim"`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost/v1/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = want.header
		answer, err := gateway.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != want.status || !strings.Contains(string(body), want.says) {
			t.Errorf("%s: %s, %v, %s", what, answer.Status, err, body)
		}
	}

	socket, _, err := websocket.Dial(t.Context(), "ws://localhost/v1/socket", &websocket.DialOptions{
		HTTPClient: gateway, HTTPHeader: http.Header{"Cookie": {"session=kim"}, "Origin": {"http://localhost"}}, Subprotocols: []string{"lectern.v1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	if err := socket.Write(t.Context(), websocket.MessageText, []byte(`{"id":1,"type":"join","code":"`+l.code+`"}`)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"type":"hello","user":"kim"`, `"type":"joined"`} {
		_, data, err := socket.Read(t.Context())
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("heard %s, %v, want %s", data, err, want)
		}
	}
}

// TestDocumentedKeyChange: from each step of the table on the page "Operate"
// to the next, instances of both take what either signs.
func TestDocumentedKeyChange(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../web/docs/operate.html")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), `<section id="keys">`)
	table, _, _ = strings.Cut(table, "</table>")
	keys := map[string]room.Key{"old": room.NewKey("old"), "new": room.NewKey("new")}
	var rings []*room.Keyring
	for _, cell := range regexp.MustCompile(`</td><td><code>([a-z,]+)</code>`).FindAllStringSubmatch(table, -1) {
		var config room.KeyConfig
		for _, name := range strings.Split(cell[1], ",") {
			config.Signing = append(config.Signing, keys[name])
		}
		ring, err := room.NewKeyring(config)
		if err != nil {
			t.Fatalf("%s: %v", cell[1], err)
		}
		rings = append(rings, ring)
	}
	if len(rings) != 6 {
		t.Fatalf("the table has %d steps", len(rings))
	}
	takes := func(taker, signer *room.Keyring) error {
		passport, err := signer.Seal(room.Passport{
			Caller: room.Caller{User: "kim", Name: "Kim", Role: room.Student}, ExpiresAt: time.Now().Add(time.Hour),
		}, false)
		if err == nil {
			_, err = taker.Parse(passport, time.Now())
		}
		return err
	}
	for n := range rings[1:] {
		if err := errors.Join(takes(rings[n], rings[n+1]), takes(rings[n+1], rings[n])); err != nil {
			t.Errorf("between rows %d and %d: %v", n+1, n+2, err)
		}
	}
	if takes(rings[0], rings[5]) == nil || takes(rings[5], rings[0]) == nil {
		t.Error("the old key and the new one are the same")
	}
}
