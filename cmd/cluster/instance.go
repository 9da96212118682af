package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lectern-room/lectern/store/servers"
)

const (
	// restartAfter is long enough to see what an instance's end does, and well
	// under the 10 s after which the others take it for dead.
	restartAfter = 5 * time.Second
	// stopWithin is a little more than the time that an instance has to leave.
	stopWithin = 25 * time.Second
)

// An instance is one server in a process of its own, which is started again
// when it ends.
type instance struct {
	name        string
	public, ops string // host:port
	log         string // the file with its output
	environ     []string
	program     string
	say         func(format string, args ...any)

	pid   atomic.Int64 // of the running process
	ready atomic.Bool  // as the balancer knows
}

func newInstance(c *cluster, name string) (*instance, error) {
	i := &instance{
		name: name, program: c.Program, log: filepath.Join(c.folder, name+".log"),
		say: func(format string, args ...any) { fmt.Fprintf(c.stdout, format+"\n", args...) },
	}
	for _, address := range []*string{&i.public, &i.ops} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*address = listener.Addr().String()
		if err := listener.Close(); err != nil {
			return nil, err
		}
	}
	return i, nil
}

func (i *instance) address() string { return "http://" + i.public }

// run keeps the instance running until ctx is done, and then lets it leave in
// order.
func (i *instance) run(ctx context.Context) error {
	for again := false; ; again = true {
		ended, err := i.start(ctx)
		if err != nil {
			return err
		}
		if again {
			i.say("instance %s runs again: process %d", i.name, i.pid.Load())
		}
		err = <-ended
		if ctx.Err() != nil {
			return nil
		}
		i.say("instance %s has ended (%v) and is started again in %v", i.name, err, restartAfter)
		select {
		case <-time.After(restartAfter):
		case <-ctx.Done():
			return nil
		}
	}
}

// start starts the process. Ended gets what came of it.
func (i *instance) start(ctx context.Context) (ended <-chan error, err error) {
	log, err := os.OpenFile(i.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.CommandContext(ctx, i.program, "serve")
	command.Env, command.Stdout, command.Stderr = i.environ, log, log
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = stopWithin
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program, which tells the instances
	servers.DieWithParent(command.SysProcAttr)
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start instance %s: %w", i.name, err)
	}
	i.pid.Store(int64(command.Process.Pid))
	exited := make(chan error, 1)
	go func() { exited <- command.Wait() }()
	return exited, nil
}
