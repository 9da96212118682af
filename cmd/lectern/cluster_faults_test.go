package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// streamEvery makes some 50 joins a second.
	streamEvery = 20 * time.Millisecond
	// streamFirst and streamLast are how long they come before anything
	// happens, and when it is over.
	streamFirst = 200 * time.Millisecond
	streamLast  = time.Second
	// manySeats are more than anyone asks for.
	manySeats = 10_000
)

// A stream is students who come one after another, each to the next instance,
// and ask until they are told.
type stream struct {
	cluster *cluster
	name    string
	code    string

	coming sync.WaitGroup
	end    context.CancelFunc

	pupils []*pupil // of coming
}

// flow has students come from now on.
func (c *cluster) flow(name string, l *lecture) *stream {
	ctx, end := context.WithCancel(c.t.Context())
	s := &stream{cluster: c, name: name, code: l.code, end: end}
	s.coming.Go(func() { s.come(ctx) })
	c.t.Cleanup(func() { s.stop() })
	return s
}

func (s *stream) come(ctx context.Context) {
	next := time.NewTicker(streamEvery)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		n := len(s.pupils)
		p := &pupil{user: room.UserID(fmt.Sprintf("%s-%d", s.name, n))}
		s.pupils = append(s.pupils, p)
		to := s.cluster.instances[n%len(s.cluster.instances)]
		s.coming.Go(func() {
			if p.err = p.connect(s.cluster, to); p.err == nil {
				p.insist(s.code)
			}
		})
	}
}

// stop has nobody come any more, and returns who came, once all are told.
func (s *stream) stop() []*pupil {
	s.end()
	s.coming.Wait()
	return s.pupils
}

// lasting has students come for a while during which something happens, which
// returns when that was over; then everything must be well soon. It returns who
// came, and how long after the end the watchers were right.
func (c *cluster) lasting(name string, l *lecture, watchers []*watcher, happens func() (over time.Time)) (pupils []*pupil, right time.Duration) {
	c.t.Helper()
	s := c.flow(name, l)
	during(streamFirst)
	over := happens()
	during(streamLast)
	pupils = s.stop()
	right = c.converge(l, watchers, over)
	if outcomes := c.check(l, manySeats, pupils); outcomes["joined"] != len(pupils) {
		c.t.Errorf("%s: %d came and were told %v", name, len(pupils), outcomes)
	}
	return pupils, right
}

// during has something last for a while.
func during(d time.Duration) { <-time.After(d) }

const (
	// joinsWithin is the p99 of a join while Redis fails.
	joinsWithin = time.Second
	// redisFrozen is how long Redis says nothing, or is gone.
	redisFrozen = 4 * time.Second
)

// bound is how long something may take: that where there is time for proofs,
// and five times as long where a machine may be busy, but never so long that it
// could have waited for the fault to be over.
func bound(t *testing.T, exact, fault time.Duration) time.Duration {
	t.Helper()
	if roomtest.ProveFor(t) > 0 {
		return exact
	}
	return min(5*exact, fault*3/4)
}

// TestRedisFails: whatever becomes of Redis, students join, nothing is lost,
// and it is used again once it is back.
func TestRedisFails(t *testing.T) {
	c := newCluster(t, 1)
	deaf := c.addDeaf()
	l := c.instances[0].open("t", manySeats)
	watchers, most := c.watch(l), bound(t, joinsWithin, redisFrozen)
	var seen []string
	for _, fault := range []struct {
		name    string
		happens func() (over time.Time)
		counted string // in this metric
	}{
		{"subscriptions cut", c.cutSubscriptions, "lectern_bus_resubscriptions_total"},
		{"a subscriber deaf", deaf.deafen, "lectern_bus_resubscriptions_total"},
		{"Redis frozen", c.freezeRedis, "lectern_lock_skipped_total"},
		{"Redis restarted empty", c.killRedis, "lectern_lock_skipped_total"},
	} {
		before := c.sum(fault.counted)
		pupils, right := c.lasting(fault.name, l, watchers, fault.happens)
		joins := latencyOf(waits(pupils, everyAsking))
		if joins.P99 > float64(most.Milliseconds()) {
			t.Errorf("%s: joins took %v ms", fault.name, joins)
		}
		eventually(t, func() string {
			if c.sum(fault.counted) == before {
				return fmt.Sprintf("%s: %s has not grown", fault.name, fault.counted)
			}
			return ""
		})
		seen = append(seen, fmt.Sprintf("%s: %d joins with a p99 of %.0f ms (may be %v), rosters right %v after its end", fault.name, len(pupils), joins.P99, most, right))
	}
	c.checkLog(l.id)
	if !t.Failed() {
		roomtest.Proved(t, "%s", strings.Join(seen, "; "))
	}
}

