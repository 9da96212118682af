package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/redis/go-redis/v9"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store/servers"
)

const (
	// audience is how many sockets are open while some of them ask.
	audience = 10_000
	// baselineTime ends a baseline that does not come to an end. Who waits
	// still has waited for that long, at least.
	baselineTime = 10 * time.Second
)

// BenchmarkJoin asks for seats over sockets that are open already, on two
// instances that share Postgres and Redis, all on one machine; so many at a
// time. Beside it, with no sockets in front, on the same servers, the same with
// a lock and a transaction for each join: everyone tries for the lock, or one
// of each process at a time.
//
//	go test -run '^$' -bench Join -benchtime 1x ./cmd/lectern
func BenchmarkJoin(b *testing.B) {
	c := newCrowd(b)
	for _, rooms := range []int{1, 50} {
		for _, askers := range []int{64, 1000, 5000} {
			if rooms > 1 && askers != 1000 {
				continue
			}
			b.Run(fmt.Sprintf("rooms=%d/askers=%d/lectern", rooms, askers), func(b *testing.B) {
				for range b.N {
					c.fill(b, rooms, askers)
				}
			})
			for _, queued := range []bool{false, true} {
				name := "lock+transaction"
				if queued {
					name = "queue+" + name
				}
				b.Run(fmt.Sprintf("rooms=%d/askers=%d/%s", rooms, askers, name), func(b *testing.B) {
					for range b.N {
						newBaseline(b, c, rooms, queued).fill(b, askers)
					}
				})
			}
		}
	}
}

// BenchmarkLoneJoin is one join while nothing else happens, beside a round
// trip to Redis and a commit.
func BenchmarkLoneJoin(b *testing.B) {
	c := newCrowd(b)
	ctx := b.Context()
	seats := c.open(b, 1)
	var joins, trips, commits []time.Duration
	client := redis.NewClient(&redis.Options{Addr: c.redis.Addr()})
	defer client.Close()
	db, err := sql.Open("pgx", c.postgres.URL())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `CREATE TABLE bare (n bigint)`); err != nil {
		b.Fatal(err)
	}
	for i := range min(b.N, 1000) {
		joins = append(joins, took(func() error { return c.sockets[i].join(seats[0]) }))
		trips = append(trips, took(func() error { return client.Ping(ctx).Err() }))
		commits = append(commits, took(func() error {
			_, err := db.ExecContext(ctx, `INSERT INTO bare VALUES ($1)`, i)
			return err
		}))
		time.Sleep(5 * time.Millisecond)
	}
	b.ReportMetric(latencyOf(joins).P50, "join-p50-ms")
	b.ReportMetric(latencyOf(joins).P99, "join-p99-ms")
	b.ReportMetric(latencyOf(trips).P50, "trip-p50-ms")
	b.ReportMetric(latencyOf(commits).P50, "commit-p50-ms")
	c.close(b, seats)
}

func took(f func() error) time.Duration {
	began := time.Now()
	if f() != nil {
		return time.Hour
	}
	return time.Since(began)
}

// A crowd is sockets, open on two instances.
type crowd struct {
	postgres  *servers.Postgres
	redis     *servers.Redis
	instances []*child
	target    loadTarget
	sockets   []*seeker
}

// A seeker is one socket that asks for seats.
type seeker struct {
	*loadSocket
	asked int
}

// A seat is what is sought: the request, without its id, and its room.
type sought struct {
	room       room.ID
	code       string
	instructor string // the passport
}

