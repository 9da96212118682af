package main

import (
	"context"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lectern-room/lectern/store/servers"
)

// A host is an instance that is killed and started again, and that reaches
// Postgres and Redis through proxies of its own.
type host struct {
	*instance
	postgres, redis *servers.Proxy

	mu    sync.Mutex // guards where
	where *url.URL   // people find it; nil: it is dead
}

func (o *ordeal) newHost() *host {
	o.t.Helper()
	proxy := func(upstream string) *servers.Proxy {
		p, err := servers.StartProxy(upstream)
		if err != nil {
			o.t.Fatal(err)
		}
		o.t.Cleanup(p.Close)
		return p
	}
	h := &host{postgres: proxy(o.postgres.Addr()), redis: proxy(o.cluster.redis.Addr())}
	h.instance = o.prepare(
		"LECTERN_POSTGRES_URL="+strings.Replace(o.postgres.URL(), o.postgres.Addr(), h.postgres.Addr(), 1),
		"LECTERN_REDIS_URL=redis://"+h.redis.Addr())
	if err := h.launch(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { ended(o.t, h.stop()) })
	return h
}

// launch starts the instance.
func (h *host) launch(ctx context.Context) error {
	child, err := launch(ctx, h.folder, h.environ())
	if err != nil {
		return err
	}
	h.child = child
	h.mu.Lock()
	defer h.mu.Unlock()
	h.loadTarget.url, h.where = child.url, child.url
	return nil
}

// lives returns where the instance is, nil if it is dead.
func (h *host) lives() *url.URL {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.where
}

func (h *host) die() error {
	h.mu.Lock()
	h.where = nil
	h.mu.Unlock()
	return h.kill()
}

// A fault is something that breaks, and how it is mended.
type fault struct {
	name       string
	begin, end func() error
}

// A victim is what one fault after the other befalls.
type victim struct {
	calm   time.Duration // at most, between two faults
	lasts  time.Duration // at most, one
	faults []fault
}

// victims are all that there is to break: so often that something is broken
// most of the time, so seldom that most requests are answered.
func (o *ordeal) victims() []victim {
	ctx := o.t.Context()
	nothing := func() error { return nil }
	all := []victim{
		{8 * time.Second, time.Second, []fault{{"Postgres stopped", func() error { o.postgres.Stop(true); return nil }, o.postgres.Restart}}},
		{4 * time.Second, time.Second, []fault{
			{"Redis emptied", func() error { return o.redis.FlushAll(ctx).Err() }, nothing},
			{"Redis paused", func() error { return o.redis.ClientPause(ctx, redisPause).Err() }, nothing},
			{"Redis killed", func() error { o.cluster.redis.Kill(); return nil }, o.cluster.redis.Restart},
		}},
	}
	for _, h := range o.hosts {
		all = append(all, victim{8 * time.Second, 3 * time.Second, []fault{
			{"instance killed", h.die, func() error { return h.launch(ctx) }},
			{"instance stopped", func() error { return h.process.Signal(syscall.SIGSTOP) }, func() error { return h.process.Signal(syscall.SIGCONT) }},
		}})
		all = append(all, lineOf(h.postgres, 12*time.Second), lineOf(h.redis, 6*time.Second))
	}
	return all
}

// lineOf is the line from an instance to a server, through a proxy.
func lineOf(p *servers.Proxy, calm time.Duration) victim {
	return victim{calm, time.Second, []fault{
		{"line cut", func() error { p.Cut(); return nil }, p.Heal},
		{"line a black hole", p.BlackHole, p.Heal},
		{"answers lost", p.LoseAnswers, p.Heal},
	}}
}

// redisPause is well beyond what an instance waits for Redis.
const redisPause = time.Second

// torment breaks things until ctx is done, and returns when all is mended.
func (o *ordeal) torment(ctx context.Context, seed uint64) {
	var all sync.WaitGroup
	for n, v := range o.victims() {
		random := rand.New(rand.NewPCG(seed, uint64(chaosRooms+n)))
		all.Go(func() {
			for paused(ctx, time.Duration(random.Int64N(int64(v.calm)))) {
				f := v.faults[random.IntN(len(v.faults))]
				o.befall(f, time.Duration(random.Int64N(int64(v.lasts))))
			}
		})
	}
	all.Wait()
}

func (o *ordeal) befall(f fault, lasts time.Duration) {
	ended(o.t, f.begin())
	during(lasts)
	ended(o.t, f.end())
	o.mu.Lock()
	defer o.mu.Unlock()
	o.befell[f.name]++
}

// paused waits, and returns false if ctx is done before.
func paused(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
