package store_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
	"github.com/lectern-room/lectern/store/storetest"
)

// TestNothingIsLeft looks at the tables themselves: of an erased person there
// is no word, of a deleted room no row.
func TestNothingIsLeft(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		folder := t.TempDir()
		s := openSQLite(t, folder)
		nothingIsLeft(t, s, "sqlite", filepath.Join(folder, "lectern.db"),
			`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`)
	})
	t.Run("Postgres", func(t *testing.T) {
		address := fresh(t)
		nothingIsLeft(t, openPostgres(t, address), "pgx", address, `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)
	})
}

// Who was erased is not in the files either, once they are closed.
func TestNothingIsLeftInTheFiles(t *testing.T) {
	folder := t.TempDir()
	s := openSQLite(t, folder)
	h := newHall(s)
	h.save(t, h.opening())
	h.save(t, h.joins(300))
	h.save(t, h.step(room.Command{Type: room.CommandClose, By: room.Caller{User: "lecturer", Role: room.Instructor}}))
	erased, other := string(student(1)), string(student(2))
	if _, err := s.Erase(t.Context(), student(1)); err != nil {
		t.Fatal(err)
	}
	if s.Close(); inFiles(t, folder, erased) || !inFiles(t, folder, other) {
		t.Errorf("in the files: of the erased %t, of another %t", inFiles(t, folder, erased), inFiles(t, folder, other))
	}
}

// TestEraseHoldsNobodyUp: a room that is not closed is only looked at, as if
// somebody had it locked for long.
func TestEraseHoldsNobodyUp(t *testing.T) {
	address := fresh(t)
	h := openHall(t, openPostgres(t, address))
	h.save(t, h.joins(3))
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM room WHERE id = $1 FOR UPDATE`, h.room.ID); err != nil {
		t.Fatal(err)
	}
	erasure, err := h.store.(*store.Postgres).Erase(t.Context(), student(2))
	if err != nil || !slices.Equal(erasure.Open, []room.ID{h.room.ID}) || len(erasure.Rows) > 0 {
		t.Errorf("erased %+v, %v", erasure, err)
	}
}

// inFiles tells whether one of the files of a folder has the word.
func inFiles(t *testing.T, folder, word string) bool {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(word)) {
			return true
		}
	}
	return false
}

func nothingIsLeft(t *testing.T, s storetest.Store, driver, address, selectTables string) {
	h := newHall(s)
	opening := h.opening()
	opening.Claim = []string{"slot:0:lecturer", "key:8:lecturer:k"}
	h.save(t, opening)
	h.save(t, h.joins(2))
	erased, other := student(1), string(student(2))
	by := room.Caller{User: "lecturer", Role: room.Instructor}
	h.save(t, h.step(room.Command{Type: room.CommandJoin, By: room.Caller{User: "refused", Name: "Refused", Role: room.Student}, Code: "WRONG", ID: "c1"}))
	h.save(t, h.step(room.Command{Type: room.CommandCorrect, By: by, User: erased, Status: room.StatusLate, Reason: "a brother called"}))
	h.save(t, h.step(room.Command{Type: room.CommandClose, By: by}))

	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	words := map[room.UserID][]string{
		erased: {string(erased), "brother"}, "lecturer": {"lecturer", "Kim"}, "refused": {"refused"},
	}
	for user, said := range words {
		before := contents(t, db, selectTables)
		if _, err := s.Erase(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		after := contents(t, db, selectTables)
		for _, word := range said {
			if !strings.Contains(before, word) || strings.Contains(after, word) {
				t.Errorf("%q was in the tables: %t; is: %t", word, strings.Contains(before, word), strings.Contains(after, word))
			}
		}
	}
	if all := contents(t, db, selectTables); !strings.Contains(all, other) {
		t.Errorf("another is gone, too:\n%s", all)
	}
	if n, err := s.Prune(t.Context(), time.Now().Add(time.Hour), 9); err != nil || n != 1 {
		t.Fatalf("%d rooms were deleted: %v", n, err)
	}
	if all := contents(t, db, selectTables); strings.Contains(all, string(h.room.ID)) || strings.Contains(all, other) {
		t.Errorf("of the deleted room there is still:\n%s", all)
	}
}

// contents returns all rows of all tables, a line each.
func contents(t *testing.T, db *sql.DB, selectTables string) string {
	t.Helper()
	var all strings.Builder
	for _, table := range lines(t, db, selectTables) {
		if !strings.HasPrefix(table, "goose") {
			all.WriteString(strings.Join(lines(t, db, `SELECT * FROM `+table), "\n"))
		}
	}
	return all.String()
}

func lines(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = &sql.NullString{}
		}
		if err := rows.Scan(cells...); err != nil {
			t.Fatal(err)
		}
		texts := make([]string, len(cells))
		for i, cell := range cells {
			texts[i] = cell.(*sql.NullString).String
		}
		all = append(all, strings.Join(texts, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
