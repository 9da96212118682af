package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lectern-room/lectern/room"
)

// A hall is a running instance with an embedded store, and a room in it.
type hall struct {
	*served
	t       *testing.T
	environ []string // of commands beside it
	teacher string   // passport
	id      string
	code    string
}

// newHall opens a room of so many seats, with some options.
func newHall(t *testing.T, seats, options string) *hall {
	t.Helper()
	environ := []string{"LECTERN_DATA=" + filepath.Join(t.TempDir(), "data")}
	h := &hall{served: serve(t, environ...), t: t, environ: environ}
	h.teacher = h.pass("lee", "Lee", room.Instructor)
	h.open(seats, options)
	return h
}

// open opens a room, and has it be the hall's from now on.
func (h *hall) open(seats, options string) {
	h.t.Helper()
	var opened struct{ Room struct{ ID, Code string } }
	h.call("POST", "/v1/rooms", h.teacher, `{"title":"물리학 1","capacity":`+seats+`,"options":{`+options+`}}`, http.StatusCreated, &opened)
	h.id, h.code = opened.Room.ID, opened.Room.Code
}

func (h *hall) pass(user, name string, role room.Role) string {
	h.t.Helper()
	return strings.TrimSpace(must(h.t, h.environ, "", "passport", "--user", user, "--name", name, "--role", string(role)))
}

func (h *hall) call(method, path, passport, body string, status int, answer any) {
	h.t.Helper()
	got, text := fetch(h.t, method, h.address+path, passport, body, nil)
	if got != status {
		h.t.Fatalf("%s %s: %d, want %d: %s", method, path, got, status, text)
	}
	if answer != nil {
		if err := json.Unmarshal([]byte(text), answer); err != nil {
			h.t.Fatal(err)
		}
	}
}

// attend has a student join without a socket.
func (h *hall) attend(user, name string, status int) {
	h.t.Helper()
	h.call("POST", "/v1/attend", h.pass(user, name, room.Student), `{"code":"`+h.code+`"}`, status, nil)
}

// leave gives a student's place up.
func (h *hall) leave(user string) {
	h.t.Helper()
	h.call("DELETE", "/v1/rooms/"+h.id+"/members/"+user, h.pass(user, user, room.Student), "", http.StatusOK, nil)
}

func (h *hall) closeRoom() {
	h.t.Helper()
	h.call("POST", "/v1/rooms/"+h.id+"/close", h.teacher, "", http.StatusOK, nil)
}

// fails wants a command to fail with an error that has all the words.
func fails(t *testing.T, got ran, words ...string) {
	t.Helper()
	for _, word := range words {
		if got.err == nil || !strings.Contains(got.err.Error(), word) {
			t.Errorf("error %v, want %q", got.err, word)
		}
	}
}

// What names no room, and what is no store, is said in every command that
// reads one.
func TestCommandsWithoutARoom(t *testing.T) {
	h := newHall(t, "1", "")
	none := "LECTERN_DATA=" + filepath.Join(t.TempDir(), "none")
	unmigrated := "LECTERN_DATA=" + t.TempDir()
	if err := writeFile(strings.TrimPrefix(unmigrated, "LECTERN_DATA=")+"/lectern.db", strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"export"}, {"why", "s1"}} {
		ask := func(environ []string, room string) ran {
			return try(t, environ, "", append([]string{command[0], room}, command[1:]...)...)
		}
		fails(t, ask(h.environ, "x"), `"x" is neither a room's id`, "nor a join code")
		fails(t, ask(h.environ, "0000-0000"), "has the join code 00000000", "closed rooms have none")
		fails(t, ask(h.environ, strings.Repeat("0", 26)), "there is no room 00000000000000000000000000 in ")
		fails(t, ask([]string{none}, h.id), "there is no store in ", "LECTERN_DATA or LECTERN_POSTGRES_URL")
		fails(t, ask([]string{unmigrated}, h.id), "older than this program", "`lectern migrate`")
	}
	away := try(t, []string{"LECTERN_POSTGRES_URL=postgres://u:secret@127.0.0.1:1/d"}, "", "export", h.id)
	if fails(t, away, "refused"); strings.Contains(away.err.Error(), "secret") {
		t.Errorf("a secret is shown: %v", away.err)
	}
}
