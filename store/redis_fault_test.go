package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lectern-room/lectern/room"
)

// through fails the test unless a command goes through a room's queue.
func through(t *testing.T, r *Redis) {
	t.Helper()
	id := room.NewID(time.Now())
	if err := r.Push(t.Context(), id, []room.Command{aJoin(id, 1)}); err != nil {
		t.Fatal(err)
	}
	if head, err := r.Head(t.Context(), id, 9); err != nil || len(head) != 1 {
		t.Fatalf("the queue holds %d commands, %v", len(head), err)
	}
	if left := r.client.TTL(t.Context(), r.queue(id)).Val(); left <= 0 || left > queueLife {
		t.Fatalf("the queue stays for %s", left)
	}
}

// everyCall makes all that can be asked of Redis, and returns the longest time
// that one took, and whether one succeeded.
func everyCall(ctx context.Context, r *Redis, id room.ID) (longest time.Duration, any bool) {
	for _, call := range []func() error{
		func() error { return r.Push(ctx, id, []room.Command{aJoin(id, 1)}) },
		func() error { _, err := r.Head(ctx, id, 9); return err },
		func() error { unlock, _, err := r.Lock(ctx, id); timed(&longest, unlock); return err },
		func() error { return r.Publish(ctx, room.Entry{Room: id, Version: 1}, []string{"1-1"}) },
	} {
		timed(&longest, func() { any = call() == nil || any })
	}
	return longest, any
}

func timed(longest *time.Duration, f func()) {
	if f != nil {
		began := time.Now()
		f()
		*longest = max(*longest, time.Since(began))
	}
}

