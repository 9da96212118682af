package hub

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

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

	s.hub.PublicURL = "https://lectern.example.org"
	if again := s.must(http.StatusOK, "POST", "/v1/guest", `{"name":"Kim"}`, origin).Cookies(); !again[0].Secure {
		t.Error("a cookie of a site with https goes over http")
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
