package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestErase(t *testing.T) {
	h := newHall(t, "3", "")
	h.attend("s1", "김민수", http.StatusCreated)
	h.attend("s2", "Kim", http.StatusCreated)
	closed := h.id
	h.closeRoom()
	h.open("3", "")
	h.attend("s1", "김민수", http.StatusCreated)
	fails(t, try(t, h.environ, "", "erase", "--user", "s1", "--yes"), "in use by process", "stop that server")
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}

	fails(t, try(t, h.environ, "yes\n", "erase", "--user", "s1"), "nothing was erased", "--yes")
	got := try(t, h.environ, "", "erase", "--user", "s1", "--yes")
	fails(t, got, `"s1" is still known where the room is not closed: close `+h.id+", and erase again")
	for _, word := range []string{`"s1" is erased from 1 room:`, "1 row of the table attendee\n", "what a store cannot reach:\n", "backups"} {
		if !strings.Contains(got.stdout, word) {
			t.Errorf("it does not say %q:\n%s", word, got.stdout)
		}
	}
	if record := must(t, h.environ, "", "export", closed); strings.Contains(record, "s1") || strings.Contains(record, "김민수") || !strings.Contains(record, "s2,Kim") {
		t.Errorf("the record after it: %s", record)
	}
	fails(t, try(t, h.environ, "", "why", closed, "s1"), "nobody with the user id")

	var said struct {
		Rooms, Open []string
		Rows        map[string]int
		OutOfReach  []string `json:"out_of_reach"`
	}
	got = try(t, h.environ, "", "erase", "--user", "s1", "--yes", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &said); err != nil || got.err == nil {
		t.Fatalf("%v, %v", err, got.err)
	}
	if len(said.Open) != 1 || said.Open[0] != h.id || said.Rooms == nil || len(said.Rooms) != 0 || len(said.Rows) != 0 || len(said.OutOfReach) == 0 {
		t.Errorf("a second time: %s", got.stdout)
	}
	if out := must(t, h.environ, "", "erase", "--user", "nobody", "--yes"); !strings.HasPrefix(out, `no closed room knows "nobody"`) {
		t.Errorf("of nobody: %q", out)
	}
}

func TestEraseRefusals(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	fails(t, try(t, []string{"LECTERN_DATA=" + none}, "", "erase", "--user", "s1", "--yes"), "there is no store in "+none)
	if _, err := os.Stat(none); err == nil {
		t.Error("a store was made to erase from")
	}
	fails(t, try(t, nil, "", "erase", "--yes"), "--user")
	fails(t, try(t, nil, "", "erase", "--yes", "--user", "a\tb"), `--user is "a\tb"`)
}
