package hub

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// toldOf returns the types of what an item tells: events, refusals, answers.
func toldOf(item map[string]any) string {
	var lists []string
	for _, list := range []string{"events", "refused", "answered"} {
		var types []string
		for _, one := range item[list].([]any) {
			one := one.(map[string]any)
			types = append(types, fmt.Sprintf("%v %v", one["type"], one["user"]))
		}
		lists = append(lists, strings.Join(types, ", "))
	}
	return strings.Join(lists, " | ")
}

func items(got response) (all []map[string]any) {
	for _, item := range got.body["items"].([]any) {
		all = append(all, item.(map[string]any))
	}
	return all
}

func TestListLog(t *testing.T) {
	s := newSchool(t)
	path, code, _ := s.open(`{"title":"Algebra","capacity":1}`)
	join := `{"code":"` + code + `"}`
	s.must(http.StatusCreated, "POST", "/v1/attend", join, s.student("s1"))
	s.refused("room_full", "", "POST", "/v1/attend", join, s.student("s2"))
	s.must(http.StatusOK, "DELETE", path+"/members/s1", "", s.student("s1"))
	s.must(http.StatusCreated, "POST", "/v1/attend", join, s.student("s2"))
	s.must(http.StatusOK, "POST", path+"/close", "", s.teacher())

	got := s.must(http.StatusOK, "GET", path+"/log", "", s.teacher())
	want := []string{
		"opened t1 |  | open t1",
		"joined s1 |  | join s1",
		" | join s2 | ",
		"left s1 |  | leave s1",
		"joined s2 |  | join s2",
		"closed <nil> |  | close t1",
	}
	for i, item := range items(got) {
		if told := toldOf(item); told != want[i] || item["version"] != float64(i+1) {
			t.Errorf("item %d: %s, want %s: %v", i, told, want[i], item)
		}
	}
	if len(items(got)) != len(want) || got.body["next_cursor"] != nil {
		t.Errorf("the log: %s", got.text)
	}
	joined := items(got)[1]
	answer := joined["answered"].([]any)[0].(map[string]any)
	event := joined["events"].([]any)[0].(map[string]any)
	if answer["state"] != "seated" || answer["seat"] != 1.0 || answer["asked_at"] == nil || event["name"] != "Name of s1" {
		t.Errorf("a join: %v", joined)
	}
	if refused := items(got)[2]["refused"].([]any)[0].(map[string]any); refused["code"] != "room_full" {
		t.Errorf("a refusal: %v", refused)
	}

	got = s.must(http.StatusOK, "GET", path+"/log?user=s2", "", s.teacher())
	if all := items(got); len(all) != 2 || toldOf(all[0]) != want[2] || toldOf(all[1]) != want[4] || got.body["next_cursor"] != nil {
		t.Errorf("one person's part: %s", got.text)
	}
	if got = s.must(http.StatusOK, "GET", path+"/log?user=nobody", "", s.teacher()); len(items(got)) != 0 || got.body["next_cursor"] != nil {
		t.Errorf("nobody's part: %s", got.text)
	}

	s.refused("not_found", "", "GET", path+"/log", "", s.student("s1"))
	s.refused("not_found", "", "GET", path+"/log", "", s.passport("t2", room.Instructor))
	s.refused("not_found", "", "GET", "/v1/rooms/"+string(room.NewID(time.Now()))+"/log", "", s.teacher())
	s.refused("bad_request", "user", "GET", path+"/log?user="+strings.Repeat("x", 129), "", s.teacher())
	s.refused("bad_request", "limit", "GET", path+"/log?limit=501", "", s.teacher())
	for _, key := range []string{"x", "0", "-1", "1.5", "99999999999999999999"} {
		s.refused("bad_request", "cursor", "GET", path+"/log?cursor="+base64.RawURLEncoding.EncodeToString([]byte(key)), "", s.teacher())
	}
	s.archive.setAway(true)
	s.refused("unavailable", "", "GET", path+"/log", "", s.teacher())
}

// The pages of a log that is longer than what is read at once are the log.
func TestLogPages(t *testing.T) {
	s := newSchool(t)
	path, code, _ := s.open(`{"title":"Algebra","capacity":200}`)
	const students = 2*logPage - 1 // and the opening: two whole reads
	for i := range students {
		s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student(room.UserID(fmt.Sprint("s", i))))
	}
	for _, query := range []string{"limit=500", "limit=7", "limit=1&user=s3", "user=" + fmt.Sprint("s", students-1)} {
		var versions []float64
		pages := 0
		for cursor := ""; ; {
			got := s.must(http.StatusOK, "GET", path+"/log?"+query+cursor, "", s.teacher())
			for _, item := range items(got) {
				versions = append(versions, item["version"].(float64))
			}
			next, more := got.body["next_cursor"].(string)
			if pages++; !more {
				break
			}
			cursor = "&cursor=" + next
		}
		first, last, least := 1.0, students+1.0, 1
		switch {
		case query == "limit=7":
			least = (students + 7) / 7
		case strings.HasPrefix(query, "limit=1&"):
			first, last = 5, 5
		case strings.HasPrefix(query, "user="):
			first = last
		}
		if len(versions) != int(last-first)+1 || versions[0] != first || versions[len(versions)-1] != last || pages < least {
			t.Errorf("%s: versions %v in %d pages", query, versions, pages)
		}
	}
}

// storms is the log of a room in each of whose entries a thousand people
// joined.
type storms struct {
	entries int64
	wait    time.Duration // for each look
}

func (s storms) after(version int64) (found []room.Entry, err error) {
	<-time.After(s.wait)
	for v := version + 1; v <= min(s.entries, version+logPage); v++ {
		entry := room.Entry{Version: v}
		for i := range 1000 {
			entry.Events = append(entry.Events, room.Event{Type: room.EventJoined, User: room.UserID(fmt.Sprint(v, i))})
		}
		found = append(found, entry)
	}
	return found, nil
}

// A page is neither endless nor endlessly made.
func TestLogPagesAreBounded(t *testing.T) {
	whole := logReading{page: page{limit: 500}}
	got, err := whole.read(storms{entries: 1000}.after)
	if err != nil || len(got.Items) != logFacts/1000 || got.Next == nil {
		t.Errorf("of large entries: %d items, next %v, %v", len(got.Items), got.Next, err)
	}
	part := logReading{page: page{limit: 500}, user: "nobody"}
	began := time.Now()
	got, err = part.read(storms{entries: 1e9, wait: 100 * time.Millisecond}.after)
	if took := time.Since(began); err != nil || len(got.Items) != 0 || got.Next == nil || took > requestTakesAtMost {
		t.Errorf("of a log without end: %d items, next %v, %v, after %v", len(got.Items), got.Next, err, took)
	}
	next, err := base64.RawURLEncoding.DecodeString(*got.Next)
	if err != nil || len(next) < 2 {
		t.Errorf("it goes on after %q (%v)", next, err)
	}
}
