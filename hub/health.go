package hub

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lectern-room/lectern/room"
)

const (
	// storePatience is how long an instance stays ready without its store: a
	// restart of the store must not take every instance out of the balancer.
	storePatience = 30 * time.Second
	// lookEvery spares the store most of what probes ask.
	lookEvery = time.Second
	// lookTakesAtMost is well under the second that Kubernetes gives a probe
	// where nobody says otherwise: one that is late counts as failed, and would
	// take the instance out within the time that its store has.
	lookTakesAtMost = 500 * time.Millisecond
)

// A health knows whether the store answers. It asks when it is asked.
type health struct {
	archive Archive

	mu     sync.Mutex // guards all below; held over the store's answer
	asked  time.Time
	up     bool
	lostAt time.Time // when it ceased to answer; zero: it never has answered
}

// look tells whether the store answers, and whether it does or did so not
// long ago.
func (s *health) look(ctx context.Context) (up, usable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.asked) >= lookEvery {
		was := s.up
		s.asked, s.up = now, s.ask(ctx)
		if was && !s.up {
			s.lostAt = now
		}
	}
	return s.up, s.up || now.Sub(s.lostAt) < storePatience
}

// ask is not cut short by a prober that goes away: others rely on the answer.
func (s *health) ask(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTakesAtMost)
	defer cancel()
	return s.archive.Ping(ctx) == nil
}

type liveness struct {
	Status  string `json:"status" enum:"live"`
	Version string `json:"version" doc:"Of the program."`
}

// A readiness names each part that an instance needs to be of use.
type readiness struct {
	Ready bool  `json:"ready"`
	Parts parts `json:"parts"`
}

type parts struct {
	Store   string `json:"store" enum:"up,away,waiting" doc:"away: it does not answer; for 30 s that alone does not make the instance unready. waiting: it has not answered since the start, or is being made ready."`
	Redis   string `json:"redis" enum:"up,away,none" doc:"away: it does not answer, which makes the instance slower, not unready. none: it is not configured."`
	Sockets string `json:"sockets" enum:"open,draining" doc:"draining: the instance is going away."`
}

func (a *api) live(*call) (int, liveness, error) {
	return http.StatusOK, liveness{Status: "live", Version: a.Version}, nil
}

func (a *api) ready(c *call) (int, readiness, error) {
	status := readiness{Parts: parts{Store: "waiting", Redis: "none", Sockets: "open"}}
	if !a.waiting() {
		var up bool
		up, status.Ready = a.health.look(c.r.Context())
		status.Parts.Store = upOrAway(up)
	}
	if a.RedisUp != nil {
		status.Parts.Redis = upOrAway(a.RedisUp())
	}
	if a.Draining() {
		status.Ready, status.Parts.Sockets = false, "draining"
	}
	if !status.Ready {
		return http.StatusServiceUnavailable, status, nil
	}
	return http.StatusOK, status, nil
}

func upOrAway(up bool) string {
	if up {
		return "up"
	}
	return "away"
}

// waiting tells whether the store has not been ready for use yet.
func (h *Hub) waiting() bool { return h.Started != nil && !h.Started() }

var errWaiting = &room.Refusal{Code: room.CodeUnavailable, Message: "this instance waits for its store: try again", RetryAfter: time.Second}

// started refuses calls and sockets while the store is waited for. Probes and
// the description need none.
func (a *api) started(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.waiting() && strings.HasPrefix(r.URL.Path, "/v1/") {
			a.writeProblem(w, errWaiting)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a *api) addProbes() {
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "healthz", Method: http.MethodGet, Path: "/healthz", Tags: []string{"operation"},
			Summary: "Live", Description: "Answers as long as the process does.",
		},
		Public: true,
	}, a.live)
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "readyz", Method: http.MethodGet, Path: "/readyz", Tags: []string{"operation"},
			Summary: "Ready", Description: "503 until the store has answered, while the instance is going away, or when the store has been gone for 30 s. The body names each part.",
		},
		Also: []int{http.StatusServiceUnavailable}, Public: true,
	}, a.ready)
}
