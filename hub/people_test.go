package hub

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lectern-room/lectern/room"
)

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
	s.refused("forbidden", "guests", "POST", "/v1/attend", byCode, s.student(room.NewGuest()))
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
	for _, key := range []string{"", "x", "12", "1234567", "00000a", "2026-11-23T09:00:00.000Z", "2026-11-23T09:00:00.000Z ", "s1", "9 s1"} {
		cursor := "?cursor=" + base64.RawURLEncoding.EncodeToString([]byte(key))
		if key == "" {
			cursor = "?cursor=!"
		}
		s.refused("bad_request", "cursor", "GET", path+"/roster"+cursor, "", s.teacher())
		s.refused("bad_request", "cursor", "GET", path+"/bans"+cursor, "", s.teacher())
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
	s.must(http.StatusOK, "DELETE", path+"/members/stranger?ban=true", "", s.teacher())
	got = s.must(http.StatusOK, "GET", path+"/bans?limit=1", "", s.teacher())
	if ban := got.body["items"].([]any)[0].(map[string]any); ban["user"] != "s1" || ban["name"] != "Name of s1" || ban["at"] == nil || len(ban) != 3 {
		t.Errorf("a ban: %s", got.text)
	}
	got = s.must(http.StatusOK, "GET", path+"/bans?cursor="+got.body["next_cursor"].(string), "", s.teacher())
	if !slices.Equal(got.users(), []string{"stranger"}) || got.body["next_cursor"] != nil {
		t.Errorf("the second page of bans: %s", got.text)
	}
	for range 2 {
		s.must(http.StatusOK, "DELETE", path+"/bans/s1", "", s.teacher())
	}
	s.refused("forbidden", "role", "DELETE", path+"/bans/stranger", "", s.student("stranger"))
	if got := s.must(http.StatusOK, "GET", path+"/bans", "", s.teacher()); !slices.Equal(got.users(), []string{"stranger"}) {
		t.Errorf("after lifting: %s", got.text)
	}
	join("s1")
	s.must(http.StatusOK, "POST", path+"/close", "", s.teacher())
	s.refused("room_closed", "", "DELETE", path+"/members/s1", "", s.teacher())
	s.must(http.StatusOK, "GET", path+"/roster", "", s.teacher())
}
