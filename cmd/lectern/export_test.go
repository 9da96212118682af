package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/lectern-room/lectern/room"
)

// The record is the one that the server gives, of a room that is open and of
// one that is closed.
func TestExport(t *testing.T) {
	h := newHall(t, "2", "")
	h.attend("s1", "김민수", http.StatusCreated)
	h.attend("s2", "=Kim", http.StatusCreated)

	served := func(format string) string {
		status, text := fetch(t, "GET", h.address+"/v1/rooms/"+h.id+"/attendance?format="+format, h.teacher, "", nil)
		if status != http.StatusOK {
			t.Fatalf("%d: %s", status, text)
		}
		return text
	}
	for _, name := range []string{h.id, h.code, strings.ToLower(h.code[:4]) + "-" + h.code[4:], strings.ToLower(h.id)} {
		if got := must(t, h.environ, "", "export", name); got != served("csv") || !strings.Contains(got, "s2,'=Kim") {
			t.Errorf("of %s: %q, want %q", name, got, served("csv"))
		}
	}
	if got := must(t, h.environ, "", "export", h.id, "--format", "json"); got != served("json") {
		t.Errorf("JSON %s, want %s", got, served("json"))
	}
	h.closeRoom()
	if got := must(t, h.environ, "", "export", h.id, "--format=json"); got != served("json") || !strings.Contains(got, `"status":"closed"`) {
		t.Errorf("of the closed room: JSON %s, want %s", got, served("json"))
	}
	fails(t, try(t, h.environ, "", "export", h.code), "closed rooms have none")
	fails(t, try(t, h.environ, "", "export", h.id, "--format", "pdf"), `--format is "pdf": accepted is csv, json or xlsx`)
}

func TestExportToFile(t *testing.T) {
	h := newHall(t, "2", "")
	h.attend("s1", "김민수", http.StatusCreated)
	file := filepath.Join(t.TempDir(), "record.xlsx")
	if err := os.WriteFile(file, []byte("what was there"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := must(t, h.environ, "", "export", h.id, "--format", "xlsx", "--output", file); out != "" {
		t.Errorf("printed %q", out)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	book, err := excelize.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if rows, err := book.GetRows(book.GetSheetName(0)); err != nil || len(rows) != 2 || !slices.Contains(rows[1], "김민수") {
		t.Errorf("the workbook has %q (%v)", rows, err)
	}
	fails(t, try(t, h.environ, "", "export", h.id, "--output", filepath.Join(t.TempDir(), "none", "x.csv")), "no such file or directory")
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".export-*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %q, %v", left, err)
	}
}

// TestExportToStandardOutput: what it is appended to stays.
func TestExportToStandardOutput(t *testing.T) {
	h := newHall(t, "2", "")
	name := filepath.Join(t.TempDir(), "all.csv")
	if err := os.WriteFile(name, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	export := exec.Command(os.Args[0], "export", h.id, "--output", "/dev/stdout")
	export.Env, export.Stdout, export.Stderr = append(own(), h.environ...), all, os.Stderr
	if err := errors.Join(export.Run(), all.Close()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(text), "before\n\ufeffuser,") {
		t.Errorf("%q, %v", text, err)
	}
}

// Beside a server on Postgres commands read the same database.
func TestCommandsOnPostgres(t *testing.T) {
	s := newSharing(t)
	with := begin(t, s.environ...)
	readiness(t, with, http.StatusOK, "")
	code := s.open(t, with, "lee")
	status, text := fetch(t, "POST", with.address+"/v1/attend", s.pass(t, "s1", room.Student), `{"code":"`+code+`"}`, nil)
	if status != http.StatusCreated {
		t.Fatalf("%d: %s", status, text)
	}
	var record struct {
		Room   struct{ ID string }
		People []struct{ User room.UserID }
	}
	if err := json.Unmarshal([]byte(must(t, s.environ, "", "export", code, "--format", "json")), &record); err != nil {
		t.Fatal(err)
	}
	if len(record.People) != 1 || record.People[0].User != "s1" {
		t.Errorf("the record: %+v", record)
	}
	if told := must(t, s.environ, "", "why", code, "s1"); !strings.Contains(told, "asked to join: got seat 1\n") {
		t.Errorf("told %q", told)
	}
	fails(t, try(t, s.environ, "", "erase", "--user", "s1", "--yes"), `"s1" is still known where the room is not closed: close `+record.Room.ID)
	status, text = fetch(t, "POST", with.address+"/v1/rooms/"+record.Room.ID+"/close", s.pass(t, "lee", room.Instructor), "", nil)
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, text)
	}
	if told := must(t, s.environ, "", "erase", "--user", "s1", "--yes"); !strings.Contains(told, `"s1" is erased from 1 room`) {
		t.Errorf("told %q", told)
	}
	if text := must(t, s.environ, "", "export", record.Room.ID); strings.Contains(text, "s1") {
		t.Errorf("erased, and there: %s", text)
	}
}

// TestExportInto: what is no file is written to, and stays what it is; a link
// to a file stays one.
func TestExportInto(t *testing.T) {
	folder := t.TempDir()
	pipe, link, file := filepath.Join(folder, "pipe"), filepath.Join(folder, "link"), filepath.Join(folder, "file")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.WriteFile(file, []byte("before"), 0o600), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	read := make(chan string, 1)
	go func() {
		text, _ := os.ReadFile(pipe)
		read <- string(text)
	}()
	for _, name := range []string{pipe, link} {
		if err := writeFile(name, strings.NewReader("a record")); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-read; got != "a record" {
		t.Errorf("the pipe had %q", got)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "a record" {
		t.Errorf("behind the link is %q, %v", got, err)
	}
	for name, mode := range map[string]os.FileMode{pipe: os.ModeNamedPipe, link: os.ModeSymlink} {
		if info, err := os.Lstat(name); err != nil || info.Mode().Type() != mode {
			t.Errorf("%s is %v, %v", name, info, err)
		}
	}
}
