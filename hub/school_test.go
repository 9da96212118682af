package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectern-room/lectern/room"
)

// A school is an instance that is asked over HTTP.
type school struct {
	t       *testing.T
	hub     *Hub
	handler http.Handler
	metrics *prometheus.Registry
	archive *archive
}

// An archive is the store's, until it is away.
type archive struct {
	Archive
	mu   sync.Mutex
	away bool
}

func (a *archive) setAway(away bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = away
}

func (a *archive) err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (a *archive) Ping(context.Context) error { return a.err() }

func (a *archive) Places(ctx context.Context, user room.UserID) ([]room.Place, error) {
	if err := a.err(); err != nil {
		return nil, err
	}
	return a.Archive.Places(ctx, user)
}

func (a *archive) Entries(ctx context.Context, id room.ID, after int64, limit int) ([]room.Entry, error) {
	if err := a.err(); err != nil {
		return nil, err
	}
	return a.Archive.Entries(ctx, id, after, limit)
}

func newSchool(t *testing.T, change ...func(*Config)) *school {
	t.Helper()
	s := &school{t: t, metrics: prometheus.NewRegistry()}
	config, sqlite := newConfig(t, t.TempDir(), s.metrics)
	t.Cleanup(func() { sqlite.Close() })
	s.archive = &archive{Archive: sqlite}
	config.Archive = s.archive
	for _, f := range change {
		f(&config)
	}
	s.hub = New(config)
	config.Registrar.Listener = s.hub
	s.handler = s.hub.Handler()

	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { config.Registrar.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return s
}

// passport returns the header that says who calls.
func (s *school) passport(user room.UserID, role room.Role) http.Header {
	s.t.Helper()
	token, err := s.hub.Keys.Seal(room.Passport{
		Caller: room.Caller{User: user, Name: "Name of " + string(user), Role: role}, ExpiresAt: time.Now().Add(time.Hour),
	}, false)
	if err != nil {
		s.t.Fatal(err)
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}

func (s *school) teacher() http.Header { return s.passport("t1", room.Instructor) }

func (s *school) student(name room.UserID) http.Header { return s.passport(name, room.Student) }

// with returns headers with one more.
func with(h http.Header, name, value string) http.Header {
	h = h.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set(name, value)
	return h
}

// A response is an HTTP answer, its body parsed if it is JSON.
type response struct {
	*http.Response
	text string
	body map[string]any
}

// call sends one request. A body has the right Content-Type unless the headers
// have another.
func (s *school) call(method, path, body string, headers http.Header) response {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(r.Header, headers)
	if host := headers.Get("Host"); host != "" {
		r.Host = host
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	got := response{Response: w.Result(), text: w.Body.String()}
	if strings.Contains(got.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(w.Body.Bytes(), &got.body); err != nil {
			s.t.Fatalf("%s %s: %v in %q", method, path, err, got.text)
		}
	}
	return got
}

// must is call for a request that is answered with a status.
func (s *school) must(status int, method, path, body string, headers http.Header) response {
	s.t.Helper()
	got := s.call(method, path, body, headers)
	if got.StatusCode != status {
		s.t.Fatalf("%s %s %s: %d, want %d: %s", method, path, body, got.StatusCode, status, got.text)
	}
	return got
}

// refused is call for a request that is answered with a problem.
func (s *school) refused(code room.Code, field, method, path, body string, headers http.Header) response {
	s.t.Helper()
	got := s.call(method, path, body, headers)
	want := map[string]any{
		"type": "about:blank", "title": http.StatusText(got.StatusCode), "status": float64(got.StatusCode),
		"code": string(code), "detail": got.body["detail"],
	}
	if field != "" {
		want["field"] = field
	}
	for _, extra := range []string{"room_id", "retry_after_ms"} {
		if v, ok := got.body[extra]; ok {
			want[extra] = v
		}
	}
	if fmt.Sprint(got.body) != fmt.Sprint(want) || got.body["detail"] == "" {
		s.t.Errorf("%s %s %s: %s, want %v", method, path, body, got.text, want)
	}
	if got.StatusCode != statusOf[code] && got.StatusCode != http.StatusMethodNotAllowed {
		s.t.Errorf("%s %s: %d, want %d", method, path, got.StatusCode, statusOf[code])
	}
	if media := got.Header.Get("Content-Type"); media != "application/problem+json" {
		s.t.Errorf("%s %s: Content-Type %q", method, path, media)
	}
	return got
}

// open opens a room of the teacher's and returns its path, its code and its
// passport.
func (s *school) open(body string) (path, code, passport string) {
	s.t.Helper()
	got := s.must(http.StatusCreated, "POST", "/v1/rooms", body, s.teacher()).body
	object := got["room"].(map[string]any)
	return "/v1/rooms/" + object["id"].(string), object["code"].(string), got["room_passport"].(string)
}

// roomOf returns a field of the room object in an answer.
func (r response) room(field string) any { return r.body["room"].(map[string]any)[field] }

// users returns the users of a list.
func (r response) users() []string {
	users := []string{}
	for _, item := range r.body["items"].([]any) {
		users = append(users, item.(map[string]any)["user"].(string))
	}
	return users
}
