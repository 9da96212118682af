package store

import (
	"context"
	"log/slog"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store/servers"
)

// TestRedisBlackHole: a listener whose network swallows everything, and that
// the system does not tell, finds out, and hears again once it can.
func TestRedisBlackHole(t *testing.T) {
	t.Parallel() // it takes seconds
	server := startRedis(t)
	proxy, err := servers.StartProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	var log logbook
	r := openRedis(t, "redis://"+proxy.Addr(), log.handler())
	missed := make(chan bool, 1000)
	listenTo(t, r, func(room.Entry) {}, func() { missed <- true })
	<-missed
	time.Sleep(silence + probeEvery)
	if text := log.String(); text != "" {
		t.Fatalf("nothing is wrong yet, and it is logged:\n%s", text)
	}
	if err := proxy.BlackHole(); err != nil {
		t.Fatal(err)
	}
	t.Log("noticed after", within(t, patience, "the silence is noticed", func() bool { return strings.Contains(log.String(), errSilence.Error()) }))
	if err := proxy.Heal(); err != nil {
		t.Fatal(err)
	}
	t.Log("mended after", within(t, patience, "it hears again", func() bool { return len(missed) > 0 }))
	within(t, patience, "it is found back", r.Up)
}

// TestRedisNoSilentGap: however often the subscription breaks, a listener
// hears every version or is told that it may have missed some.
func TestRedisNoSilentGap(t *testing.T) {
	server := startRedis(t)
	listener, other := openRedis(t, server.URL(), slog.DiscardHandler), openRedis(t, server.URL(), slog.DiscardHandler)
	const last = 1_000
	var mu sync.Mutex // guards the next three
	heard, told, gaps := int64(0), 0, 0
	listenTo(t, listener, func(e room.Entry) {
		mu.Lock()
		defer mu.Unlock()
		if e.Version > heard+1 {
			gaps++
			if told == 0 {
				t.Errorf("heard version %d after %d, and not that any are missing", e.Version, heard)
			}
		}
		heard, told = e.Version, 0
	}, func() {
		mu.Lock()
		defer mu.Unlock()
		told++
	})
	looked := func(so func() bool) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return so()
		}
	}
	within(t, patience, "it listens", looked(func() bool { return told > 0 }))
	for version := range int64(last) {
		if err := other.Publish(t.Context(), room.Entry{Room: "r1", Version: version + 1}, nil); err != nil {
			t.Fatal(err)
		}
		if version%100 == 50 {
			if err := other.client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	within(t, patience, "it has heard the last version or been told", looked(func() bool { return heard == last || told > 0 }))
	if mu.Lock(); gaps == 0 {
		t.Error("nothing was ever missed: the test proves nothing")
	}
	t.Logf("%d gaps, each told", gaps)
	mu.Unlock()
}

// TestRedisFailover: where Sentinels look after it, the replica of a server
// that dies is used.
func TestRedisFailover(t *testing.T) {
	t.Parallel() // it takes seconds
	first := startRedis(t)
	host, port, _ := strings.Cut(first.Addr(), ":")
	second := startRedis(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	sentinel, err := servers.StartSentinel(first)
	if err != nil {
		t.Fatal(err)
	}
	defer sentinel.Stop()
	r := openRedis(t, sentinel.URL(), slog.DiscardHandler)
	missed := make(chan bool, 1000)
	listenTo(t, r, func(room.Entry) {}, func() { missed <- true })
	<-missed
	through(t, r)
	asked := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addr()})
	defer asked.Close()
	within(t, patience, "the Sentinel knows the replica", func() bool {
		replicas, err := asked.Replicas(t.Context(), path.Base(sentinel.URL())).Result()
		return err == nil && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok"
	})
	first.Kill()
	within(t, patience, "the loss is noticed", func() bool { everyCall(t.Context(), r, "r1"); return !r.Up() })
	t.Log("the replica is used after", within(t, patience, "it is found back", r.Up))
	through(t, r)
	<-missed
	if replaced := openRedis(t, second.URL(), slog.DiscardHandler); replaced.tryAll(t.Context()) != nil {
		t.Error("the replica takes no writes")
	}
}

// TestRedisLeavesNothing: Run and Listen leave no goroutine, whether Redis is
// up or not.
func TestRedisLeavesNothing(t *testing.T) {
	for name, url := range map[string]string{"up": startRedis(t).URL(), "down": "redis://127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var log logbook
			r, err := OpenRedis(RedisConfig{URL: url}, slog.New(log.handler()))
			if err != nil {
				t.Fatal(err)
			}
			begun := make(chan bool, 1000)
			var all sync.WaitGroup
			all.Go(func() { r.Run(ctx) })
			all.Go(func() { r.Listen(ctx, everything, func(room.Entry) {}, func() { begun <- true }) })
			everyCall(ctx, r, "r1")
			within(t, patience, "it listens, or cannot", func() bool {
				return len(begun) > 0 || strings.Contains(log.String(), "not heard")
			})
			cancel()
			all.Wait()
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
		})
	}
}
