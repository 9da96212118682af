package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Redis is a redis-server that keeps nothing on disk. Its methods are not safe
// for concurrent use.
type Redis struct {
	place
	*process
	args []string
}

// StartRedis starts a server with further arguments, such as
// "--requirepass", "secret". ErrNotInstalled: this machine has none.
func StartRedis(args ...string) (*Redis, error) {
	at, err := newPlace("redis-server")
	if err != nil {
		return nil, err
	}
	r := &Redis{place: at, args: args}
	if err := r.start(); err != nil {
		at.remove()
		return nil, err
	}
	return r, nil
}

func (r *Redis) start() error {
	args := append([]string{"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.folder,
		"--save", "", "--appendonly", "no"}, r.args...)
	var err error
	r.process, err = start(exec.Command(r.program, args...), r.log(), answering(r.Addr()))
	return err
}

// answering tells whether a Redis at an address takes commands.
func answering(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
			return err
		}
		answer, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			return err
		}
		if answer = strings.TrimSpace(answer); answer != "+PONG" && !strings.HasPrefix(answer, "-NOAUTH") {
			return fmt.Errorf("it says %s", answer)
		}
		return nil
	}
}

// URL is the server's address as a client takes it, without a password.
func (r *Redis) URL() string { return "redis://" + r.Addr() }

// Restart kills the server if it runs and starts it again, empty, at the same
// address.
func (r *Redis) Restart() error {
	r.Kill()
	return r.start()
}

// Stop ends the server and removes its folder.
func (r *Redis) Stop() error {
	r.stop(syscall.SIGTERM)
	return r.remove()
}

// sentinelName is what a Sentinel calls the server that it watches.
const sentinelName = "lectern"

// A Sentinel watches a Redis and puts its replica in its place half a second
// after it stops answering.
type Sentinel struct {
	place
	*process
}

// StartSentinel starts a Sentinel, which decides alone, over a server and the
// replicas that it has.
func StartSentinel(of *Redis) (*Sentinel, error) {
	at, err := newPlace("redis-server")
	if err != nil {
		return nil, err
	}
	s := &Sentinel{place: at}
	if err := s.start(of); err != nil {
		at.remove()
		return nil, err
	}
	return s, nil
}

func (s *Sentinel) start(of *Redis) error {
	config := filepath.Join(s.folder, "sentinel.conf") // Sentinel keeps what it learns there
	text := fmt.Sprintf(`port %d
bind 127.0.0.1
dir %s
sentinel monitor %[3]s 127.0.0.1 %[4]d 1
sentinel down-after-milliseconds %[3]s 500
sentinel failover-timeout %[3]s 5000
`, s.port, s.folder, sentinelName, of.port)
	err := os.WriteFile(config, []byte(text), 0o600)
	if err != nil {
		return err
	}
	s.process, err = start(exec.Command(s.program, config, "--sentinel"), s.log(), answering(s.Addr()))
	return err
}

// URL is the address of the server that is watched, as a client takes it.
func (s *Sentinel) URL() string { return "redis+sentinel://" + s.Addr() + "/" + sentinelName }

// Stop ends the Sentinel and removes its folder.
func (s *Sentinel) Stop() error {
	s.stop(syscall.SIGTERM)
	return s.remove()
}