func newCrowd(b *testing.B) *crowd {
	b.Helper()
	c := &crowd{target: loadTarget{http: &http.Client{Timeout: answerTime}}}
	check := func(err error) {
		b.Helper()
		if errors.Is(err, servers.ErrNotInstalled) {
			b.Skip(err)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	var err error
	c.postgres, err = servers.StartPostgres()
	check(err)
	b.Cleanup(func() { c.postgres.Remove() })
	c.redis, err = servers.StartRedis()
	check(err)
	b.Cleanup(func() { c.redis.Stop() })
	key := room.NewKey("test")
	c.target.keys, err = room.NewKeyring(room.KeyConfig{Signing: []room.Key{key}})
	check(err)
	for range 2 {
		child, err := launch(b.Context(), b.TempDir(), append(os.Environ(), beProgram+"=1",
			signingKeys+"="+key.Reveal(), "LECTERN_POSTGRES_URL="+c.postgres.URL(), "LECTERN_REDIS_URL="+c.redis.URL()))
		check(err)
		b.Cleanup(func() { child.stop() })
		c.instances = append(c.instances, child)
	}
	c.target.url = c.instances[0].url
	for i := range audience {
		pass, err := c.target.passport(room.UserID(fmt.Sprint("student-", i)), fmt.Sprint("Student ", i), room.Student)
		check(err)
		socket, err := dialSocket(b.Context(), c.instances[i%2].url, pass)
		check(err)
		socket.patient()
		b.Cleanup(func() { socket.conn.Close() })
		c.sockets = append(c.sockets, &seeker{loadSocket: socket})
	}
	return c
}

// open opens rooms, each of an instructor of its own.
func (c *crowd) open(b *testing.B, rooms int) []sought {
	b.Helper()
	seats := make([]sought, rooms)
	for i := range seats {
		s := &seats[i]
		var err error
		if s.instructor, err = c.target.passport(room.UserID(room.NewToken()), "Instructor", room.Instructor); err != nil {
			b.Fatal(err)
		}
		if s.room, s.code, err = c.target.openRoom(b.Context(), s.instructor, "Bench", audience); err != nil {
			b.Fatal(err)
		}
	}
	return seats
}

func (c *crowd) close(b *testing.B, seats []sought) {
	b.Helper()
	for _, s := range seats {
		if err := c.target.closeRoom(b.Context(), s.instructor, s.room); err != nil {
			b.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond) // everyone is out
}

// join asks until it can be told.
func (s *seeker) join(seat sought) error {
	for {
		s.asked++
		answer, err := s.ask(fmt.Appendf(nil, `{"id":%d,"type":"join","code":%q}`, s.asked, seat.code))
		switch {
		case err != nil || answer.Type == "joined":
			return err
		case answer.Code != string(room.CodeUnavailable):
			return fmt.Errorf("answered %s %s", answer.Type, answer.Code)
		}
	}
}

// fill has everyone join, spread over the rooms, so many at a time.
func (c *crowd) fill(b *testing.B, rooms, askers int) {
	b.Helper()
	seats := c.open(b, rooms)
	before, servers := c.usage(b), [2]float64{cpuOf(b, c.postgres.PID()), cpuOf(b, c.redis.PID())}
	began, own := time.Now(), ownCPU()
	waits, _ := all(b, len(c.sockets), askers, func(i int) error { return c.sockets[i].join(seats[i%rooms]) })
	seconds := time.Since(began).Seconds()
	client := (ownCPU() - own).Seconds()
	used := c.usage(b).cpu - before.cpu
	reportJoins(b, waits, len(waits), seconds)
	each := 1e6 / float64(len(c.sockets))
	b.ReportMetric(used*each, "instances-us/join")
	b.ReportMetric((cpuOf(b, c.postgres.PID())-servers[0])*each, "postgres-us/join")
	b.ReportMetric((cpuOf(b, c.redis.PID())-servers[1])*each, "redis-us/join")
	b.ReportMetric(client*each, "client-us/join")
	for k, s := range seats {
		if stored, _, err := c.target.shownRoster(b.Context(), s.instructor, s.room); err != nil || len(stored) != len(c.sockets)/rooms {
			b.Fatalf("room %d has %d people, %v", k, len(stored), err)
		}
	}
	c.close(b, seats)
}

func (c *crowd) usage(b *testing.B) *usage {
	b.Helper()
	sum := &usage{}
	for _, i := range c.instances {
		target := c.target
		target.ops = i.ops
		u, err := target.usage(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		sum.cpu += u.cpu
		sum.memory += u.memory
	}
	return sum
}

// cpuOf returns the processor's time, in seconds, of a process and its children
// (proc(5): utime, stime, cutime and cstime, in hundredths of a second).
func cpuOf(b *testing.B, pid int) (seconds float64) {
	b.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, behind, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(behind)
		if own := strings.HasPrefix(string(text), fmt.Sprint(pid, " (")); !own && fields[1] != strconv.Itoa(pid) {
			continue
		}
		for _, ticks := range fields[11:15] {
			n, err := strconv.ParseFloat(ticks, 64)
			if err != nil {
				b.Fatal(err)
			}
			seconds += n / 100
		}
	}
	return seconds
}

// all does n things, so many at a time, and returns how long each took that was
// begun, and how many were done when the time was over.
func all(b *testing.B, n, atOnce int, do func(i int) error) (waits []time.Duration, done int) {
	b.Helper()
	waits = make([]time.Duration, n)
	var next, cut, failed atomic.Int64
	var askers sync.WaitGroup
	for range atOnce {
		askers.Go(func() {
			for cut.Load() == 0 {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				began := time.Now()
				switch err := do(i); {
				case errors.Is(err, context.DeadlineExceeded):
					cut.Add(1)
				case err != nil && failed.Add(1) == 1:
					b.Errorf("%d: %v", i, err)
				}
				waits[i] = time.Since(began)
			}
		})
	}
	askers.Wait()
	if failed.Load() > 0 {
		b.Fatalf("%d failed", failed.Load())
	}
	begun := min(n, int(next.Load()))
	return waits[:begun], begun - int(cut.Load())
}

func reportJoins(b *testing.B, waits []time.Duration, done int, seconds float64) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(done)/seconds, "joins/s")
	l := latencyOf(waits)
	b.ReportMetric(l.P50, "p50-ms")
	b.ReportMetric(l.P99, "p99-ms")
}

// A baseline seats students as is usual: whoever asks takes the room's lock,
// and does all else in one transaction. Two processes do so, in which all try
// for the lock at once or, queued, one at a time.
type baseline struct {
	run       string
	rooms     int
	queued    bool
	processes [2]*locking
}

type locking struct {
	db    *sql.DB
	redis *redis.Client
	locks *redsync.Redsync
	turns []sync.Mutex // one for each room
}

func newBaseline(b *testing.B, c *crowd, rooms int, queued bool) *baseline {
	b.Helper()
	base := &baseline{run: room.NewToken(), rooms: rooms, queued: queued}
	for k := range base.processes {
		db, err := sql.Open("pgx", c.postgres.URL())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(16)
		db.SetMaxIdleConns(16)
		client := redis.NewClient(&redis.Options{Addr: c.redis.Addr(), PoolSize: 64})
		b.Cleanup(func() { client.Close() })
		base.processes[k] = &locking{db: db, redis: client, locks: redsync.New(goredis.NewPool(client)), turns: make([]sync.Mutex, rooms)}
	}
	_, err := base.processes[0].db.ExecContext(b.Context(), `
		CREATE TABLE IF NOT EXISTS hall (id text PRIMARY KEY, capacity bigint NOT NULL, taken bigint NOT NULL CHECK (taken <= capacity));
		CREATE TABLE IF NOT EXISTS sitter (hall_id text NOT NULL, user_id text NOT NULL, name text NOT NULL, seat bigint NOT NULL,
			joined_at bigint NOT NULL, PRIMARY KEY (hall_id, user_id), UNIQUE (hall_id, seat));
		CREATE TABLE IF NOT EXISTS hall_log (hall_id text NOT NULL, seat bigint NOT NULL, event text NOT NULL, PRIMARY KEY (hall_id, seat))`)
	if err != nil {
		b.Fatal(err)
	}
	for k := range rooms {
		if _, err := base.processes[0].db.ExecContext(b.Context(), `INSERT INTO hall VALUES ($1, $2, 0)`, base.hall(k), audience); err != nil {
			b.Fatal(err)
		}
	}
	return base
}

func (base *baseline) hall(k int) string { return fmt.Sprint(base.run, "-", k) }

func (base *baseline) fill(b *testing.B, askers int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), baselineTime)
	defer cancel()
	began := time.Now()
	waits, done := all(b, audience, askers, func(i int) error {
		k := i % base.rooms
		l := base.processes[i/base.rooms%2]
		if base.queued {
			l.turns[k].Lock()
			defer l.turns[k].Unlock()
		}
		return errors.Join(l.join(ctx, base.hall(k), fmt.Sprint("student-", i)), ctx.Err())
	})
	reportJoins(b, waits, done, time.Since(began).Seconds())
}

func (l *locking) join(ctx context.Context, hall, user string) error {
	lock := l.locks.NewMutex("lock:"+hall, redsync.WithExpiry(5*time.Second), redsync.WithTries(100_000), redsync.WithRetryDelay(2*time.Millisecond))
	if err := lock.LockContext(ctx); err != nil {
		return err
	}
	defer lock.UnlockContext(context.WithoutCancel(ctx))
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var seat int
	if err := tx.QueryRowContext(ctx, `UPDATE hall SET taken = taken + 1 WHERE id = $1 RETURNING taken`, hall).Scan(&seat); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO sitter VALUES ($1, $2, $3, $4, $5)`, hall, user, user, seat, time.Now().UnixMilli()); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO hall_log VALUES ($1, $2, $3)`, hall, seat, `{"type":"joined","user":"`+user+`"}`); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return l.redis.Publish(ctx, "hall:"+hall, user).Err()
}