// TestRedisFrozen: a server that hangs costs everybody one timeout, and is
// found back.
func TestRedisFrozen(t *testing.T) {
	server := startRedis(t)
	r := openRedis(t, server.URL(), slog.DiscardHandler)
	locked, ok, err := r.Lock(t.Context(), "held")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	through(t, r)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	const callers = 500
	took := make([]time.Duration, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			longest, any := everyCall(t.Context(), r, room.NewID(time.Now()))
			if took[i] = longest; any {
				t.Error("a server that is frozen answered")
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	if median, longest := took[callers/2], took[callers-1]; median > 2*redisTimeout || longest > 5*redisTimeout {
		t.Errorf("calls took %s, the longest %s", median, longest)
	}
	if r.Up() {
		t.Error("a server that is frozen counts as up")
	}
	var longest time.Duration
	if timed(&longest, locked); longest > redisTimeout/2 {
		t.Errorf("giving the lock back took %s, the server being known to be away", longest)
	}
	time.Sleep(2*time.Second - redisTimeout)
	if r.Up() {
		t.Error("a server that is frozen counts as up")
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	t.Log("found back after", within(t, 10*time.Second, "it is found back", r.Up))
	through(t, r)
}

// TestRedisRestart: a server that is killed and comes back empty is used again.
func TestRedisRestart(t *testing.T) {
	server := startRedis(t)
	var log logbook
	r := openRedis(t, server.URL(), log.handler())
	missed, heard := make(chan bool, 1000), make(chan room.Entry, 1000)
	listenTo(t, r, func(e room.Entry) { heard <- e }, func() { missed <- true })
	<-missed
	through(t, r)
	server.Kill()
	if longest, any := everyCall(t.Context(), r, "r1"); longest > 5*redisTimeout || any {
		t.Errorf("a call took %s, one succeeded: %t", longest, any)
	}
	within(t, patience, "the subscription is lost", func() bool { return strings.Contains(log.String(), "not heard") })
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	t.Log("found back after", within(t, 10*time.Second, "it is found back", r.Up))
	through(t, r)
	<-missed
	if err := r.Publish(t.Context(), room.Entry{Room: "r1", Version: 7}, nil); err != nil {
		t.Fatal(err)
	}
	if e := <-heard; e.Version != 7 {
		t.Errorf("heard version %d, want 7", e.Version)
	}
	if n := strings.Count(log.String(), "\n"); n != 4 {
		t.Errorf("it was lost and found twice, by the pool and by the listener; logged in %d lines:\n%s", n, &log)
	}
}

// TestRedisWrongPassword: the log says why Redis cannot be used, and not with
// which password.
func TestRedisWrongPassword(t *testing.T) {
	server := startRedis(t, "--requirepass", "right-horse")
	var log logbook
	r := openRedis(t, "redis://:wrong-horse@"+server.Addr(), log.handler())
	if err := r.Push(t.Context(), "r1", []room.Command{aJoin("r1", 1)}); err == nil || r.Up() {
		t.Errorf("a wrong password works: %v", err)
	}
	if text := log.String(); !strings.Contains(text, "WRONGPASS") || strings.Contains(text, "wrong-horse") {
		t.Errorf("the log says:\n%s", text)
	}
}

// TestRedisUnusable: a server that answers and does not do all it is asked
// counts as away until it does; its answer is in the log, once.
func TestRedisUnusable(t *testing.T) {
	const kim = "--user kim on nopass ~test:* "
	for name, c := range map[string]struct {
		args string
		user string
		says string
		mend []any
	}{
		"replica":        {"--replicaof 127.0.0.1 1", "", "READONLY", []any{"replicaof", "no", "one"}},
		"full":           {"--maxmemory 1", "", "OOM", []any{"config", "set", "maxmemory", "0"}},
		"no channels":    {kim + "resetchannels +@all", "kim:x@", "NOPERM", []any{"acl", "setuser", "kim", "&test:*"}},
		"no streams":     {kim + "&* +@all -@stream", "kim:x@", "NOPERM", []any{"acl", "setuser", "kim", "+@stream"}},
		"no unlocking":   {kim + "&* +@all -@scripting", "kim:x@", "NOPERM", []any{"acl", "setuser", "kim", "+@scripting"}},
		"no transaction": {kim + "&* +@all -multi", "kim:x@", "NOPERM", []any{"acl", "setuser", "kim", "+multi"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log logbook
			r := openRedis(t, "redis://"+c.user+startRedis(t, strings.Fields(c.args)...).Addr(), log.handler())
			if everyCall(t.Context(), r, "r1"); r.Up() {
				t.Error("it does all it is asked")
			}
			time.Sleep(4 * redisRetry)
			if text := log.String(); r.Up() || !strings.Contains(text, c.says) || strings.Count(text, "\n") > 2 {
				t.Errorf("up is %t, and the log says:\n%s", r.Up(), text)
			}
			if err := r.client.Do(t.Context(), c.mend...).Err(); err != nil {
				t.Fatal(err)
			}
			within(t, patience, "it is found back", r.Up)
			through(t, r)
		})
	}
}

// TestRedisCallerGivesUp: that a caller does not wait is not Redis's fault,
// and a lock is given back all the same.
func TestRedisCallerGivesUp(t *testing.T) {
	r := openRedis(t, startRedis(t).URL(), slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	unlock, ok, err := r.Lock(ctx, "r1")
	if !ok {
		t.Fatal(err)
	}
	cancel()
	unlock()
	if _, ok, err := r.Lock(t.Context(), "r1"); !ok {
		t.Errorf("the lock was not given back: %v", err)
	}
	if err := r.Push(ctx, "r1", []room.Command{aJoin("r1", 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if !r.Up() {
		t.Error("Redis counts as away")
	}
}

// cutBefore is a connection that breaks when a word is to be written, once the
// server has seen what came before it.
type cutBefore struct {
	net.Conn
	word []byte
}

func (c cutBefore) Write(p []byte) (int, error) {
	at := bytes.Index(p, c.word)
	if at < 0 {
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(p[:at])
	if err == nil {
		err = c.Conn.(*net.TCPConn).CloseWrite()
	}
	_, read := io.Copy(io.Discard, c.Conn)
	return n, errors.Join(io.ErrUnexpectedEOF, err, read)
}

// TestRedisPushCut: a push that did not get through as a whole leaves nothing
// behind that stays for ever.
func TestRedisPushCut(t *testing.T) {
	server := startRedis(t)
	r := openRedis(t, server.URL(), slog.DiscardHandler)
	r.client.AddHook(cutting("expire"))
	commands := make([]room.Command, 20)
	for i := range commands {
		commands[i] = aJoin("r1", i)
	}
	if err := r.Push(t.Context(), "r1", commands); err == nil {
		t.Error("the push got through")
	}
	other := openRedis(t, server.URL(), slog.DiscardHandler)
	if lives := other.client.TTL(t.Context(), r.queue("r1")).Val(); lives == -1 {
		t.Error("the queue stays for ever")
	}
}

// cutting has the connections of a client break before they write a word.
type cutting string

// DialHook is redis.Hook's.
func (c cutting) DialHook(dial redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return cutBefore{conn, []byte(c)}, err
	}
}

// ProcessHook is redis.Hook's.
func (cutting) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook is redis.Hook's.
func (cutting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
