package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/lectern-room/lectern/room"
)

const (
	// startTime is how long a server of our own may take to be ready.
	startTime = 30 * time.Second
	// stopTime is a little more than the time that it has to leave.
	stopTime = 25 * time.Second
	// passportTime is longer than any load lasts.
	passportTime = 12 * time.Hour
)

// A loadTarget is the server under load, and what is needed to be everyone
// there.
type loadTarget struct {
	url  *url.URL
	ops  string // the operations listener, "" if it is not known
	keys *room.Keyring
	http *http.Client
}

// passport makes a passport for a person of the load.
func (t *loadTarget) passport(user room.UserID, name string, role room.Role) (string, error) {
	return t.keys.Seal(room.Passport{
		Caller: room.Caller{User: user, Name: name, Role: role}, ExpiresAt: time.Now().Add(passportTime),
	}, false)
}

// A badAnswer is an answer to an HTTP call that is not of the 200s.
type badAnswer struct {
	call   string
	status int
	body   []byte
}

func (b *badAnswer) Error() string {
	return fmt.Sprintf("%s was answered %d: %s", b.call, b.status, b.body)
}

// call makes an HTTP call with a passport and reads the answer, if it is of
// the 200s, into answer, which may be nil.
func (t *loadTarget) call(ctx context.Context, passport, method, path, body string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, t.url.String()+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+passport)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := t.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode/100 != 2 {
		return &badAnswer{method + " " + path, response.StatusCode, data}
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(data, answer)
}

// A child is a server in a process of its own, of this same program.
type child struct {
	process *os.Process
	exited  chan error // gets what came of the process, once
	log     string     // the file with its output
	url     *url.URL
	ops     string
}

// launch starts a server on free ports, with its data and its log in a
// folder, and returns once it is ready.
func launch(ctx context.Context, folder string, environ []string) (*child, error) {
	return launchBy(ctx, folder, environ, (*exec.Cmd).Start)
}

func launchBy(ctx context.Context, folder string, environ []string, start func(*exec.Cmd) error) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(folder, "log-*")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c := &child{exited: make(chan error, 1), log: log.Name()}
	command := exec.Command(program, "serve")
	command.Stdout, command.Stderr = log, log
	command.Env = append([]string{
		"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_OPS_LISTEN=127.0.0.1:0", "LECTERN_LOG_FORMAT=json",
		"LECTERN_DATA=" + filepath.Join(folder, "data"),
	}, environ...)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // to the kernel, a process's parent is the thread that started it
		defer runtime.UnlockOSThread()
		err := start(command)
		if started <- err; err == nil {
			c.exited <- command.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	c.process = command.Process
	if err := c.await(ctx); err != nil {
		return nil, errors.Join(err, c.kill())
	}
	return c, nil
}

// await waits until the server says that it is ready.
func (c *child) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !c.ready(ctx) {
		select {
		case <-look.C:
		case err := <-c.exited:
			c.exited <- err
			said, _ := os.ReadFile(c.log)
			return fmt.Errorf("it ended with %v and said:\n%s", err, said)
		case <-ctx.Done():
			said, _ := os.ReadFile(c.log)
			return fmt.Errorf("it was not ready in time (%w) and said:\n%s", ctx.Err(), said)
		}
	}
	return nil
}

// ready looks in the log for where the server listens, and asks it.
func (c *child) ready(ctx context.Context) bool {
	said, err := os.ReadFile(c.log)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(said)) {
		var listening struct{ Msg, Address, Ops string }
		if json.Unmarshal([]byte(line), &listening) != nil || listening.Msg != "listening" {
			continue
		}
		if c.url, err = url.Parse(listening.Address); err != nil {
			return false
		}
		c.ops = listening.Ops
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, listening.Address+"/readyz", nil)
		if err != nil {
			return false
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
	return false
}

// stop lets the server leave in order, and returns an error if it does not.
func (c *child) stop() error {
	if err := c.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-c.exited:
		c.exited <- err
		if err != nil {
			said, _ := os.ReadFile(c.log)
			return fmt.Errorf("the server ended with %w and said:\n%s", err, said)
		}
		return nil
	case <-time.After(stopTime):
		return errors.Join(fmt.Errorf("the server did not leave within %v", stopTime), c.kill())
	}
}

// kill ends the process at once and waits until it is gone.
func (c *child) kill() error {
	err := c.process.Kill()
	c.exited <- <-c.exited
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
