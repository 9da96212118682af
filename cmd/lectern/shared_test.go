package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store/servers"
)

// A sharing is what instances have in common that share their rooms.
type sharing struct {
	postgres *servers.Postgres
	redis    *servers.Redis
	environ  []string
	target   loadTarget // for passports
}

// newSharing starts servers of their own for a test.
func newSharing(t *testing.T, settings ...string) *sharing {
	t.Helper()
	s := &sharing{}
	var err error
	s.postgres, err = servers.StartPostgres(settings...)
	need(t, err)
	t.Cleanup(func() { ended(t, s.postgres.Remove()) })
	s.redis, err = servers.StartRedis()
	need(t, err)
	t.Cleanup(func() { ended(t, s.redis.Stop()) })
	key := room.NewKey("test")
	if s.target.keys, err = room.NewKeyring(room.KeyConfig{Signing: []room.Key{key}}); err != nil {
		t.Fatal(err)
	}
	s.environ = []string{
		signingKeys + "=" + key.Reveal(), "LECTERN_POSTGRES_URL=" + s.postgres.URL(), "LECTERN_REDIS_URL=" + s.redis.URL(),
		"LECTERN_DATA=/dev/null/none", // is not touched
	}
	return s
}

// need skips where a server program is not on this machine.
func need(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, servers.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func ended(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func (s *sharing) pass(t *testing.T, user room.UserID, role room.Role) string {
	t.Helper()
	token, err := s.target.passport(user, string(user), role)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// open opens a room of two seats with an instance and returns its join code.
func (s *sharing) open(t *testing.T, with *served, instructor room.UserID) string {
	t.Helper()
	status, opened := fetch(t, "POST", with.address+"/v1/rooms", s.pass(t, instructor, room.Instructor), `{"title":"Anatomy I","capacity":2}`, nil)
	_, rest, found := strings.Cut(opened, `"code":"`)
	if status != http.StatusCreated || !found {
		t.Fatalf("%d: %s", status, opened)
	}
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

// join has a student join with an instance.
func (s *sharing) join(t *testing.T, with *served, student room.UserID, code string) (status int, answer string) {
	t.Helper()
	return fetch(t, "POST", with.address+"/v1/attend", s.pass(t, student, room.Student), `{"code":"`+code+`"}`, nil)
}

// readiness waits until an instance says that it is ready, or not, with its
// parts in the given states.
func readiness(t *testing.T, of *served, status int, parts string) {
	t.Helper()
	eventually(t, func() string {
		got, body := fetch(t, "GET", of.address+"/readyz", "", "", nil)
		if got != status || !strings.Contains(body, parts) {
			return fmt.Sprintf("%d, want %d with %s: %s\n%s", got, status, parts, body, of.log)
		}
		return ""
	})
}

const allUp = `"parts":{"store":"up","redis":"up","sockets":"open"}`

// TestServeShared: two instances are one Lectern, with Redis and without.
func TestServeShared(t *testing.T) {
	s := newSharing(t)
	first, second := begin(t, s.environ...), begin(t, s.environ...)
	readiness(t, first, http.StatusOK, allUp)
	readiness(t, second, http.StatusOK, allUp)
	if first.stdout.String() != "" {
		t.Errorf("someone is made an instructor: %s", first.stdout)
	}

	joins := func(t *testing.T, instructor room.UserID) {
		t.Helper()
		code := s.open(t, first, instructor)
		if status, answer := s.join(t, second, "ann", code); status != http.StatusCreated {
			t.Errorf("a first seat: %d: %s", status, answer)
		}
		if status, answer := s.join(t, first, "bob", code); status != http.StatusCreated {
			t.Errorf("the last seat: %d: %s", status, answer)
		}
		if status, answer := s.join(t, second, "cid", code); status != http.StatusConflict || !strings.Contains(answer, "room_full") {
			t.Errorf("one seat more: %d: %s", status, answer)
		}
	}
	joins(t, "t1")

	page := func(r *http.Request) { r.Header.Set("Origin", "http://localhost") }
	if status, body := fetch(t, "GET", first.address+"/v1/me", s.pass(t, "ann", room.Student), "", page); status != http.StatusForbidden || !strings.Contains(body, "LECTERN_ORIGINS") {
		t.Errorf("a page that nobody has allowed: %d: %s", status, body)
	}
	if !strings.Contains(first.log.String(), "browsers are refused") {
		t.Errorf("no word of LECTERN_ORIGINS:\n%s", first.log)
	}
	if status, body := fetch(t, "POST", first.address+"/v1/guest", "", `{"name":"Kim"}`, nil); status != http.StatusForbidden {
		t.Errorf("a guest who was not wanted: %d: %s", status, body)
	}
	for _, want := range []string{"redis_up 1", "store_up 1", "store_pool_in_use", "instances_live 2", "rooms_open 1", "members 2"} {
		eventually(t, func() string {
			if _, metrics := fetch(t, "GET", first.ops+"/metrics", "", "", nil); !strings.Contains(metrics, "\nlectern_"+want) {
				return "the metrics lack " + want
			}
			return ""
		})
	}

	s.redis.Kill()
	joins(t, "t2") // which finds out that Redis has gone
	readiness(t, first, http.StatusOK, `"redis":"away"`)
	joins(t, "t3")
	if err := s.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	readiness(t, first, http.StatusOK, allUp)
	readiness(t, second, http.StatusOK, allUp)
	joins(t, "t4")
}

// TestServeWaits: an instance that is there before its store waits for it.
func TestServeWaits(t *testing.T) {
	s := newSharing(t)
	s.postgres.Stop(false)
	i, never := begin(t, s.environ...), begin(t, s.environ...)
	readiness(t, i, http.StatusServiceUnavailable, `"store":"waiting"`)
	status, body := fetch(t, "GET", i.address+"/v1/me", s.pass(t, "ann", room.Student), "", nil)
	if status != http.StatusServiceUnavailable || !strings.Contains(body, `"unavailable"`) {
		t.Errorf("a call meanwhile: %d: %s", status, body)
	}
	if status, _ := fetch(t, "GET", i.address+"/", "", "", nil); status != http.StatusOK {
		t.Errorf("a page meanwhile: %d", status)
	}
	eventually(t, func() string {
		if !strings.Contains(i.log.String(), "waiting for the store") {
			return "no word of waiting"
		}
		return ""
	})
	if err := never.stop(); err != nil {
		t.Errorf("stopped while it waited: %v", err)
	}
	if err := s.postgres.Restart(); err != nil {
		t.Fatal(err)
	}
	readiness(t, i, http.StatusOK, allUp)
	s.open(t, i, "t1")
	if said := strings.Count(i.log.String(), "waiting for the store"); said > 3 {
		t.Errorf("said %d times that it waits:\n%s", said, i.log)
	}
}

// TestServeAlone: on Postgres without Redis there is no Redis to be away.
func TestServeAlone(t *testing.T) {
	s := newSharing(t)
	i := begin(t, append(s.environ, "LECTERN_REDIS_URL=")...)
	readiness(t, i, http.StatusOK, `"parts":{"store":"up","redis":"none","sockets":"open"}`)
	s.open(t, i, "t1")
	if !strings.Contains(i.log.String(), "works alone") {
		t.Errorf("it does not say so:\n%s", i.log)
	}
	if _, metrics := fetch(t, "GET", i.ops+"/metrics", "", "", nil); strings.Contains(metrics, "lectern_redis_up") {
		t.Error("redis_up of none")
	}
}

// TestServeRefusesForgetful: a database that forgets what it has acknowledged
// is no store.
func TestServeRefusesForgetful(t *testing.T) {
	s := newSharing(t, "fsync=off")
	got := try(t, append(s.environ, "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_OPS_LISTEN="), "", "serve")
	if got.err == nil || !strings.Contains(got.err.Error(), "LECTERN_POSTGRES_URL") || !strings.Contains(got.err.Error(), "fsync") {
		t.Errorf("ended with %v", got.err)
	}
}

func TestMigrateOnPostgres(t *testing.T) {
	s := newSharing(t)
	environ := []string{"LECTERN_POSTGRES_URL=" + s.postgres.URL()} // it takes no passports
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"migrate", "--check"}, "to do: "},
		{[]string{"migrate", "--check"}, "to do: "},
		{[]string{"migrate"}, "done: "},
		{[]string{"migrate"}, "the schema is up to date"},
		{[]string{"migrate", "--check"}, "the schema is up to date"},
	} {
		if out := must(t, environ, "", test.args...); !strings.HasPrefix(out, test.want) {
			t.Errorf("lectern %q: %q, want %q", test.args, out, test.want)
		}
		if test.want == "to do: " && s.tables(t) > 0 {
			t.Errorf("lectern %q made tables", test.args)
		}
	}
	s.postgres.Stop(false)
	if got := try(t, environ, "", "migrate", "--check"); got.err == nil {
		t.Errorf("checked what is not there: %q", got.stdout)
	}
}

// tables counts those in the database.
func (s *sharing) tables(t *testing.T) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.postgres.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
