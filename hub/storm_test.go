package hub

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
)

// A countingStore counts what it is asked about rooms.
type countingStore struct {
	room.Store
	mu    sync.Mutex
	asked map[string]int
	away  atomic.Bool // no log is read
}

func (s *countingStore) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[what]++
}

func (s *countingStore) Save(ctx context.Context, step room.Step) error {
	s.count("save")
	return s.Store.Save(ctx, step)
}

func (s *countingStore) Load(ctx context.Context, id room.ID, since time.Time) (*room.Room, []room.Entry, error) {
	s.count("load")
	return s.Store.Load(ctx, id, since)
}

func (s *countingStore) Entries(ctx context.Context, id room.ID, after int64, limit int) ([]room.Entry, error) {
	s.count("entries")
	time.Sleep(5 * time.Millisecond) // so that all ask meanwhile
	if s.away.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Store.Entries(ctx, id, after, limit)
}

func (s *countingStore) Holder(ctx context.Context, claim string) (room.ID, error) {
	s.count("holder")
	time.Sleep(5 * time.Millisecond) // so that all ask meanwhile
	return s.Store.Holder(ctx, claim)
}

// TestReconnectStorm: a room whose people all come to an instance that does
// not know it is read once, whoever they are and whatever they ask.
func TestReconnectStorm(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		const people, watchers = 300, 6
		lee := c.instructor("lee")
		id, code := lee.open(people)
		var version float64
		for n := range people {
			s := c.student(room.UserID(fmt.Sprint("s", n)))
			version = s.expect(message{"type": "join", "code": code}, message{"type": "joined"})["version"].(float64)
		}
		store := &countingStore{Store: c.reg.Store, asked: map[string]int{}}
		c.reg.Store = store
		other := c.beside()
		clear(store.asked)

		var coming sync.WaitGroup
		for n := range people {
			s := other.student(room.UserID(fmt.Sprint("s", n)))
			coming.Go(func() {
				by := message{"type": "join", "room_id": id}
				if n%2 == 0 {
					by = message{"type": "join", "code": code}
				}
				s.expect(by, message{"type": "joined", "already": true})
			})
		}
		for n := range watchers {
			s := other.instructor("lee")
			coming.Go(func() {
				if n%2 == 0 {
					s.expect(message{"type": "watch", "room_id": id}, message{"type": "watching"})
				} else if got := s.expect(message{"type": "watch", "room_id": id, "since": version - 50}, message{"type": "watching"}); got["deltas"] == nil {
					t.Errorf("who was at version %v gets everything", version-50)
				}
			})
		}
		coming.Wait()
		store.mu.Lock()
		defer store.mu.Unlock()
		t.Logf("%d who came back and %d watchers: %v", people, watchers, store.asked)
		if store.asked["load"] != 1 || store.asked["holder"] > 1 || store.asked["entries"] > 1 || store.asked["save"] > people/10 {
			t.Errorf("%d who came back and %d watchers: %v", people, watchers, store.asked)
		}
	})
}

// TestWatchAheadOfTheRoom: a watcher who comes from an instance that is further
// is not thrown back, and hears what has happened since.
func TestWatchAheadOfTheRoom(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		lee := c.instructor("lee")
		id, code := lee.open(10)
		other := c.besideOn(&store.Local{}) // hears nothing of what is saved here
		before := other.instructor("lee")
		before.expect(message{"type": "watch", "room_id": id}, message{"type": "watching", "version": 1})
		var version float64
		for n := range 3 {
			s := c.student(room.UserID(fmt.Sprint("s", n)))
			version = s.expect(message{"type": "join", "code": code}, message{"type": "joined"})["version"].(float64)
		}
		moved := other.instructor("lee")
		got := moved.expect(message{"type": "watch", "room_id": id, "since": version}, message{"type": "watching", "version": int(version)})
		if deltas, _ := got["deltas"].([]any); deltas == nil || len(deltas) > 0 {
			t.Errorf("who was at version %v is told %v", version, got)
		}
		for seen := 0; seen < 3; { // who watched meanwhile is told too
			seen += len(before.until("roster")["joined"].([]any))
		}
		got = moved.expect(message{"type": "watch", "room_id": id, "since": version + 1000}, message{"type": "watching", "version": int(version)})
		if roster, _ := got["roster"].([]any); len(roster) != 3 {
			t.Errorf("who made a version up is told %v", got)
		}
	})
}

// TestWatchersAheadAskTogether: however many watchers come from elsewhere at
// once, and whatever they saw there or made up, the store is asked twice at most,
// and who is ahead is told what the store has. Where it does not answer, nobody
// who knows more is told what is known here.
func TestWatchersAheadAskTogether(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		const watchers, joins = 50, 25
		counted := &countingStore{Store: c.reg.Store, asked: map[string]int{}}
		c.reg.Store = counted
		lee := c.instructor("lee")
		id, code := lee.open(joins)
		other := c.besideOn(&store.Local{}) // hears nothing of what is saved here
		other.instructor("lee").expect(message{"type": "watch", "room_id": id}, message{"version": 1})
		for n := range joins {
			c.student(room.UserID(fmt.Sprint("s", n))).expect(message{"type": "join", "code": code}, message{"type": "joined"})
		}
		version := 1
		if err := c.reg.View(t.Context(), room.ID(id), func(v room.View) { version = int(v.Version) }); err != nil {
			t.Fatal(err)
		}
		other.hub.Limits.SocketsPerPerson = watchers + 1
		var all []*client
		for range watchers {
			all = append(all, other.instructor("lee"))
		}
		for _, away := range []bool{false, true} {
			counted.away.Store(away)
			clear(counted.asked)
			began := time.Now()
			var asking sync.WaitGroup
			for n, s := range all {
				since, want := 2+n, message{"type": "watching", "version": version}
				if away {
					since, want = since+version, message{"type": "error", "code": "unavailable"}
				}
				asking.Go(func() { s.expect(message{"type": "watch", "room_id": id, "since": since}, want) })
			}
			asking.Wait()
			took := time.Since(began)
			t.Logf("%d watchers, the store away %v: %v in %v", watchers, away, counted.asked, took)
			if counted.asked["entries"] > 2 || took > readTakesAtMost+100*time.Millisecond {
				t.Errorf("%d watchers, the store away %v: %v in %v", watchers, away, counted.asked, took)
			}
		}
	})
}

// TestRefusedBrowsersAskNoStore: a browser whose socket was refused finds out
// why without the store, also where a whole hall's are.
func TestRefusedBrowsersAskNoStore(t *testing.T) {
	s := newSchool(t)
	s.archive.setAway(true)
	s.must(http.StatusOK, "HEAD", "/v1/me", "", s.student("s1"))
	s.must(http.StatusUnauthorized, "HEAD", "/v1/me", "", nil)
	s.must(http.StatusServiceUnavailable, "GET", "/v1/me", "", s.student("s1"))
}
