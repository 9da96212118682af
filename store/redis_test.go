package store

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store/servers"
	"github.com/lectern-room/lectern/store/storetest"
)

// startRedis starts a server that ends with the test.
func startRedis(t testing.TB, args ...string) *servers.Redis {
	t.Helper()
	server, err := servers.StartRedis(args...)
	if errors.Is(err, servers.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// openRedis opens a client of a server, and runs it until the test ends.
func openRedis(t testing.TB, url string, log slog.Handler) *Redis {
	t.Helper()
	r, err := OpenRedis(RedisConfig{URL: url, Prefix: "test:"}, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(t.Context()) }()
	t.Cleanup(func() { // the test's context is done by now
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func everything(room.ID, int64) bool { return true }

// listenTo listens until the test ends, and waits for that.
func listenTo(t *testing.T, r *Redis, receive func(room.Entry), missed func()) {
	ended := make(chan error, 1)
	ctx := t.Context()
	go func() { ended <- r.Listen(ctx, everything, receive, missed) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// patience is how long a test waits for what takes moments: machines are
// noisy.
const patience = 30 * time.Second

// A logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) handler() slog.Handler { return slog.NewTextHandler(l, nil) }

// within waits until something is so, and returns how long that took.
func within(t *testing.T, limit time.Duration, what string, so func() bool) time.Duration {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		took := time.Since(began)
		switch {
		case so():
			return took
		case took > limit:
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func TestRedisShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) [2]storetest.Shared {
		url := startRedis(t).URL()
		return [2]storetest.Shared{openRedis(t, url, slog.DiscardHandler), openRedis(t, url, slog.DiscardHandler)}
	})
}

// TestRedisRights: the rights that the README gives a user of Redis suffice.
func TestRedisRights(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rights, ok := strings.Cut(string(readme), "ACL SETUSER lectern on >… ")
	if !ok {
		t.Fatal("the README names no rights")
	}
	rights, _, _ = strings.Cut(rights, "\n")
	rights = "--user lectern on nopass " + strings.ReplaceAll(rights, "lectern:", "test:")
	storetest.RunShared(t, func(t *testing.T) (two [2]storetest.Shared) {
		server := startRedis(t, strings.Fields(rights)...)
		for i := range two {
			var log logbook
			r := openRedis(t, "redis://lectern:x@"+server.Addr(), log.handler())
			if err := r.tryAll(t.Context()); err != nil {
				t.Error(err)
			}
			t.Cleanup(func() {
				if text := log.String(); text != "" {
					t.Error(text)
				}
			})
			two[i] = r
		}
		return two
	})
}

// TestRedisLockRunsOut: the lock of one that never gives it back is free
// after its time.
func TestRedisLockRunsOut(t *testing.T) {
	t.Parallel() // it takes seconds
	r := openRedis(t, startRedis(t).URL(), slog.DiscardHandler)
	began := time.Now()
	if _, ok, err := r.Lock(t.Context(), "r1"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	within(t, patience, "the lock is free", func() bool {
		_, ok, err := r.Lock(t.Context(), "r1")
		if err != nil {
			t.Fatal(err)
		}
		return ok
	})
	if took := time.Since(began); took < lockLife-100*time.Millisecond {
		t.Errorf("the lock was free after %s, want %s", took, lockLife)
	}
}

// TestRedisUnreadable: what is in a queue and is no command is taken out of it
// and holds nobody up; a queue that is no queue spoils its own room only.
func TestRedisUnreadable(t *testing.T) {
	r := openRedis(t, startRedis(t).URL(), slog.DiscardHandler)
	for _, junk := range [][]any{{commandField, "junk"}, {commandField, ""}, {"other", "field"}} {
		if err := r.client.XAdd(t.Context(), &redis.XAddArgs{Stream: r.queue("r1"), Values: junk}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Push(t.Context(), "r1", []room.Command{aJoin("r1", 1)}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if head, err := r.Head(t.Context(), "r1", 9); err != nil || len(head) != 1 {
			t.Errorf("the queue holds %d commands, %v", len(head), err)
		}
	}
	if n := r.client.XLen(t.Context(), r.queue("r1")).Val(); n != 1 {
		t.Errorf("%d items are left, want 1", n)
	}

	if err := r.client.Set(t.Context(), r.queue("r2"), "no stream", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Push(t.Context(), "r2", []room.Command{aJoin("r2", 1)}); err == nil {
		t.Error("a push onto what is no queue succeeded")
	}
	if !r.Up() {
		t.Error("Redis counts as away")
	}
	through(t, r)
}
