package hub

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/lectern-room/lectern/room"
)

func recordOf(names ...string) room.Record {
	first := time.Date(2026, 3, 2, 9, 0, 0, 120_000_000, time.UTC)
	var r room.Record
	for i, name := range names {
		seat := i + 1
		r.People = append(r.People, room.Attendance{
			User: room.UserID("s" + name), Name: name, Guest: i > 0, Seat: &seat,
			FirstJoinedAt: room.Timestamp{Time: first}, PresentSeconds: 61, Rejoins: 1,
		})
	}
	return r
}

func TestWriteCSV(t *testing.T) {
	r := recordOf("김민수", `a "quoted", name`)
	r.People[1].Seat = nil
	r.People[1].LastLeftAt = room.Timestamp{Time: r.People[1].FirstJoinedAt.Add(time.Hour)}
	late := room.StatusLate
	r.People[1].Status = &late
	var got bytes.Buffer
	if err := WriteCSV(&got, r); err != nil {
		t.Fatal(err)
	}
	want := "\ufeffuser,name,guest,seat,first_joined_at,last_left_at,present_seconds,rejoins,status\r\n" +
		"s김민수,김민수,false,1,2026-03-02T09:00:00.120Z,,61,1,\r\n" +
		`"sa ""quoted"", name","a ""quoted"", name",true,,2026-03-02T09:00:00.120Z,2026-03-02T10:00:00.120Z,61,1,late` + "\r\n"
	if got.String() != want {
		t.Errorf("got\n%q, want\n%q", got.String(), want)
	}
}

func TestWriteCSVDisarms(t *testing.T) {
	for name, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx",
		"\rx": "'x", // lines end in CRLF: the writer lets no other CR through

		"=": "'=", "a=1": "a=1", " =1": " =1", "'=1": "'=1", "": "", "김": "김",
	} {
		r := recordOf(name)
		r.People[0].User = room.UserID(name)
		var file bytes.Buffer
		if err := WriteCSV(&file, r); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&file).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := rows[1]; got[0] != want || got[1] != want {
			t.Errorf("%q became user %q and name %q, want %q", name, got[0], got[1], want)
		}
	}
}

func TestWriteXLSX(t *testing.T) {
	names := []string{"김민수", "=1+1", "+1", "-1", "@SUM(A1)", " spaces ", "_x0041_", `<&">`, "0012", "TRUE"}
	r := recordOf(names...)
	var file bytes.Buffer
	if err := WriteXLSX(&file, r); err != nil {
		t.Fatal(err)
	}
	book, err := excelize.OpenReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	sheet := book.GetSheetName(0)
	rows, err := book.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(rows[0], attendanceColumns) || len(rows) != len(names)+1 {
		t.Errorf("%d rows, header %v", len(rows), rows[0])
	}
	for i, name := range names {
		// Trailing cells that are empty are left out.
		if want := attendanceRow(r.People[i])[:8]; !slices.Equal(rows[i+1], want) {
			t.Errorf("row %q, want %q", rows[i+1], want)
		}
		for column := range attendanceColumns {
			cell, _ := excelize.CoordinatesToCellName(column+1, i+2)
			kind, err := book.GetCellType(sheet, cell)
			formula, _ := book.GetCellFormula(sheet, cell)
			if err != nil || formula != "" || kind != excelize.CellTypeInlineString && kind != excelize.CellTypeSharedString {
				t.Errorf("%s of %q: type %v, formula %q, %v", cell, name, kind, formula, err)
			}
		}
	}
}

func TestGetAttendance(t *testing.T) {
	s := newSchool(t)
	path, code, _ := s.open(`{"title":"선형대수: 3/4","capacity":9}`)
	for _, user := range []room.UserID{"=s1", "s2"} { // also in that order where they come in one millisecond
		s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student(user))
	}
	path += "/attendance"

	got := s.must(http.StatusOK, "GET", path, "", s.teacher())
	people := got.body["people"].([]any)
	first := people[0].(map[string]any)
	for field, want := range map[string]any{
		"user": "=s1", "name": "Name of =s1", "guest": false, "seat": 1.0, "last_left_at": nil, "present_seconds": 0.0, "rejoins": 0.0, "status": nil,
	} {
		if first[field] != want {
			t.Errorf("%s: %v, want %v", field, first[field], want)
		}
	}
	if got.room("taken") != 2.0 || len(people) != 2 || len(first) != 11 || len(got.body["timeline"].([]any)) == 0 || len(got.body) != 4 {
		t.Errorf("JSON: %s", got.text)
	}

	const xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	for name, ask := range map[string]struct{ query, accept, want string }{
		"format json":           {"?format=json", "text/csv", "application/json"},
		"format csv":            {"?format=csv", "", "text/csv; charset=utf-8"},
		"format xlsx":           {"?format=xlsx", "", xlsx},
		"accept csv":            {"", "text/csv", "text/csv; charset=utf-8"},
		"accept xlsx":           {"", xlsx + ", text/csv;q=0.5", xlsx},
		"accept json":           {"", "application/json, text/csv;q=0.9", "application/json"},
		"accept CSV":            {"", "Text/CSV", "text/csv; charset=utf-8"},
		"accept anything":       {"", "*/*", "application/json"},
		"accept something else": {"", "text/html", "application/json"},
	} {
		got := s.must(http.StatusOK, "GET", path+ask.query, "", with(s.teacher(), "Accept", ask.accept))
		if media := got.Header.Get("Content-Type"); media != ask.want {
			t.Errorf("%s: %s, want %s", name, media, ask.want)
		}
	}

	got = s.must(http.StatusOK, "GET", path+"?format=csv", "", s.teacher())
	if !strings.HasPrefix(got.text, "\ufeffuser,name,") || !strings.Contains(got.text, "\r\n'=s1,Name of =s1,false,1,") {
		t.Errorf("CSV: %q", got.text)
	}
	disposition := got.Header.Get("Content-Disposition")
	before, encoded, _ := strings.Cut(disposition, "filename*=UTF-8''")
	name, err := url.PathUnescape(encoded)
	want := "선형대수_ 3_4 " + time.Now().UTC().Format(time.DateOnly) + ".csv"
	if before != `attachment; filename="attendance.csv"; ` || err != nil || name != want {
		t.Errorf("Content-Disposition: %s (%s), want %s", disposition, name, want)
	}

	s.refused("bad_request", "format", "GET", path+"?format=pdf", "", s.teacher())
	s.refused("not_found", "", "GET", path, "", s.student("s1"))
	s.refused("not_found", "", "GET", path, "", s.passport("t2", room.Instructor))
	s.must(http.StatusOK, "POST", strings.TrimSuffix(path, "attendance")+"close", "", s.teacher())
	s.must(http.StatusOK, "GET", path, "", s.teacher())
}

func TestFileName(t *testing.T) {
	opened := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for title, want := range map[string]string{
		"Algebra":                "Algebra 2026-03-02.csv",
		`a/b\c:d*e?f"g<h>i|j`:    "a_b_c_d_e_f_g_h_i_j 2026-03-02.csv",
		"../../etc/passwd":       "_.._etc_passwd 2026-03-02.csv",
		"...":                    " 2026-03-02.csv",
		strings.Repeat("가", 200): strings.Repeat("가", 60) + " 2026-03-02.csv",
	} {
		got := fileName(&room.Header{Title: title, OpenedAt: opened}, "csv")
		if got != want || len(got) > 255 || !utf8.ValidString(got) {
			t.Errorf("%q: %q, want %q", title, got, want)
		}
	}
}
