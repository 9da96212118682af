package main

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
)

// A cluster is instances, each a process of its own, that share their rooms.
type cluster struct {
	*sharing
	t         *testing.T
	folder    string          // of the instances' logs
	rooms     *store.Postgres // where one sees what is true
	instances []*instance     // those that run
}

// newCluster starts so many instances, which end with the test, in order.
func newCluster(t *testing.T, instances int, environ ...string) *cluster {
	t.Helper()
	c := &cluster{sharing: newSharing(t), t: t, folder: t.TempDir()}
	var err error
	if c.rooms, err = store.OpenPostgres(t.Context(), store.PostgresConfig{URL: c.postgres.URL(), Connections: 4}, newLogger(t.Output(), &config{})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ended(t, c.rooms.Close()) })
	t.Cleanup(c.stop)
	for range instances {
		c.add(environ...)
	}
	return c
}

// add starts one more instance.
func (c *cluster) add(environ ...string) *instance {
	c.t.Helper()
	i := c.prepare(environ...)
	i.start()
	c.instances = append(c.instances, i)
	return i
}

// wrongBy is how wrong the clock of a machine is that is wrong.
const wrongBy = 10 * time.Minute

// addWrong is add on a machine whose clock is ahead, or behind.
func (c *cluster) addWrong(by time.Duration) *instance {
	c.t.Helper()
	i := c.prepare()
	i.ahead = by
	i.start()
	c.instances = append(c.instances, i)
	answer, err := http.Get(i.loadTarget.url.String() + "/healthz")
	if err != nil {
		c.t.Fatal(err)
	}
	answer.Body.Close()
	shown, err := http.ParseTime(answer.Header.Get("Date"))
	off := time.Until(shown)
	c.t.Logf("the clock of an instance is %v ahead", off.Round(time.Second))
	if err != nil || clocksCanBeWrong && (off-by).Abs() > patience {
		c.t.Errorf("it was to be %v (%v)", by, err)
	}
	return i
}

// prepare makes one more instance, which is not started.
func (c *cluster) prepare(environ ...string) *instance {
	return &instance{
		t: c.t, folder: c.folder, shared: append(slices.Clip(c.environ), environ...),
		loadTarget: &loadTarget{keys: c.target.keys, http: &http.Client{Timeout: patience}},
	}
}

// lose kills an instance.
func (c *cluster) lose(i *instance) time.Time {
	c.t.Helper()
	c.instances = slices.DeleteFunc(c.instances, func(other *instance) bool { return other == i })
	return i.crash()
}

func (c *cluster) stop() {
	for n, i := range c.instances {
		ended(c.t, i.stop())
		if said, err := os.ReadFile(i.child.log); c.t.Failed() && err == nil {
			c.t.Logf("instance %d said:\n%s", n, said)
		}
	}
}

// watch has a room's instructor watch it on every instance.
func (c *cluster) watch(l *lecture) []*watcher {
	c.t.Helper()
	var watchers []*watcher
	for _, i := range c.instances {
		socket, err := dialSocket(c.t.Context(), i.loadTarget.url, l.passport)
		if err != nil {
			c.t.Fatal(err)
		}
		socket.patient()
		w := newWatcher(socket, l.id)
		var watching sync.WaitGroup
		watching.Go(w.watch)
		c.t.Cleanup(func() {
			socket.conn.Close()
			watching.Wait()
		})
		watchers = append(watchers, w)
	}
	return watchers
}

// truth returns who is in a room, and its version, as Postgres has it.
func (c *cluster) truth(id room.ID) (entries []seatEntry, version int64) {
	c.t.Helper()
	r, _, err := c.rooms.Load(c.t.Context(), id, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, p := range r.Roster() {
		entries = append(entries, seatEntry{
			User: p.User, Name: p.Name, State: p.State, Seat: p.Seat, Place: p.Place, Online: p.Online, Guest: p.Guest, JoinedAt: room.Stamp(p.JoinedAt),
		})
	}
	return entries, r.Version
}

// log returns a room's log, as Postgres has it.
func (c *cluster) log(id room.ID) []room.Entry {
	c.t.Helper()
	entries, err := c.rooms.Entries(c.t.Context(), id, 0, math.MaxInt32)
	if err != nil {
		c.t.Fatal(err)
	}
	return entries
}

// A happening is an event and when its entry was decided.
type happening struct {
	room.Event
	entered time.Time
	version int64
}

// happened returns what a room's log has of what is meant.
func (c *cluster) happened(id room.ID, meant func(room.Event) bool) (found []happening) {
	c.t.Helper()
	for _, e := range c.log(id) {
		for _, event := range e.Events {
			if meant(event) {
				found = append(found, happening{event, e.At, e.Version})
			}
		}
	}
	return found
}

// converge waits until the instances and the watchers have what is true, and
// returns how long that took since a moment.
func (c *cluster) converge(l *lecture, watchers []*watcher, since time.Time) time.Duration {
	c.t.Helper()
	for {
		differs := c.differ(l, watchers)
		took := time.Since(since)
		if differs == "" {
			return took
		}
		if took > convergeTime {
			c.t.Fatalf("after %v: %s", took, differs)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (c *cluster) differ(l *lecture, watchers []*watcher) string {
	c.t.Helper()
	stored, version := c.truth(l.id)
	for n, w := range watchers {
		if differs := w.differs(stored, version); differs != "" {
			return fmt.Sprintf("watcher %d: %s", n, differs)
		}
	}
	for n, i := range c.instances {
		var got struct{ Room struct{ Version int64 } }
		if err := i.call(c.t.Context(), l.passport, http.MethodGet, "/v1/rooms/"+string(l.id), "", &got); err != nil {
			c.t.Fatal(err)
		}
		if got.Room.Version != version {
			return fmt.Sprintf("instance %d is at version %d, the store at %d", n, got.Room.Version, version)
		}
	}
	return ""
}

// metric returns the value of a metric, of one with the given labels or added
// up over all.
func (i *instance) metric(name string) (sum float64) {
	i.t.Helper()
	_, all := fetch(i.t, http.MethodGet, i.child.ops+"/metrics", "", "", nil)
	for line := range strings.Lines(all) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if unlabelled, _, _ := strings.Cut(key, "{"); key != name && unlabelled != name {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			i.t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// sum adds a metric up over all instances.
func (c *cluster) sum(name string) (sum float64) {
	c.t.Helper()
	for _, i := range c.instances {
		sum += i.metric(name)
	}
	return sum
}
