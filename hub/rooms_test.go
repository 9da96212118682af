package hub

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// TestKeyIsText: a header may have any bytes, and Postgres takes text.
func TestKeyIsText(t *testing.T) {
	s := newSchool(t)
	s.refused("bad_request", "key", "POST", "/v1/rooms", `{"title":"Algebra","capacity":2}`, with(s.teacher(), "Idempotency-Key", "caf\xe9"))
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
		"an option's type": {`{"title":"A","capacity":1,"options":{"waitlist":"yes"}}`, "waitlist"},
		"no time":          {`{"title":"A","capacity":1,"options":{"starts_at":"tomorrow"}}`, "starts_at"},
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
