package main

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A room that has been closed for longer than rooms are kept goes while the
// server runs; one that was closed lately stays, as does an open one.
func TestRetention(t *testing.T) {
	h := newHall(t, "1", "")
	old := h.id
	h.closeRoom()
	h.open("1", "")
	recent := h.id
	h.closeRoom()
	h.open("1", "")
	open := h.id
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(strings.TrimPrefix(h.environ[0], "LECTERN_DATA="), "lectern.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{old, open} {
		if _, err := db.Exec(`UPDATE room SET closed_at = closed_at - $1 WHERE id = $2`, (2 * time.Hour).Milliseconds(), id); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	h.served = serve(t, h.environ[0], "LECTERN_RETENTION=1h")
	status := func(id string) int {
		got, _ := fetch(t, "GET", h.address+"/v1/rooms/"+id, h.teacher, "", nil)
		return got
	}
	eventually(t, func() string {
		if !strings.Contains(h.log.String(), `"msg":"old rooms deleted","rooms":1`) {
			return "no room was deleted:\n" + h.log.String()
		}
		return ""
	})
	if got := [...]int{status(old), status(recent), status(open)}; got != [...]int{http.StatusNotFound, http.StatusOK, http.StatusOK} {
		t.Errorf("the old, the recent and the open room: %v", got)
	}
}
