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
)

const (
	// streamEvery makes some 50 joins a second.
	streamEvery = 20 * time.Millisecond
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
// returns when that was over; then everything must be well soon.
func (c *cluster) lasting(name string, l *lecture, watchers []*watcher, happens func() (over time.Time)) []*pupil {
	c.t.Helper()
	s := c.flow(name, l)
	over := happens()
	pupils := s.stop()
	right := c.converge(l, watchers, over)
	outcomes := c.check(l, manySeats, pupils)
	c.t.Logf("%s: told %v after %+v ms; the watchers were right at most %v after its end", name, outcomes, latencyOf(waits(pupils, everyAsking)), right)
	if outcomes["joined"] != len(pupils) {
		c.t.Errorf("%s: %d came and were told %v", name, len(pupils), outcomes)
	}
	return pupils
}

// during has something last for a while.
func during(d time.Duration) { <-time.After(d) }

// joinsWithin is the p99 of a join while Redis fails.
const joinsWithin = time.Second

// TestRedisFails: whatever becomes of Redis, students join, nothing is lost,
// and it is used again when it is back.
func TestRedisFails(t *testing.T) {
	c := newCluster(t, 2)
	l := c.instances[0].open("t", manySeats)
	watchers := c.watch(l)
	client := redis.NewClient(&redis.Options{Addr: c.redis.Addr()})
	t.Cleanup(func() { ended(t, client.Close()) })
	everywhere := func(what string, holds func(*instance) bool) {
		t.Helper()
		eventually(t, func() string {
			for n, i := range c.instances {
				if !holds(i) {
					return fmt.Sprintf("instance %d: %s", n, what)
				}
			}
			return ""
		})
	}
	away := func() {
		t.Helper()
		everywhere("Redis is up", func(i *instance) bool { return i.saysOfRedis("away") && i.metric("lectern_redis_up") == 0 })
	}
	up := func() {
		t.Helper()
		everywhere("Redis is away", func(i *instance) bool { return i.saysOfRedis("up") && i.metric("lectern_redis_up") == 1 })
	}
	quick := func(name string, pupils []*pupil) {
		t.Helper()
		if p99 := latencyOf(waits(pupils, everyAsking)).P99; p99 > float64(joinsWithin.Milliseconds()) {
			t.Errorf("%s: joins took %v ms", name, p99)
		}
	}

	cuts := c.lasting("subscriptions cut", l, watchers, func() time.Time {
		const cutEvery, cutFor = 300 * time.Millisecond, 5 * time.Second
		killed := int64(0)
		for range cutFor / cutEvery {
			during(cutEvery)
			n, err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Result()
			if err != nil {
				t.Fatal(err)
			}
			killed += n
		}
		t.Logf("%d subscriptions were cut", killed)
		return time.Now()
	})
	quick("subscriptions cut", cuts)
	everywhere("no subscription was lost", func(i *instance) bool { return i.metric("lectern_bus_resubscriptions_total") > 0 })
	up()

	before := c.skipped()
	frozen := c.lasting("Redis frozen", l, watchers, func() time.Time {
		during(500 * time.Millisecond)
		if err := c.redis.Pause(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		away()
		during(3*time.Second - time.Since(began))
		if err := c.redis.Resume(); err != nil {
			t.Fatal(err)
		}
		over := time.Now()
		up()
		t.Logf("Redis was found back after %v", time.Since(over))
		return over
	})
	quick("Redis frozen", frozen)
	if c.skipped() == before {
		t.Error("the lock was not skipped")
	}

	before = c.skipped()
	killed := c.lasting("Redis killed", l, watchers, func() time.Time {
		during(500 * time.Millisecond)
		c.redis.Kill()
		began := time.Now()
		away()
		during(2*time.Second - time.Since(began))
		if err := c.redis.Restart(); err != nil {
			t.Fatal(err)
		}
		over := time.Now()
		up()
		t.Logf("Redis was found back after %v", time.Since(over))
		return over
	})
	quick("Redis killed", killed)
	if c.skipped() == before {
		t.Error("the lock was not skipped")
	}
	c.lasting("all well", l, watchers, func() time.Time {
		during(time.Second)
		return time.Now()
	})
	c.checkLog(l.id)
}

// saysOfRedis tells whether an instance is ready, with Redis as given.
func (i *instance) saysOfRedis(state string) bool {
	i.t.Helper()
	status, body := fetch(i.t, http.MethodGet, i.loadTarget.url.String()+"/readyz", "", "", nil)
	if status != http.StatusOK {
		i.t.Fatalf("/readyz was answered %d: %s", status, body)
	}
	return strings.Contains(body, `"redis":"`+state+`"`)
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

const (
	// awayFor is how long Postgres is gone.
	awayFor = 5 * time.Second
	// refusedWithin and backWithin are 2.5 s and 2 s, and room for a busy
	// machine.
	refusedWithin = 4 * time.Second
	backWithin    = 4 * time.Second
)

// TestPostgresAway: while Postgres is away everyone is told so soon; when it
// is back everyone joins, on the same socket.
func TestPostgresAway(t *testing.T) {
	c := newCluster(t, 2)
	l := c.instances[0].open("t", manySeats)
	watchers := c.watch(l)
	var gone, back time.Time
	pupils := c.lasting("Postgres away", l, watchers, func() time.Time {
		during(time.Second)
		gone = time.Now()
		c.postgres.Stop(true)
		during(awayFor)
		if err := c.postgres.Restart(); err != nil {
			t.Fatal(err)
		}
		back = time.Now()
		during(2 * time.Second)
		return back
	})
	refused := waits(pupils, func(a asking) bool { return a.answer.Type != "joined" })
	first := back.Add(patience)
	for _, p := range pupils {
		for _, a := range p.asked {
			if a.answer.Type == "joined" && a.to.After(gone.Add(awayFor/2)) && a.to.Before(first) {
				first = a.to
			}
		}
	}
	slow := latencyOf(refused)
	t.Logf("%d refusals came after %+v ms; the first seat was given %v after Postgres was back", len(refused), slow, first.Sub(back))
	if len(refused) == 0 || slow.Max > float64(refusedWithin.Milliseconds()) {
		t.Errorf("%d refusals, one after %v ms", len(refused), slow.Max)
	}
	if first.Sub(back) > backWithin {
		t.Errorf("the first seat was given %v after Postgres was back", first.Sub(back))
	}
	c.checkLog(l.id)
}
