package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lectern-room/lectern/store/servers"
)

// A trial is a cluster in a process of its own, as what it printed names it.
type trial struct {
	t          *testing.T
	process    *exec.Cmd
	ended      chan struct{} // closed when the process has
	err        error         // what came of it, once it has ended
	address    string
	instructor string   // a passport
	pids       []int    // of instances a, b and c, Postgres and Redis
	metrics    []string // addresses, of a, b and c

	mu   sync.Mutex
	said string // guarded by mu
}

// try starts a cluster of a program that ends with the test.
func try(t *testing.T, program string) *trial {
	t.Helper()
	c := &trial{t: t, ended: make(chan struct{})}
	c.process = exec.Command(os.Args[0], "--listen=127.0.0.1:0", "--program="+program)
	c.process.Env = append(os.Environ(), beProgram+"=1", "TMPDIR="+place(t))
	stdout, err := c.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.process.Stderr = c.process.Stdout
	if err := c.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.listen(stdout)
		c.err = c.process.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		c.process.Process.Kill()
		<-c.ended
	})
	c.read()
	return c
}

// place makes a folder for what a cluster that is killed cannot remove.
// Postgres may run as another user, who must be able to enter it.
func place(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "cluster-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		eventually(t, func() string {
			if err := os.RemoveAll(folder); err != nil { // Postgres may still write
				return err.Error()
			}
			return ""
		})
	})
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func (c *trial) listen(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		c.mu.Lock()
		c.said += lines.Text() + "\n"
		c.mu.Unlock()
	}
}

// heard waits until the cluster has said something, and returns all that it
// has said.
func (c *trial) heard(what string) (said string) {
	c.t.Helper()
	eventually(c.t, func() string {
		c.mu.Lock()
		defer c.mu.Unlock()
		if strings.Contains(c.said, servers.ErrNotInstalled.Error()) {
			c.t.Skip(c.said)
		}
		if said = c.said; !strings.Contains(said, what) {
			return fmt.Sprintf("it has not said %q, but:\n%s", what, said)
		}
		return ""
	})
	return said
}

// read reads what the cluster prints when it is ready.
func (c *trial) read() {
	c.t.Helper()
	said := c.heard("Ctrl-C ends everything.")
	link := regexp.MustCompile(`Instructor: (\S+)/#passport=(\S+)`).FindStringSubmatch(said)
	if link == nil {
		c.t.Fatal(said)
	}
	c.address, c.instructor = link[1], link[2]
	for _, found := range regexp.MustCompile(`process (\d+)`).FindAllStringSubmatch(said, -1) {
		pid, err := strconv.Atoi(found[1])
		if err != nil {
			c.t.Fatal(err)
		}
		c.pids = append(c.pids, pid)
	}
	for _, found := range regexp.MustCompile(`metrics (\S+)`).FindAllStringSubmatch(said, -1) {
		c.metrics = append(c.metrics, found[1])
	}
	if len(c.pids) != 5 || len(c.metrics) != 3 {
		c.t.Fatal(said)
	}
}

// gone waits until all that the cluster started has ended.
func (c *trial) gone() {
	c.t.Helper()
	eventually(c.t, func() string {
		for _, pid := range c.pids {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				return fmt.Sprintf("process %d is still there (%v)", pid, err)
			}
		}
		return ""
	})
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
		<-time.After(20 * time.Millisecond)
	}
}

// call makes a request through the balancer.
func (c *trial) call(method, path, body string, headers http.Header) (*http.Response, string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.address+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header = headers
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer, string(text)
}

// guest signs a guest in and returns the cookie.
func (c *trial) guest(name string) string {
	c.t.Helper()
	answer, text := c.call(http.MethodPost, "/v1/guest", `{"name":"`+name+`"}`, http.Header{"Origin": {c.address}})
	if answer.StatusCode != http.StatusOK || len(answer.Cookies()) != 1 {
		c.t.Fatalf("%s: %s", answer.Status, text)
	}
	return answer.Cookies()[0].Name + "=" + answer.Cookies()[0].Value
}

// dial opens a socket through the balancer, as a page does.
func (c *trial) dial(cookie string) *websocket.Conn {
	c.t.Helper()
	socket, _, err := websocket.Dial(c.t.Context(), c.address+"/v1/socket", &websocket.DialOptions{
		Subprotocols: []string{"lectern.v1"}, HTTPHeader: http.Header{"Origin": {c.address}, "Cookie": {cookie}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { socket.CloseNow() })
	return socket
}

// ask sends a request, if there is one, and waits for a message with all of
// the given texts in it.
func (c *trial) ask(socket *websocket.Conn, request string, wanted ...string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if request != "" {
		if err := socket.Write(ctx, websocket.MessageText, []byte(request)); err != nil {
			c.t.Fatal(err)
		}
	}
	for {
		_, message, err := socket.Read(ctx)
		if err != nil {
			c.t.Fatalf("waiting for %q: %v", wanted, err)
		}
		if containsAll(string(message), wanted) {
			return
		}
	}
}

func containsAll(text string, wanted []string) bool {
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			return false
		}
	}
	return true
}

// sockets returns how many sockets each instance has.
func (c *trial) sockets() (counts []string) {
	c.t.Helper()
	for _, address := range c.metrics {
		answer, err := http.Get(address)
		if err != nil {
			c.t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			c.t.Fatal(err)
		}
		_, count, _ := strings.Cut(string(text), "\nlectern_connections ")
		count, _, _ = strings.Cut(count, "\n")
		counts = append(counts, count)
	}
	return counts
}
