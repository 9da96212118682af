// Package deploy_test runs what is in this folder against whole instances of
// Lectern: what Prometheus is told, and what balancers do.
package deploy_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store/servers"
)

// patience is how long a test waits for what takes milliseconds, or the
// seconds of a start: machines are noisy.
const patience = time.Minute

// TestInProduction: what is in this folder does with real instances what it is
// for.
func TestInProduction(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	for name, test := range map[string]func(*testing.T){
		"prometheus": s.watch,
		"nginx":      func(t *testing.T) { s.balance(t, "nginx", startNginx) },
		"haproxy":    func(t *testing.T) { s.balance(t, "haproxy", startHAProxy) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// A school is the program, built, and the keys of those who may use it.
type school struct {
	program string
	key     room.Key
	keys    *room.Keyring
}

func newSchool(t *testing.T) *school {
	t.Helper()
	s := &school{program: filepath.Join(t.TempDir(), "lectern"), key: room.NewKey("test")}
	if out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", s.program, "../cmd/lectern").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var err error
	if s.keys, err = room.NewKeyring(room.KeyConfig{Signing: []room.Key{s.key}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// pass returns a passport of a person whose name is the user id.
func (s *school) pass(t *testing.T, user room.UserID, role room.Role) string {
	t.Helper()
	token, err := s.keys.Seal(room.Passport{
		Caller: room.Caller{User: user, Name: string(user), Role: role}, ExpiresAt: time.Now().Add(time.Hour),
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// An instance is a server in a process of its own.
type instance struct {
	*process
	public, ops string // host:port
}

// start starts an instance, with an embedded store unless the environment says
// otherwise, and returns once it is ready.
func (s *school) start(t *testing.T, environ ...string) *instance {
	t.Helper()
	command := exec.Command(s.program, "serve")
	command.Env = append(append(os.Environ(),
		"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_OPS_LISTEN=127.0.0.1:0", "LECTERN_LOG_FORMAT=json",
		"LECTERN_DATA="+t.TempDir(), "LECTERN_PASSPORT_KEYS="+s.key.Reveal()), environ...)
	i := &instance{process: begin(t, command)}
	eventually(t, func() string {
		for line := range strings.Lines(i.said(t)) {
			var listening struct{ Msg, Address, Ops string }
			if json.Unmarshal([]byte(line), &listening) == nil && listening.Msg == "listening" {
				i.public = strings.TrimPrefix(listening.Address, "http://")
				i.ops = strings.TrimPrefix(listening.Ops, "http://")
			}
		}
		if i.public == "" {
			return "it does not listen:\n" + i.said(t)
		}
		if status, body := fetch(t, http.MethodGet, "http://"+i.public+"/readyz", "", ""); status != http.StatusOK {
			return "it is not ready: " + body
		}
		return ""
	})
	return i
}

// A process is a server that ends with the test.
type process struct {
	command *exec.Cmd
	log     string        // the file with its output
	ended   chan struct{} // closed when it has
}

func begin(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	p := &process{command: command, log: filepath.Join(t.TempDir(), "log"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{}
	servers.DieWithParent(command.SysProcAttr)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = command.Wait() // one that was told to end may say so in its status
	}()
	t.Cleanup(func() {
		p.tell(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(patience):
			p.tell(syscall.SIGKILL)
			t.Errorf("%s did not end:\n%s", command.Path, p.said(t))
		}
	})
	return p
}

// tell sends a signal; a process that has ended hears none.
func (p *process) tell(s syscall.Signal) { _ = p.command.Process.Signal(s) }

func (p *process) said(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// need finds a program, and skips the test where there is none: `make test`
// installs it, and takes a skip for a failure.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program) // where Debian has servers
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}

// freeAddress returns an address that nobody listened on a moment ago: below
// the ports that Linux takes for outgoing connections.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		address := "127.0.0.1:" + strconv.Itoa(10_000+rand.IntN(10_000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
}

// fetch makes a request and returns the status and the body; 0 and the error's
// text if nobody answers.
func fetch(t *testing.T, method, address, passport, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if passport != "" {
		request.Header.Set("Authorization", "Bearer "+passport)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(data)
}

// read asks a server for JSON.
func read(t *testing.T, address string, answer any) error {
	t.Helper()
	status, body := fetch(t, http.MethodGet, address, "", "")
	if status != http.StatusOK {
		return fmt.Errorf("%s: %d %s", address, status, body)
	}
	return json.Unmarshal([]byte(body), answer)
}

// A dialing is how a socket is asked for.
type dialing struct {
	passport  string
	from      string      // an address of the loopback interface; empty: any
	forwarded string      // X-Forwarded-For
	tls       *tls.Config // nil: as usual
}

// dial opens a socket at ws://host:port, or wss://. Its error is not the
// test's end.
func dial(t *testing.T, address string, d dialing) (*websocket.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	header := http.Header{"Authorization": {"Bearer " + d.passport}}
	if d.forwarded != "" {
		header.Set("X-Forwarded-For", d.forwarded)
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(d.from)}}
	conn, _, err := websocket.Dial(ctx, address+"/v1/socket", &websocket.DialOptions{
		Subprotocols: []string{"lectern.v1"}, HTTPHeader: header,
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: d.tls}},
	})
	return conn, err
}

// connect opens a socket that closes with the test.
func connect(t *testing.T, address string, d dialing) *websocket.Conn {
	t.Helper()
	conn, err := dial(t, address, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	return conn
}

// ask sends a request to a socket and waits for a message with the words.
func ask(t *testing.T, conn *websocket.Conn, request, words string) {
	t.Helper()
	if err := answer(t, conn, request, words); err != nil {
		t.Fatalf("%s was not answered %s: %v", request, words, err)
	}
}

// answer is ask where the socket may have ended.
func answer(t *testing.T, conn *websocket.Conn, request, words string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_ = conn.Write(ctx, websocket.MessageText, []byte(request)) // reading tells why not
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		if strings.Contains(string(data), words) {
			return nil
		}
	}
}

// eventually waits until a condition, which says what is missing, holds.
func eventually(t *testing.T, missing func() string) {
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
		<-time.After(50 * time.Millisecond)
	}
}
