package hub

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/lectern-room/lectern/room"
)

// attendanceColumns are the columns of an exported record, as the protocol
// names them.
var attendanceColumns = []string{
	"user", "name", "guest", "seat", "first_joined_at", "last_left_at", "present_seconds", "rejoins", "status",
}

// attendanceRow is one person's row; what does not apply is empty.
func attendanceRow(a room.Attendance) []string {
	return []string{
		string(a.User), a.Name, strconv.FormatBool(a.Guest), textOf(a.Seat, strconv.Itoa),
		stampOrEmpty(a.FirstJoinedAt), stampOrEmpty(a.LastLeftAt),
		strconv.Itoa(a.PresentSeconds), strconv.Itoa(a.Rejoins), textOf(a.Status, func(s room.AttendanceStatus) string { return string(s) }),
	}
}

func textOf[T any](value *T, text func(T) string) string {
	if value == nil {
		return ""
	}
	return text(*value)
}

func stampOrEmpty(t room.Timestamp) string {
	if t.IsZero() {
		return ""
	}
	return room.Stamp(t.Time)
}

// WriteCSV writes an attendance record as spreadsheet programs in any country
// open it: UTF-8 with a byte order mark (without it Excel takes Korean for
// something else) and lines that end in CRLF (RFC 4180). No cell begins as a
// formula does.
func WriteCSV(w io.Writer, r room.Record) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	table := csv.NewWriter(w)
	table.UseCRLF = true
	table.Write(attendanceColumns)
	for _, a := range r.People {
		row := attendanceRow(a)
		for i := range row {
			row[i] = disarm(row[i])
		}
		table.Write(row)
	}
	table.Flush()
	return table.Error()
}

// disarm keeps a spreadsheet program from taking a name for a formula.
func disarm(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// WriteXLSX writes an attendance record as an Excel workbook of one sheet. All
// cells are text, so that no name is taken for a formula.
func WriteXLSX(w io.Writer, r room.Record) error {
	const sheet = "Attendance"
	book := excelize.NewFile()
	defer book.Close()
	if err := book.SetSheetName(book.GetSheetName(0), sheet); err != nil {
		return err
	}
	rows, err := book.NewStreamWriter(sheet)
	if err != nil {
		return err
	}
	// Wide enough for a time.
	if err := rows.SetColWidth(1, len(attendanceColumns), 25); err != nil {
		return err
	}
	if err := rows.SetRow("A1", cells(attendanceColumns)); err != nil {
		return err
	}
	for i, a := range r.People {
		if err := rows.SetRow("A"+strconv.Itoa(i+2), cells(attendanceRow(a))); err != nil {
			return err
		}
	}
	if err := rows.Flush(); err != nil {
		return err
	}
	return book.Write(w)
}

// WriteJSON writes an attendance record as GET /v1/rooms/{id}/attendance
// answers it.
func WriteJSON(w io.Writer, h *room.Header, r room.Record) error {
	_, err := w.Write(append(mustJSON(attendanceOf(h, r)), '\n'))
	return err
}

func cells(texts []string) []any {
	row := make([]any, len(texts))
	for i, text := range texts {
		row[i] = text
	}
	return row
}
