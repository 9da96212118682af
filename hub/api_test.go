package hub

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
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

func newSchool(t *testing.T, change ...func(*Config)) *school {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sqlite, err := store.OpenSQLite(t.Context(), t.TempDir(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sqlite.Close() })
	if err := sqlite.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, err := room.NewKeyring(room.KeyConfig{Signing: []room.Key{room.NewKey("test")}})
	if err != nil {
		t.Fatal(err)
	}
	allow, err := NewAllowlist(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	local := &store.Local{}
	s := &school{t: t, metrics: prometheus.NewRegistry(), archive: &archive{Archive: sqlite}}
	metrics := NewMetrics(s.metrics)
	registrar := &room.Registrar{
		Store: sqlite, Queue: local, Locker: local, Bus: local, Log: log, Metrics: metrics.Registrar(),
		Instance: "test", RoomsPerInstructor: 1,
	}
	config := Config{
		Registrar: registrar, Archive: s.archive, Keys: keys, Allow: allow, Guests: true, Log: log, Version: "1.2.3", Metrics: metrics,
		Limits: Limits{SocketsPerPerson: 8, Guesses: Guesses{Person: 5, Address: 300}},
	}
	for _, f := range change {
		f(&config)
	}
	s.hub = New(config)
	registrar.Listener = s.hub
	s.handler = s.hub.Handler()

	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { registrar.Run(ctx) })
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

func TestOpenRoom(t *testing.T) {
	s := newSchool(t)
	const body = `{"title":"Algebra","capacity":2,"options":{"locked":true},"unknown":1}`

	got := s.must(http.StatusCreated, "POST", "/v1/rooms", body, with(s.teacher(), "Idempotency-Key", "k1"))
	if got.room("title") != "Algebra" || got.room("capacity") != 2.0 || got.room("status") != "open" ||
		got.room("version") != 1.0 || len(got.room("code").(string)) != 8 ||
		got.room("options").(map[string]any)["locked"] != true || got.body["room_passport"] == "" {
		t.Errorf("opened: %s", got.text)
	}
	if location := got.Header.Get("Location"); location != "/v1/rooms/"+got.room("id").(string) {
		t.Errorf("Location: %q", location)
	}
	again := s.must(http.StatusOK, "POST", "/v1/rooms", body, with(s.teacher(), "Idempotency-Key", "k1"))
	if again.room("id") != got.room("id") {
		t.Errorf("the same key: %s", again.text)
	}
	s.must(http.StatusOK, "POST", "/v1/rooms", `{"title":"Algebra","capacity":2,"key":"k1"}`, s.teacher())

	second := s.refused("already_open", "", "POST", "/v1/rooms", body, s.teacher())
	if second.body["room_id"] != got.room("id") {
		t.Errorf("already open: %s", second.text)
	}
	s.refused("forbidden", "role", "POST", "/v1/rooms", body, s.student("s1"))

	for name, bad := range map[string]struct{ body, field string }{
		"no title":         {`{"capacity":2}`, "title"},
		"a title's type":   {`{"title":1,"capacity":2}`, "title"},
		"an empty title":   {`{"title":"","capacity":2}`, "title"},
		"no capacity":      {`{"title":"A"}`, "capacity"},
		"too many seats":   {`{"title":"A","capacity":100001}`, "capacity"},
		"half a seat":      {`{"title":"A","capacity":1.5}`, "capacity"},
		"options' type":    {`{"title":"A","capacity":1,"options":[]}`, "options"},
		"unknown option":   {`{"title":"A","capacity":1,"options":{"colour":"red"}}`, "colour"},
		"option not built": {`{"title":"A","capacity":1,"options":{"waitlist":true}}`, "waitlist"},
		"a long key":       {`{"title":"A","capacity":1,"key":"` + strings.Repeat("k", 65) + `"}`, "key"},
		"an array":         {`[]`, ""},
		"no JSON":          {`{`, ""},
		"two objects":      {`{}{}`, ""},
		"no UTF-8":         {"{\"title\":\"\xff\",\"capacity\":1}", ""},
		"too long":         {`{"title":"` + strings.Repeat("a", 32<<10) + `"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.refused("bad_request", bad.field, "POST", "/v1/rooms", bad.body, s.teacher())
		})
	}
}

func TestBodiesAreJSON(t *testing.T) {
	s := newSchool(t)
	const body = `{"title":"Algebra","capacity":2}`
	for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ";", ""} {
		s.refused("bad_request", "Content-Type", "POST", "/v1/rooms", body, with(s.teacher(), "Content-Type", media))
		s.refused("bad_request", "Content-Type", "POST", "/v1/rooms/01/close", body, with(s.teacher(), "Content-Type", media))
		s.refused("bad_request", "Content-Type", "POST", "/v1/guest", `{"name":"Kim"}`, http.Header{"Content-Type": {media}})
	}
	s.refused("bad_request", "Content-Type", "POST", "/v1/rooms", "", s.teacher())
	s.must(http.StatusCreated, "POST", "/v1/rooms", body, with(s.teacher(), "Content-Type", "application/json; charset=utf-8"))
}

// A client that never sends the body it has announced is not waited for.
func TestBodyTakesTooLong(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		c.pipes.conns <- theirs
		began := time.Now()
		go fmt.Fprint(ours, "POST /v1/guest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"name\":")
		got, err := http.ReadResponse(bufio.NewReader(ours), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); got.StatusCode != http.StatusBadRequest || took != bodyTakesAtMost {
			t.Errorf("%d after %v", got.StatusCode, took)
		}
	})
}

func TestGetRoom(t *testing.T) {
	s := newSchool(t)
	path, code, invitation := s.open(`{"title":"Algebra","capacity":2}`)
	s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student("s1"))

	got := s.must(http.StatusOK, "GET", path, "", s.teacher())
	if got.room("code") != code || got.body["room_passport"] != invitation {
		t.Errorf("for the instructor: %s", got.text)
	}
	got = s.must(http.StatusOK, "GET", path, "", s.student("s1"))
	if got.room("code") != code || got.body["room_passport"] != nil {
		t.Errorf("for the seated: %s", got.text)
	}
	invited := with(s.student("s2"), "X-Room-ID", invitation)
	got = s.must(http.StatusOK, "GET", path, "", invited)
	if got.room("code") != nil || got.body["room_passport"] != nil {
		t.Errorf("for the invited: %s", got.text)
	}
	s.refused("not_found", "", "GET", path, "", s.student("s2"))
	s.refused("not_found", "", "GET", path, "", s.passport("t2", room.Instructor))
	s.refused("not_found", "", "GET", path, "", s.student("t1")) // the same user, in another role
	s.refused("not_found", "", "GET", "/v1/rooms/"+string(room.NewID(time.Now())), "", s.teacher())
	s.refused("not_found", "", "GET", "/v1/rooms/x", "", s.teacher())
	s.refused("unauthorized", "", "GET", path, "", with(s.student("s2"), "X-Room-ID", "x"))

	s.must(http.StatusOK, "PATCH", path, `{"new_code":true}`, s.teacher())
	s.refused("not_found", "", "GET", path, "", invited)
}

func TestLeadRoom(t *testing.T) {
	s := newSchool(t)
	path, code, invitation := s.open(`{"title":"Algebra","capacity":2}`)
	for _, name := range []room.UserID{"s1", "s2"} {
		s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student(name))
	}

	got := s.must(http.StatusOK, "PATCH", path, `{"title":"Analysis","options":{"roster":"everyone"},"room_id":"x","type":"close"}`, s.teacher())
	if got.room("title") != "Analysis" || got.room("capacity") != 2.0 || got.room("code") != code || got.body["room_passport"] != nil {
		t.Errorf("updated: %s", got.text)
	}
	got = s.must(http.StatusOK, "PATCH", path, `{"new_code":true}`, s.teacher())
	if got.room("code") == code || got.body["room_passport"] == invitation || got.body["room_passport"] == nil {
		t.Errorf("with a new code: %s", got.text)
	}
	conflict := s.refused("conflict", "capacity", "PATCH", path, `{"capacity":1}`, s.teacher())
	if !strings.HasSuffix(path, conflict.body["room_id"].(string)) {
		t.Errorf("conflict: %s", conflict.text)
	}
	s.refused("bad_request", "capacity", "PATCH", path, `{"capacity":0}`, s.teacher())
	s.must(http.StatusOK, "PATCH", path, `{}`, s.teacher())
	s.must(http.StatusOK, "POST", path+"/start", "", s.teacher())
	for _, stranger := range []http.Header{s.student("s1"), s.passport("t2", room.Instructor)} {
		for call, method := range map[string]string{"": "PATCH", "/start": "POST", "/close": "POST"} {
			if got := s.call(method, path+call, `{}`, stranger); got.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s by a stranger: %s", method, call, got.text)
			}
		}
	}

	for range 2 {
		got = s.must(http.StatusOK, "POST", path+"/close", "", s.teacher())
		if got.room("status") != "closed" || got.room("closed_at") == nil || got.body["room_passport"] != nil {
			t.Errorf("closed: %s", got.text)
		}
	}
	s.refused("room_closed", "", "PATCH", path, `{"title":"B"}`, s.teacher())
	s.refused("room_closed", "", "POST", path+"/start", "", s.teacher())
	s.refused("not_found", "", "POST", "/v1/rooms/"+string(room.NewID(time.Now()))+"/close", "", s.teacher())
	if got := s.must(http.StatusOK, "GET", path, "", s.student("s1")); got.room("status") != "closed" {
		t.Errorf("a member of a closed room: %s", got.text)
	}
}

func TestListRooms(t *testing.T) {
	s := newSchool(t, func(c *Config) { c.Registrar.RoomsPerInstructor = 3 })
	var ids []string
	for range 3 {
		path, _, _ := s.open(`{"title":"Algebra","capacity":2}`)
		ids = append(ids, strings.TrimPrefix(path, "/v1/rooms/"))
	}
	slices.Reverse(ids)

	var listed []string
	pages := 0
	for cursor := ""; ; pages++ {
		got := s.must(http.StatusOK, "GET", "/v1/rooms?limit=2&cursor="+cursor, "", s.teacher())
		for _, item := range got.body["items"].([]any) {
			listed = append(listed, item.(map[string]any)["id"].(string))
		}
		next, more := got.body["next_cursor"].(string)
		if !more {
			break
		}
		cursor = next
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	if !slices.Equal(listed, ids) || pages != 1 {
		t.Errorf("listed %v on %d pages more than one, want %v on 1", listed, pages, ids)
	}
	for _, stranger := range []http.Header{s.passport("t2", room.Instructor), s.student("t1")} {
		if got := s.must(http.StatusOK, "GET", "/v1/rooms", "", stranger); got.text != `{"items":[],"next_cursor":null}`+"\n" {
			t.Errorf("a stranger's rooms: %s", got.text)
		}
	}
	for _, bad := range []string{"limit=0", "limit=501", "limit=", "limit=x", "limit=1.5"} {
		s.refused("bad_request", "limit", "GET", "/v1/rooms?"+bad, "", s.teacher())
	}
	for _, bad := range []string{"cursor=!", "cursor=eA"} {
		s.refused("bad_request", "cursor", "GET", "/v1/rooms?"+bad, "", s.teacher())
	}
	s.must(http.StatusOK, "GET", "/v1/rooms?limit=500", "", s.teacher())
}

func TestAttend(t *testing.T) {
	s := newSchool(t)
	path, code, invitation := s.open(`{"title":"Algebra","capacity":2}`)
	id := strings.TrimPrefix(path, "/v1/rooms/")
	byCode := `{"code":"` + strings.ToLower(code[:4]+"-"+code[4:]) + `"}`
	byRoom := `{"room_id":"` + id + `"}`

	got := s.must(http.StatusCreated, "POST", "/v1/attend", byCode, s.student("s1"))
	if got.body["seat"] != 1.0 || got.body["state"] != "seated" || got.body["already"] != false || got.body["version"] != 2.0 || got.room("code") != code {
		t.Errorf("seated: %s", got.text)
	}
	for _, again := range []string{byCode, byRoom} {
		got = s.must(http.StatusOK, "POST", "/v1/attend", again, s.student("s1"))
		if got.body["seat"] != 1.0 || got.body["already"] != true {
			t.Errorf("again with %s: %s", again, got.text)
		}
	}
	s.refused("not_found", "", "POST", "/v1/attend", byRoom, s.student("s2"))
	got = s.must(http.StatusCreated, "POST", "/v1/attend", byRoom, with(s.student("s2"), "X-Room-ID", invitation))
	if got.body["seat"] != 2.0 {
		t.Errorf("with an invitation: %s", got.text)
	}
	full := s.refused("room_full", "", "POST", "/v1/attend", byCode, s.student("s3"))
	if full.body["room_id"] != id {
		t.Errorf("full: %s", full.text)
	}
	s.refused("forbidden", "role", "POST", "/v1/attend", byCode, s.teacher())
	s.refused("bad_request", "code", "POST", "/v1/attend", `{}`, s.student("s3"))
	s.refused("bad_request", "code", "POST", "/v1/attend", `{"code":"abc"}`, s.student("s3"))

	s.must(http.StatusOK, "PATCH", path, `{"capacity":3,"options":{"locked":true}}`, s.teacher())
	s.refused("room_locked", "", "POST", "/v1/attend", byCode, s.student("s3"))
	s.must(http.StatusOK, "PATCH", path, `{"options":{"locked":false,"guests":false}}`, s.teacher())
	s.refused("forbidden", "guests", "POST", "/v1/attend", byCode, s.student("guest:1"))
	s.must(http.StatusOK, "DELETE", path+"/members/s2?ban=true", "", s.teacher())
	s.refused("banned", "", "POST", "/v1/attend", byCode, s.student("s2"))
	s.must(http.StatusOK, "POST", path+"/close", "", s.teacher())
	s.refused("not_found", "", "POST", "/v1/attend", byCode, s.student("s3"))
	s.refused("room_closed", "", "POST", "/v1/attend", byRoom, s.student("s1"))
}

func TestAttendGuessing(t *testing.T) {
	s := newSchool(t)
	_, code, _ := s.open(`{"title":"Algebra","capacity":2}`)
	for range 5 {
		s.refused("not_found", "", "POST", "/v1/attend", `{"code":"00000000"}`, s.student("s1"))
	}
	limited := s.refused("rate_limited", "", "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student("s1"))
	if ms := limited.body["retry_after_ms"].(float64); ms <= 11_000 || ms > 12_000 || limited.Header.Get("Retry-After") != "12" {
		t.Errorf("past the limit: Retry-After %s: %s", limited.Header.Get("Retry-After"), limited.text)
	}
	s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student("s2"))
}

func TestMembers(t *testing.T) {
	s := newSchool(t)
	path, code, _ := s.open(`{"title":"Algebra","capacity":9}`)
	join := func(name room.UserID) {
		t.Helper()
		s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student(name))
	}
	for _, name := range []room.UserID{"s1", "s2", "s3", "a/b c?", "김 민수"} {
		join(name)
	}

	got := s.must(http.StatusOK, "GET", path+"/roster?limit=2", "", s.teacher())
	next, more := got.body["next_cursor"].(string)
	if !slices.Equal(got.users(), []string{"s1", "s2"}) || got.body["version"] != 6.0 || !more {
		t.Errorf("first page: %s", got.text)
	}
	want := `{"guest":false,"joined_at":"X","name":"Name of s1","online":false,"place":null,"seat":1,"state":"seated","user":"s1"}`
	entry := got.body["items"].([]any)[0].(map[string]any)
	entry["joined_at"] = "X"
	if text, _ := json.Marshal(entry); string(text) != want {
		t.Errorf("an entry: %s, want %s", text, want)
	}
	s.must(http.StatusOK, "DELETE", path+"/members/s2", "", s.teacher())
	got = s.must(http.StatusOK, "GET", path+"/roster?cursor="+next, "", s.teacher())
	if !slices.Equal(got.users(), []string{"s3", "a/b c?", "김 민수"}) || got.body["next_cursor"] != nil || got.body["version"] != 7.0 {
		t.Errorf("second page: %s", got.text)
	}
	s.refused("not_found", "", "GET", path+"/roster", "", s.student("s1"))
	s.refused("not_found", "", "GET", path+"/bans", "", s.student("s1"))
	s.must(http.StatusOK, "PATCH", path, `{"options":{"roster":"everyone"}}`, s.teacher())
	s.must(http.StatusOK, "GET", path+"/roster", "", s.student("s1"))
	s.refused("not_found", "", "GET", path+"/roster", "", s.student("s2"))
	s.refused("not_found", "", "GET", path+"/roster", "", s.passport("t2", room.Instructor))

	s.refused("forbidden", "role", "DELETE", path+"/members/s1", "", s.student("s3"))
	s.refused("forbidden", "", "DELETE", path+"/members/s1", "", s.passport("t2", room.Instructor))
	s.refused("bad_request", "ban", "DELETE", path+"/members/s1?ban=yes", "", s.teacher())
	s.refused("bad_request", "user", "DELETE", path+"/members/"+strings.Repeat("x", 129), "", s.teacher())
	got = s.must(http.StatusOK, "DELETE", path+"/members/a%2Fb%20c%3F", "", s.teacher())
	if got.body["room_id"] != strings.TrimPrefix(path, "/v1/rooms/") || got.body["version"].(float64) <= 7 || len(got.body) != 2 {
		t.Errorf("removed: %s", got.text)
	}
	for range 2 {
		s.must(http.StatusOK, "DELETE", path+"/members/%EA%B9%80%20%EB%AF%BC%EC%88%98", "", s.student("김 민수"))
	}
	got = s.must(http.StatusOK, "GET", path+"/roster", "", s.teacher())
	if !slices.Equal(got.users(), []string{"s1", "s3"}) {
		t.Errorf("after one was removed and one left: %s", got.text)
	}

	s.must(http.StatusOK, "DELETE", path+"/members/s1?ban=true", "", s.teacher())
	s.must(http.StatusOK, "DELETE", path+"/members/nobody?ban=true", "", s.teacher())
	got = s.must(http.StatusOK, "GET", path+"/bans?limit=1", "", s.teacher())
	if ban := got.body["items"].([]any)[0].(map[string]any); ban["user"] != "s1" || ban["name"] != "Name of s1" || ban["at"] == nil || len(ban) != 3 {
		t.Errorf("a ban: %s", got.text)
	}
	got = s.must(http.StatusOK, "GET", path+"/bans?cursor="+got.body["next_cursor"].(string), "", s.teacher())
	if !slices.Equal(got.users(), []string{"nobody"}) || got.body["next_cursor"] != nil {
		t.Errorf("the second page of bans: %s", got.text)
	}
	for range 2 {
		s.must(http.StatusOK, "DELETE", path+"/bans/s1", "", s.teacher())
	}
	s.refused("forbidden", "role", "DELETE", path+"/bans/nobody", "", s.student("nobody"))
	if got := s.must(http.StatusOK, "GET", path+"/bans", "", s.teacher()); !slices.Equal(got.users(), []string{"nobody"}) {
		t.Errorf("after lifting: %s", got.text)
	}
	join("s1")
	s.must(http.StatusOK, "POST", path+"/close", "", s.teacher())
	s.refused("room_closed", "", "DELETE", path+"/members/s1", "", s.teacher())
	s.must(http.StatusOK, "GET", path+"/roster", "", s.teacher())
}

func TestMe(t *testing.T) {
	s := newSchool(t)
	path, code, _ := s.open(`{"title":"Algebra","capacity":2}`)
	s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student("s1"))

	got := s.must(http.StatusOK, "GET", "/v1/me", "", s.student("s1"))
	places, _ := json.Marshal(got.body["places"])
	want := `[{"position":null,"room_id":"` + strings.TrimPrefix(path, "/v1/rooms/") + `","seat":1,"state":"seated"}]`
	if got.body["user"] != "s1" || got.body["name"] != "Name of s1" || got.body["role"] != "student" || string(places) != want {
		t.Errorf("a student: %s", got.text)
	}
	for _, field := range []string{"now", "expires_at"} {
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", got.body[field].(string)); err != nil {
			t.Error(err)
		}
	}
	if got = s.must(http.StatusOK, "GET", "/v1/me", "", s.teacher()); fmt.Sprint(got.body["places"]) != "[]" {
		t.Errorf("an instructor: %s", got.text)
	}
	s.archive.setAway(true)
	if got := s.refused("unavailable", "", "GET", "/v1/me", "", s.teacher()); got.Header.Get("Retry-After") != "1" {
		t.Errorf("while the store is away: %v", got.Header)
	}
}

func TestUnauthorized(t *testing.T) {
	s := newSchool(t)
	other := newSchool(t)
	expired, err := s.hub.Keys.Seal(room.Passport{
		Caller: room.Caller{User: "s1", Name: "s1", Role: room.Student}, ExpiresAt: time.Now().Add(-time.Second),
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, headers := range []http.Header{
		nil, {"Authorization": {"Bearer x"}}, {"Authorization": {"Bearer " + expired}}, {"X-User-Id": {""}}, {"Authorization": {"Basic x"}}, other.teacher(),
	} {
		for _, call := range []string{"GET /v1/me", "GET /v1/rooms", "GET /v1/rooms/x", "POST /v1/rooms/x/close", "DELETE /v1/rooms/x/members/y", "GET /v1/socket"} {
			method, path, _ := strings.Cut(call, " ")
			got := s.refused("unauthorized", "", method, path, "", headers)
			if got.Header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
			bodies = append(bodies, got.text)
		}
	}
	slices.Sort(bodies)
	if bodies = slices.Compact(bodies); len(bodies) != 1 {
		t.Errorf("answers that tell what was wrong: %v", bodies)
	}
	twice := s.teacher()
	twice["Authorization"] = append(twice["Authorization"], twice["Authorization"][0])
	s.refused("bad_request", "passport", "GET", "/v1/me", "", twice)
	if got := s.must(http.StatusOK, "GET", "/v1/me", "", http.Header{"X-User-Id": {s.teacher().Get("Authorization")[len("Bearer "):]}}); got.body["user"] != "t1" {
		t.Errorf("by a gateway: %s", got.text)
	}
}

func TestHostAndOriginComeFirst(t *testing.T) {
	s := newSchool(t)
	s.must(http.StatusOK, "GET", "/v1/me", "", with(s.teacher(), "Origin", "http://localhost:8080"))
	for _, call := range []string{"GET /v1/me", "POST /v1/guest", "GET /v1/socket", "GET /openapi.json", "GET /nowhere"} {
		method, path, _ := strings.Cut(call, " ")
		s.refused("forbidden", "origin", method, path, "", with(s.teacher(), "Origin", "https://evil.example"))
		s.refused("forbidden", "origin", method, path, "", with(nil, "Origin", "null"))
		s.refused("forbidden", "host", method, path, "", with(s.teacher(), "Host", "evil.example"))
	}
	for _, probe := range []string{"/healthz", "/readyz"} {
		s.must(http.StatusOK, "GET", probe, "", http.Header{"Host": {"10.0.0.7:8080"}, "Origin": {"null"}})
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := newSchool(t)
	for _, path := range []string{"/v1/me", "/v1/rooms", "/v1/nothing", "/openapi.json", "/healthz"} {
		h := s.call("GET", path, "", s.teacher()).Header
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestNoSuchCall(t *testing.T) {
	s := newSchool(t)
	for _, path := range []string{"/v1/nothing", "/v1/rooms/", "/v1/rooms/x/y", "/v1/", "/v1//nothing", "/"} {
		got := s.refused("not_found", "", "GET", path, "", s.teacher())
		if got.Header.Get("Location") != "" || got.Header.Get("Allow") != "" {
			t.Errorf("%s: %v", path, got.Header)
		}
	}
	for call, allowed := range map[string]string{
		"PUT /v1/rooms": "GET, HEAD, POST", "DELETE /v1/me": "GET, HEAD", "GET /v1/attend": "POST", "OPTIONS /v1/guest": "POST", "POST /v1/rooms/x": "GET, HEAD, PATCH",
	} {
		method, path, _ := strings.Cut(call, " ")
		got := s.refused("bad_request", "method", method, path, "", s.teacher())
		if got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != allowed {
			t.Errorf("%s: %d, Allow %q, want %q", call, got.StatusCode, got.Header.Get("Allow"), allowed)
		}
	}
	if got := s.must(http.StatusOK, "HEAD", "/v1/me", "", s.teacher()); got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("HEAD: %v", got.Header)
	}
}

func TestGuestSignIn(t *testing.T) {
	s := newSchool(t)
	origin := http.Header{"Origin": {"http://127.0.0.1:8080"}}
	got := s.must(http.StatusOK, "POST", "/v1/guest", `{"name":"김민수"}`, origin)
	cookies := got.Cookies()
	if len(cookies) != 1 || cookies[0].Name != "lectern_passport" || cookies[0].Path != "/" || cookies[0].MaxAge != 12*3600 ||
		!cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Secure || cookies[0].Domain != "" {
		t.Fatalf("cookies: %v", got.Header["Set-Cookie"])
	}
	user := got.body["user"].(string)
	if len(user) != len("guest:")+32 || !strings.HasPrefix(user, "guest:") || got.body["name"] != "김민수" || len(got.body) != 3 {
		t.Errorf("signed in: %s", got.text)
	}
	expires, err := time.Parse(time.RFC3339, got.body["expires_at"].(string))
	if in := time.Until(expires); err != nil || in > 12*time.Hour || in < 12*time.Hour-time.Minute {
		t.Errorf("expires in %v, %v", in, err)
	}

	cookie := with(origin, "Cookie", "lectern_passport="+cookies[0].Value)
	me := s.must(http.StatusOK, "GET", "/v1/me", "", cookie)
	if me.body["user"] != user || me.body["name"] != "김민수" || me.body["role"] != "student" {
		t.Errorf("me: %s", me.text)
	}
	again := s.must(http.StatusOK, "POST", "/v1/guest", `{"name":"Kim"}`, cookie)
	if again.body["user"] != user || again.body["name"] != "Kim" {
		t.Errorf("renamed: %s", again.text)
	}
	for name, stranger := range map[string]http.Header{
		"without a cookie": origin,
		"a bad cookie":     with(origin, "Cookie", "lectern_passport=x"),
		"an empty cookie":  with(origin, "Cookie", "lectern_passport="),
		"no Origin":        {"Cookie": cookie["Cookie"]},
		"a student's":      with(origin, "Cookie", "lectern_passport="+s.student("s1").Get("Authorization")[len("Bearer "):]),
	} {
		if got := s.must(http.StatusOK, "POST", "/v1/guest", `{"name":"Kim"}`, stranger); got.body["user"] == user || !strings.HasPrefix(got.body["user"].(string), "guest:") {
			t.Errorf("%s: %s", name, got.text)
		}
	}
	s.refused("bad_request", "passport", "POST", "/v1/guest", `{"name":"Kim"}`, with(origin, "Cookie", "lectern_passport=x; lectern_passport=y"))
	for _, bad := range []string{`{}`, `{"name":""}`, `{"name":"` + strings.Repeat("a", 81) + `"}`, `{"name":"a\u0000"}`, `{"name":"a\u202eb"}`, `{"name":1}`} {
		s.refused("bad_request", "name", "POST", "/v1/guest", bad, origin)
	}

	// A page of another site cannot act as the guest.
	for name, headers := range map[string]http.Header{
		"a form's post":         {"Cookie": cookie["Cookie"], "Origin": {"https://evil.example"}},
		"a sandboxed page":      {"Cookie": cookie["Cookie"], "Origin": {"null"}},
		"without Origin":        {"Cookie": cookie["Cookie"]},
		"same-origin is no GET": {"Cookie": cookie["Cookie"], "Sec-Fetch-Site": {"same-origin"}},
	} {
		got := s.call("POST", "/v1/attend", `{"code":"00000000"}`, headers)
		if got.StatusCode != http.StatusForbidden && got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %s", name, got.text)
		}
	}
	s.refused("not_found", "", "POST", "/v1/attend", `{"code":"00000000"}`, cookie)
	s.must(http.StatusOK, "GET", "/v1/me", "", http.Header{"Cookie": cookie["Cookie"], "Sec-Fetch-Site": {"same-origin"}})
	s.refused("unauthorized", "", "GET", "/v1/me", "", http.Header{"Cookie": cookie["Cookie"], "Sec-Fetch-Site": {"cross-site"}})
}

func TestGuestCookieUnderHTTPS(t *testing.T) {
	s := newSchool(t, func(c *Config) {
		c.Proxies = Proxies{netip.MustParsePrefix("192.0.2.0/24")} // httptest's clients
	})
	got := s.must(http.StatusOK, "POST", "/v1/guest", `{"name":"Kim"}`, http.Header{"X-Forwarded-Proto": {"https"}})
	if cookies := got.Cookies(); len(cookies) != 1 || !cookies[0].Secure {
		t.Errorf("cookies: %v", got.Header["Set-Cookie"])
	}
}

func TestNoGuests(t *testing.T) {
	s := newSchool(t, func(c *Config) { c.Guests = false })
	got := s.refused("forbidden", "guests", "POST", "/v1/guest", `{"name":"Kim"}`, nil)
	if len(got.Cookies()) != 0 {
		t.Errorf("cookies: %v", got.Cookies())
	}
}

// A socket is upgraded through all that is around the handler.
func TestSocketUpgrade(t *testing.T) {
	s := newSchool(t)
	server := httptest.NewServer(s.handler)
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.hub.Run(ctx, time.Second) })
	defer running.Wait()
	defer stop()
	r, err := http.NewRequest("GET", server.URL+"/v1/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = s.student("s1")
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(name, value)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("status %d", got.StatusCode)
	}
}
