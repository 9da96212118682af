package hub

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOpenAPI checks the description against what a reader of it relies on.
func TestOpenAPI(t *testing.T) {
	s := newSchool(t)
	got := s.must(http.StatusOK, "GET", "/openapi.json", "", nil)
	doc := got.body
	info := doc["info"].(map[string]any)
	if doc["openapi"] != "3.1.0" || info["title"] != "Lectern" || info["version"] != "1.2.3" {
		t.Errorf("openapi %v, info %v", doc["openapi"], info)
	}
	components := doc["components"].(map[string]any)
	schemas := components["schemas"].(map[string]any)
	for _, name := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(got.text, -1) {
		if schemas[name[1]] == nil {
			t.Errorf("no schema %s", name[1])
		}
	}
	for _, scheme := range []string{"bearer", "gateway", "guest"} {
		if components["securitySchemes"].(map[string]any)[scheme] == nil {
			t.Errorf("no security scheme %s", scheme)
		}
	}

	calls := map[string]bool{}
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, o := range item.(map[string]any) {
			op := o.(map[string]any)
			call := strings.ToUpper(method) + " " + path
			calls[call] = true
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] || op["summary"] == "" || op["description"] == "" || len(op["tags"].([]any)) != 1 {
				t.Errorf("%s: id %q, summary %v, description %v, tags %v", call, id, op["summary"], op["description"], op["tags"])
			}
			ids[id] = true
			checkParameters(t, call, op)
			checkResponses(t, call, op)
		}
	}
	for _, call := range []string{
		"GET /v1/me", "POST /v1/rooms", "GET /v1/rooms", "GET /v1/rooms/{id}", "PATCH /v1/rooms/{id}", "POST /v1/rooms/{id}/start",
		"POST /v1/rooms/{id}/close", "POST /v1/attend", "DELETE /v1/rooms/{id}/members/{user}", "GET /v1/rooms/{id}/roster",
		"GET /v1/rooms/{id}/bans", "DELETE /v1/rooms/{id}/bans/{user}", "GET /v1/rooms/{id}/attendance",
		"PUT /v1/rooms/{id}/attendance/policy", "PATCH /v1/rooms/{id}/attendance/{user}", "GET /v1/rooms/{id}/log", "POST /v1/guest",
		"GET /healthz", "GET /readyz",
	} {
		if !calls[call] {
			t.Errorf("%s is not described", call)
		}
	}
}

// checkParameters wants every part of the path that varies to be described.
func checkParameters(t *testing.T, call string, op map[string]any) {
	described := []string{}
	parameters, _ := op["parameters"].([]any)
	for _, p := range parameters {
		p := p.(map[string]any)
		if p["in"] == "path" {
			described = append(described, "{"+p["name"].(string)+"}")
		}
		if p["description"] == "" || p["schema"] == nil {
			t.Errorf("%s: parameter %v", call, p)
		}
	}
	if want := regexp.MustCompile(`\{\w+\}`).FindAllString(call, -1); !slices.Equal(described, append([]string{}, want...)) {
		t.Errorf("%s: parameters %v", call, described)
	}
}

func checkResponses(t *testing.T, call string, op map[string]any) {
	responses := op["responses"].(map[string]any)
	public := op["security"] == nil
	for _, status := range []string{"400", "401", "403", "500", "503"} {
		if responses[status] == nil && !(public && (status == "401" || status == "503")) {
			t.Errorf("%s: no response %s", call, status)
		}
	}
	succeeds := false
	for status, r := range responses {
		response := r.(map[string]any)
		content := response["content"].(map[string]any)
		want := "application/problem+json"
		if status[0] == '2' || call == "GET /readyz" && status == "503" {
			succeeds, want = true, "application/json"
		}
		if content[want] == nil || response["description"] == "" {
			t.Errorf("%s: response %s: %v", call, status, response)
		}
	}
	if !succeeds {
		t.Errorf("%s never succeeds", call)
	}
}

// Schemas say what is sent: a null where there may be one, no null where there
// is none, and every field of the answers.
func TestOpenAPISchemas(t *testing.T) {
	s := newSchool(t)
	path, _, _ := s.open(`{"title":"Algebra","capacity":2}`)
	schemas := s.must(http.StatusOK, "GET", "/openapi.json", "", nil).body["components"].(map[string]any)["schemas"].(map[string]any)
	typeOf := func(schema, property string) string {
		p, ok := schemas[schema].(map[string]any)["properties"].(map[string]any)[property].(map[string]any)
		if !ok {
			return "none"
		}
		text, _ := json.Marshal(p["type"])
		return string(text)
	}
	for name, want := range map[string]string{
		"RoomObject.code": `["string","null"]`, "RoomObject.title": `"string"`, "RoomObject.closed_at": `["string","null"]`,
		"Attendance.intervals": `"array"`, "Attendance.last_left_at": `["string","null"]`, "Attendance.seat": `["integer","null"]`,
		"AttendanceAnswer.people": `"array"`, "ListRoomObject.next_cursor": `["string","null"]`, "ListRoomObject.items": `"array"`,
		"Problem.code": `"string"`, "OpenBody.capacity": `"integer"`, "RosterEntry.place": `["integer","null"]`,
		"RoomObject.opened_at": `["string","null"]`, "RoomObject.closes_at": `["string","null"]`, "Attendance.status": `["string","null"]`,
		"CorrectionBody.status": `["string","null"]`, "Policy.present_percent": `["integer","null"]`, "OptionsBody.starts_at": `["string","null"]`,
		"LogEvent.user": `["string","null"]`, "LogItem.refused": `"array"`, "LogAnswer.asked_at": `["string","null"]`,
	} {
		schema, property, _ := strings.Cut(name, ".")
		if got := typeOf(schema, property); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	object := s.must(http.StatusOK, "GET", path, "", s.teacher()).body["room"].(map[string]any)
	for field := range object {
		if typeOf("RoomObject", field) == "none" {
			t.Errorf("room.%s is not described", field)
		}
	}
	for _, stray := range []string{"ErrorModel", "ErrorDetail"} {
		if schemas[stray] != nil {
			t.Errorf("%s is described, and never sent", stray)
		}
	}
}