// cutSubscriptions breaks what instances hear each other by, again and again.
func (c *cluster) cutSubscriptions() time.Time {
	c.t.Helper()
	const cutEvery, cutFor = 300 * time.Millisecond, 5 * time.Second
	client := redis.NewClient(&redis.Options{Addr: c.redis.Addr()})
	defer client.Close()
	for range cutFor / cutEvery {
		during(cutEvery)
		if err := client.ClientKillByFilter(c.t.Context(), "TYPE", "pubsub").Err(); err != nil {
			c.t.Fatal(err)
		}
	}
	return time.Now()
}

// freezeRedis has Redis say nothing, and later answer what it was asked long
// before.
func (c *cluster) freezeRedis() time.Time {
	c.t.Helper()
	if err := c.redis.Pause(); err != nil {
		c.t.Fatal(err)
	}
	thaw := time.After(redisFrozen)
	c.redisIs("away", 0)
	<-thaw
	if err := c.redis.Resume(); err != nil {
		c.t.Fatal(err)
	}
	return c.redisBack()
}

// killRedis has Redis go and come back empty.
func (c *cluster) killRedis() time.Time {
	c.t.Helper()
	c.redis.Kill()
	again := time.After(redisFrozen)
	c.redisIs("away", 0)
	<-again
	if err := c.redis.Restart(); err != nil {
		c.t.Fatal(err)
	}
	return c.redisBack()
}

// redisBack waits until all instances use Redis again.
func (c *cluster) redisBack() (since time.Time) {
	c.t.Helper()
	since = time.Now()
	c.redisIs("up", 1)
	c.t.Logf("Redis was found back after %v", time.Since(since))
	return since
}

// redisIs waits until all instances say so of Redis, and are ready.
func (c *cluster) redisIs(state string, up float64) {
	c.t.Helper()
	eventually(c.t, func() string {
		for n, i := range c.instances {
			status, body := fetch(c.t, http.MethodGet, i.loadTarget.url.String()+"/readyz", "", "", nil)
			if status != http.StatusOK || !strings.Contains(body, `"redis":"`+state+`"`) {
				return fmt.Sprintf("instance %d: Redis is not %s: %d %s", n, state, status, body)
			}
			if got := i.metric("lectern_redis_up"); got != up {
				return fmt.Sprintf("instance %d: redis_up is %v", n, got)
			}
		}
		return ""
	})
}

// TestNoRedisAtAll: instances that share nothing but Postgres are right, if
// slower.
func TestNoRedisAtAll(t *testing.T) {
	const students, seats = 300, 100
	c := newCluster(t, 2, "LECTERN_REDIS_URL=")
	l := c.instances[0].open("t", seats)
	watchers := c.watch(l)
	pupils := c.enrol("s", students)
	last := atOnce(pupils, l.code)
	t.Logf("asking took %+v ms", latencyOf(waits(pupils, everyAsking)))
	t.Logf("the watchers were right %v after the last answer", c.converge(l, watchers, last))
	got := c.check(l, seats, pupils)
	if got["joined"] != seats || got["room_full"] != students-seats {
		t.Errorf("told %v", got)
	}
	c.checkLog(l.id)
}
