package servers

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// began fails the test if a server could not be started; where it is not
// installed there is nothing to test.
func began[T any](t *testing.T) func(T, error) T {
	return func(server T, err error) T {
		t.Helper()
		if errors.Is(err, ErrNotInstalled) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
}

func TestRedis(t *testing.T) {
	r := began[*Redis](t)(StartRedis())
	ready := answering(r.Addr())
	first := r.PID()
	if err := r.Restart(); err != nil {
		t.Fatal(err)
	}
	if r.PID() == first {
		t.Error("the server that was killed runs on")
	}
	if err := ready(t.Context()); err != nil {
		t.Error(err)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := ready(t.Context()); err == nil {
		t.Error("a server that was stopped answers")
	}
	if _, err := os.Stat(r.folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
}

// TestStartFails: what a server says that does not start is in the error.
func TestStartFails(t *testing.T) {
	_, err := StartRedis("--no-such-option", "1")
	if errors.Is(err, ErrNotInstalled) {
		t.Skip(err)
	}
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("a wrong option: %v", err)
	}
}

func TestProxy(t *testing.T) {
	r := began[*Redis](t)(StartRedis())
	defer r.Stop()
	p := began[*Proxy](t)(StartProxy(r.Addr()))
	defer p.Close()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := func() bool {
		t.Helper()
		conn.Write([]byte("PING\r\n"))
		conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, _ := conn.Read(make([]byte, 100))
		return n > 0
	}
	if !answers() {
		t.Fatal("no answer through the proxy")
	}
	if err := p.BlackHole(); err != nil {
		t.Fatal(err)
	}
	if answers() {
		t.Error("an answer through a black hole")
	}
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	if err := answering(p.Addr())(t.Context()); err != nil {
		t.Errorf("healed: %v", err)
	}
	p.Cut()
	if err := answering(p.Addr())(t.Context()); err == nil {
		t.Error("an answer over a cut network")
	}
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	if err := p.Delay(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := answering(p.Addr())(t.Context()); err != nil || time.Since(began) < 100*time.Millisecond {
		t.Errorf("delayed both ways by 50 ms: an answer after %s, %v", time.Since(began), err)
	}
}
