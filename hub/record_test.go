package hub

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/lectern-room/lectern/room"
)

// personOf returns one person's part of an attendance record.
func (r response) personOf(user string) map[string]any {
	for _, p := range r.body["people"].([]any) {
		if person := p.(map[string]any); person["user"] == user {
			return person
		}
	}
	return nil
}

// TestAttendancePolicy: the policy is the room's instructor's, and makes the
// statuses, after the room has closed too.
func TestAttendancePolicy(t *testing.T) {
	s := newSchool(t)
	path, code, _ := s.open(`{"title":"Algebra","capacity":9}`)
	s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student("s1"))
	attendance, policy := path+"/attendance", path+"/attendance/policy"

	const rules = `{"present_percent":null,"present_minutes":5,"late_after_minutes":10,"left_early_minutes":null}` + "\n"
	for range 2 {
		got := s.must(http.StatusOK, "PUT", policy, `{"present_minutes":5,"late_after_minutes":10,"left_early_minutes":null}`, s.teacher())
		if got.text != rules {
			t.Errorf("the policy: %s, want %s", got.text, rules)
		}
	}
	got := s.must(http.StatusOK, "GET", attendance, "", s.teacher())
	if text, _ := json.Marshal(got.body["policy"]); !strings.Contains(string(text), `"present_minutes":5`) {
		t.Errorf("the record: %s", got.text)
	}
	if status := got.personOf("s1")["status"]; status != "absent" {
		t.Errorf("without a socket: %v", status)
	}

	for field, body := range map[string]string{
		"present_percent": `{"present_percent":101}`, "present_minutes": `{"present_minutes":-1}`,
		"late_after_minutes": `{"late_after_minutes":"10"}`, "left_early_minutes": `{"left_early_minutes":10081}`,
	} {
		s.refused("bad_request", field, "PUT", policy, body, s.teacher())
	}
	s.refused("bad_request", "present_percent", "PUT", policy, `{"present_percent":0.5}`, s.teacher())
	s.refused("forbidden", "role", "PUT", policy, `{}`, s.student("s1"))
	s.refused("forbidden", "", "PUT", policy, `{}`, s.passport("t2", room.Instructor))
	s.refused("not_found", "", "PUT", "/v1/rooms/x/attendance/policy", `{}`, s.teacher())

	s.must(http.StatusOK, "POST", path+"/close", "", s.teacher())
	s.must(http.StatusOK, "PUT", policy, `{"present_percent":0}`, s.teacher())
	if status := s.must(http.StatusOK, "GET", attendance, "", s.teacher()).personOf("s1")["status"]; status != "present" {
		t.Errorf("after the close, by another policy: %v", status)
	}
	s.must(http.StatusOK, "PUT", policy, `{}`, s.teacher())
	got = s.must(http.StatusOK, "GET", attendance, "", s.teacher())
	if got.body["policy"] != nil || got.personOf("s1")["status"] != nil {
		t.Errorf("without a policy: %s", got.text)
	}
}

// TestCorrectAttendance: a correction by hand is kept with who made it and
// when, and can be taken back.
func TestCorrectAttendance(t *testing.T) {
	s := newSchool(t)
	path, code, _ := s.open(`{"title":"Algebra","capacity":9}`)
	s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student("김/1"))
	s.must(http.StatusOK, "DELETE", path+"/members/stranger?ban=true", "", s.teacher())
	person := path + "/attendance/%EA%B9%80%2F1"

	got := s.must(http.StatusOK, "PATCH", person, `{"status":"present","reason":"was here"}`, s.teacher())
	correction := got.body["correction"].(map[string]any)
	if got.body["user"] != "김/1" || got.body["status"] != "present" || correction["status"] != "present" ||
		correction["reason"] != "was here" || correction["by"] != "t1" || len(correction["at"].(string)) != len("2026-03-02T09:00:00.000Z") {
		t.Errorf("corrected: %s", got.text)
	}
	s.must(http.StatusOK, "POST", path+"/close", "", s.teacher())
	got = s.must(http.StatusOK, "PATCH", person, `{"status":"left_early","reason":"at the break"}`, s.teacher())
	if csv := s.must(http.StatusOK, "GET", path+"/attendance?format=csv", "", s.teacher()); !strings.HasSuffix(csv.text, ",left_early\r\n") {
		t.Errorf("CSV: %q", csv.text)
	}
	if shown := s.must(http.StatusOK, "GET", path+"/attendance", "", s.teacher()).personOf("김/1"); shown["correction"].(map[string]any)["at"] != got.body["correction"].(map[string]any)["at"] {
		t.Errorf("in the record: %v, as answered: %s", shown, got.text)
	}
	for range 2 {
		got = s.must(http.StatusOK, "PATCH", person, `{"status":null}`, s.teacher())
		if got.body["status"] != nil || got.body["correction"] != nil {
			t.Errorf("taken back: %s", got.text)
		}
	}

	for field, bodies := range map[string][]string{
		"status": {`{}`, `{"status":""}`, `{"status":"here","reason":"x"}`, `{"status":1}`},
		"reason": {`{"status":"late"}`, `{"status":"late","reason":" "}`, `{"status":"late","reason":7}`, `{"status":"late","reason":"` + strings.Repeat("x", 201) + `"}`},
	} {
		for _, body := range bodies {
			s.refused("bad_request", field, "PATCH", person, body, s.teacher())
		}
	}
	const late = `{"status":"late","reason":"x"}`
	s.refused("not_found", "", "PATCH", path+"/attendance/nobody", late, s.teacher())
	s.refused("not_found", "", "PATCH", path+"/attendance/stranger", late, s.teacher())
	s.refused("bad_request", "user", "PATCH", path+"/attendance/"+strings.Repeat("x", 129), late, s.teacher())
	s.refused("forbidden", "role", "PATCH", person, late, s.student("김/1"))
	s.refused("forbidden", "", "PATCH", person, late, s.passport("t2", room.Instructor))
}
