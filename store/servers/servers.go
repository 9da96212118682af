// Package servers starts real Postgres and Redis servers for tests and for
// trying things by hand: on free ports of the loopback interface, in temporary
// folders, gone when the process that started them is.
package servers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ErrNotInstalled says that a server program is not on this machine.
var ErrNotInstalled = errors.New("not installed")

const (
	// startWithin is how long a server may take to answer: it is tens of
	// milliseconds on an idle machine.
	startWithin = 30 * time.Second
	// stopWithin is how long a server may take to end by itself.
	stopWithin = 10 * time.Second
	// lookEvery is the pause between two looks at a server that starts.
	lookEvery = 5 * time.Millisecond
)

// A place is where a server runs: its program, a folder and a port of the
// loopback interface.
type place struct {
	program string
	folder  string
	port    int
}

// newPlace finds a program, in PATH or else the last that a pattern matches,
// where a system keeps such programs elsewhere, and makes a place for it.
func newPlace(program string, patterns ...string) (place, error) {
	path, err := find(program, patterns...)
	if err != nil {
		return place{}, err
	}
	port, err := freePort()
	if err != nil {
		return place{}, err
	}
	folder, err := os.MkdirTemp("", "lectern-"+program+"-")
	return place{path, folder, port}, err
}

func find(program string, patterns ...string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, pattern := range patterns {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s: %w", program, ErrNotInstalled)
}

// freePort returns a port that nobody listened on a moment ago: below 32768,
// from where Linux takes the ports of outgoing connections, so that none of
// those is in the way when a server comes back.
func freePort() (int, error) {
	for {
		port := 20_000 + rand.IntN(12_000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return 0, err
		}
		return port, l.Close()
	}
}

// Addr is the server's host and port.
func (p place) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// log is the file that the server's output goes to.
func (p place) log() string { return filepath.Join(p.folder, "log") }

func (p place) remove() error { return os.RemoveAll(p.folder) }

// A process is a server program that runs. Done is closed when it has ended.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start starts a server, with its output in a file, and waits until ready
// returns nil. It dies with this process, however that ends.
func start(cmd *exec.Cmd, output string, ready func(context.Context) error) (*process, error) {
	log, err := os.Create(output)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // Ctrl-C is for this process: it ends the server in order
	DieWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go p.wait()
	if err := p.await(ready); err != nil {
		p.Kill()
		said, _ := os.ReadFile(output)
		return nil, fmt.Errorf("start %s: %w\n%s", filepath.Base(cmd.Path), err, said)
	}
	return p, nil
}

// wait takes the process's end from the system.
func (p *process) wait() {
	defer close(p.done)
	_ = p.cmd.Wait() // how a server ends that is killed again and again does not matter
}

// await waits until ready returns nil.
func (p *process) await(ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it did not answer within %s: %w", startWithin, err)
		case <-time.After(lookEvery):
		}
	}
}

// PID is the number of the server's process.
func (p *process) PID() int { return p.cmd.Process.Pid }

// signal sends a signal to the server; one that has ended hears none.
func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Pause freezes the server, its connections staying open, until Resume.
func (p *process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume has a paused server go on.
func (p *process) Resume() error { return p.signal(syscall.SIGCONT) }

// Kill ends the server at once and returns when it is gone.
func (p *process) Kill() {
	_ = p.signal(syscall.SIGKILL)
	<-p.done
}

// stop asks the server to end, as the signal says it, and waits until it is
// gone; one that does not listen is killed.
func (p *process) stop(s os.Signal) {
	_ = p.Resume()
	_ = p.signal(s)
	select {
	case <-p.done:
	case <-time.After(stopWithin):
		p.Kill()
	}
}
