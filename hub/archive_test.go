package hub

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectern-room/lectern/room"
)

// A slowArchive takes its time.
type slowArchive struct {
	Archive
	takes time.Duration

	mu        sync.Mutex // guards all below
	now, most int        // how many it answers at once
}

func (s *slowArchive) wait(ctx context.Context) error {
	s.count(1)
	defer s.count(-1)
	select {
	case <-time.After(s.takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slowArchive) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += n
	s.most = max(s.most, s.now)
}

func (s *slowArchive) Rooms(ctx context.Context, by room.UserID, before room.ID, limit int) ([]room.Header, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Archive.Rooms(ctx, by, before, limit)
}

func (s *slowArchive) Places(ctx context.Context, user room.UserID) ([]room.Place, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Archive.Places(ctx, user)
}

func (s *slowArchive) History(ctx context.Context, id room.ID) (*room.History, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Archive.History(ctx, id)
}

func (s *slowArchive) Entries(ctx context.Context, id room.ID, after int64, limit int) ([]room.Entry, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Archive.Entries(ctx, id, after, limit)
}

// inSlowSchool runs a test with a room of a school whose archive takes its
// time, in a bubble.
func inSlowSchool(t *testing.T, takes time.Duration, test func(t *testing.T, s *school, slow *slowArchive, path string)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		config, sqlite := newConfig(t, folder, prometheus.NewRegistry())
		t.Cleanup(func() { sqlite.Close() })
		slow := &slowArchive{Archive: sqlite, takes: takes}
		config.Archive = slow
		c := begin(t, config)
		s := &school{t: t, hub: c.hub, handler: c.hub.Handler()}
		path, _, _ := s.open(`{"title":"Algebra","capacity":9}`)
		test(t, s, slow, path)
	})
}

// TestArchiveHangs: who asks a store that says nothing hears so in time.
func TestArchiveHangs(t *testing.T) {
	inSlowSchool(t, time.Hour, func(t *testing.T, s *school, _ *slowArchive, path string) {
		const promised = 2500 * time.Millisecond
		for path, most := range map[string]time.Duration{
			"/v1/me": promised, "/v1/rooms": promised, path + "/log": promised, path + "/attendance": requestTakesAtMost,
		} {
			began := time.Now()
			s.refused("unavailable", "", "GET", path, "", s.teacher())
			if took := time.Since(began); took > most {
				t.Errorf("GET %s: told after %v, want %v at most", path, took, most)
			}
		}
	})
}

// TestDearReadsTakeTurns: however many ask for records and logs, the store
// reads few of them at once, and those whose turn does not come are told to
// try again.
func TestDearReadsTakeTurns(t *testing.T) {
	inSlowSchool(t, 100*time.Millisecond, func(t *testing.T, s *school, slow *slowArchive, path string) {
		const people = 200
		var asking sync.WaitGroup
		var answered, refused atomic.Int32
		for n := range people {
			asking.Go(func() {
				time.Sleep(time.Duration(n)) // one after the other
				switch got := s.call("GET", path+[]string{"/attendance", "/log"}[n%2], "", s.teacher()); {
				case got.StatusCode == http.StatusOK:
					answered.Add(1)
				case got.body["code"] == "unavailable" && got.body["retry_after_ms"] == 1000.0 && got.Header.Get("Retry-After") == "1":
					refused.Add(1)
				default:
					t.Errorf("%d %s", got.StatusCode, got.text)
				}
			})
		}
		asking.Wait()
		if slow.most != dearReads || refused.Load() == 0 || answered.Load() < dearReads*20 {
			t.Errorf("%d answered, %d refused, %d at once", answered.Load(), refused.Load(), slow.most)
		}
		s.must(http.StatusOK, "GET", path+"/attendance", "", s.teacher())
	})
}
