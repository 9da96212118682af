package hub

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestHealthz(t *testing.T) {
	s := newSchool(t)
	s.archive.setAway(true) // which is no reason to be restarted
	if got := s.must(http.StatusOK, "GET", "/healthz", "", nil); got.text != `{"status":"live","version":"1.2.3"}`+"\n" {
		t.Errorf("live: %s", got.text)
	}
}

func TestReadyz(t *testing.T) {
	s := newSchool(t)
	if got := s.must(http.StatusOK, "GET", "/readyz", "", nil); got.text != `{"ready":true,"parts":{"store":"up","redis":"none","sockets":"open"}}`+"\n" {
		t.Errorf("ready: %s", got.text)
	}
	s.hub.mu.Lock()
	s.hub.draining = true
	s.hub.mu.Unlock()
	if got := s.must(http.StatusServiceUnavailable, "GET", "/readyz", "", nil); got.text != `{"ready":false,"parts":{"store":"up","redis":"none","sockets":"draining"}}`+"\n" {
		t.Errorf("draining: %s", got.text)
	}
	s.must(http.StatusOK, "GET", "/healthz", "", nil) // who leaves in order is not to be killed
}

// Redis is told of, and asked for nothing.
func TestReadyWithoutRedis(t *testing.T) {
	s := newSchool(t)
	for up, want := range map[bool]string{true: "up", false: "away"} {
		s.hub.RedisUp = func() bool { return up }
		if got := s.must(http.StatusOK, "GET", "/readyz", "", nil); got.text != `{"ready":true,"parts":{"store":"up","redis":"`+want+`","sockets":"open"}}`+"\n" {
			t.Errorf("Redis is %s: %s", want, got.text)
		}
	}
}

func TestWaitingForTheStore(t *testing.T) {
	s := newSchool(t)
	started := false
	s.hub.Started = func() bool { return started }
	if got := s.must(http.StatusServiceUnavailable, "GET", "/readyz", "", nil); got.text != `{"ready":false,"parts":{"store":"waiting","redis":"none","sockets":"open"}}`+"\n" {
		t.Errorf("waiting: %s", got.text)
	}
	for _, path := range []string{"/v1/me", "/v1/rooms", "/v1/socket", "/v1/made/up"} {
		if got := s.refused("unavailable", "", "GET", path, "", s.teacher()); got.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: Retry-After %q", path, got.Header.Get("Retry-After"))
		}
	}
	s.must(http.StatusOK, "GET", "/healthz", "", nil)
	s.must(http.StatusOK, "GET", "/openapi.json", "", nil)
	if up := samples(t, s.metrics)["store_up{}"]; up != 0 {
		t.Errorf("store_up is %v", up)
	}
	started = true
	s.must(http.StatusOK, "GET", "/readyz", "", nil)
	s.must(http.StatusOK, "GET", "/v1/me", "", s.teacher())
}

func TestReadyUntilTheStoreHasBeenGoneForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &archive{away: true}
		h := &health{archive: store}
		look := func(what string, up, usable bool) {
			t.Helper()
			if gotUp, gotUsable := h.look(t.Context()); gotUp != up || gotUsable != usable {
				t.Errorf("%s: up %v, usable %v, want %v, %v", what, gotUp, gotUsable, up, usable)
			}
		}
		look("not there yet", false, false)
		store.setAway(false)
		look("within the same second", false, false)
		time.Sleep(time.Second)
		look("there", true, true)
		time.Sleep(time.Hour)
		store.setAway(true)
		look("away after an hour without a probe", false, true)
		time.Sleep(30*time.Second - time.Millisecond)
		look("away for just under 30 s", false, true)
		time.Sleep(time.Millisecond)
		look("away for 30 s", false, false)
		store.setAway(false)
		time.Sleep(time.Second)
		look("back", true, true)
	})
}

// A frozen archive takes all the time that it is given.
type frozen struct{ Archive }

func (frozen) Ping(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestProbesAreAnsweredInTime: Kubernetes gives a probe a second. One that a
// frozen store held up would fail, and take the instance out at once.
func TestProbesAreAnsweredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &health{archive: frozen{}, up: true}
		began := time.Now()
		for range 4 { // liveness and readiness of a balancer and of Kubernetes, one waiting for the other
			if up, usable := h.look(t.Context()); up || !usable || time.Since(began) > 900*time.Millisecond {
				t.Errorf("after %s: up %v, usable %v", time.Since(began), up, usable)
			}
		}
	})
}
