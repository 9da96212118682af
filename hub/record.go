package hub

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"github.com/lectern-room/lectern/room"
)

func (a *api) addAttendanceCall() {
	attendance := operation{
		Operation: huma.Operation{
			OperationID: "getAttendance", Method: http.MethodGet, Path: "/v1/rooms/{id}/attendance", Tags: []string{"attendance"},
			Summary:     "Read the attendance record",
			Description: "Who was there, from when to when, up to now. An interval that is still open ends with null. For the room's instructor. To others there is no such room.",
			Parameters: []*huma.Param{roomParameter, {
				Name: "format", In: "query", Description: "Without it, Accept decides.",
				Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"json", "csv", "xlsx"}, Default: "json"},
			}},
		},
		Codes: []room.Code{room.CodeNotFound},
		Files: map[string]string{csvType: "One row a person: " + strings.Join(attendanceColumns, ",") + ".", xlsxType: "The same as a workbook."},
	}
	attendance.answer = a.schemaOf(attendanceAnswer{})
	a.handle(attendance, a.getAttendance)
}

type attendanceAnswer struct {
	Room roomObject `json:"room"`
	room.Record
}

const (
	jsonType = "application/json"
	csvType  = "text/csv"
	xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

func (a *api) getAttendance(c *call) error {
	format, err := c.format()
	if err != nil {
		return err
	}
	// Not before it is known that the caller may see it: it is the dearest call.
	var id room.ID
	err = a.look(c, func(r *room.Room) bool { return r.LedBy(c.passport.Caller) }, func(r *room.Room) { id = r.ID })
	if err != nil {
		return err
	}
	h, err := archived(a, c, "read an attendance record", func(ctx context.Context) (*room.History, error) {
		return a.Archive.History(ctx, id)
	})
	if err != nil {
		return err
	}
	record := h.Record(a.Registrar.Now())
	switch format {
	case csvType:
		return c.file(csvType+"; charset=utf-8", fileName(&h.Room, "csv"), record, WriteCSV)
	case xlsxType:
		return c.file(xlsxType, fileName(&h.Room, "xlsx"), record, WriteXLSX)
	}
	writeJSON(c.w, jsonType, http.StatusOK, attendanceAnswer{objectOf(&h.Room, true), record})
	return nil
}

// format returns the media type that is asked for.
func (c *call) format() (string, error) {
	switch format := c.r.URL.Query().Get("format"); format {
	case "json":
		return jsonType, nil
	case "csv":
		return csvType, nil
	case "xlsx":
		return xlsxType, nil
	case "":
		return negotiation.SelectQValue(strings.Join(c.r.Header.Values("Accept"), ","), []string{jsonType, csvType, xlsxType}), nil
	}
	return "", room.BadField("format", "json, csv or xlsx")
}

// file answers with a record to be kept as a file.
func (c *call) file(contentType, name string, r room.Record, write func(io.Writer, room.Record) error) error {
	var file bytes.Buffer
	if err := write(&file, r); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	c.w.Header().Set("Content-Type", contentType)
	// RFC 6266: the second is for those who can read it, the first for the rest.
	c.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="attendance%s"; filename*=UTF-8''%s`,
		name[strings.LastIndexByte(name, '.'):], strings.ReplaceAll(url.QueryEscape(name), "+", "%20")))
	c.w.Write(file.Bytes())
	return nil
}

// fileName is a name that every file system takes: the room's title and day.
func fileName(h *room.Header, extension string) string {
	title := strings.Map(func(c rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, c) {
			return '_'
		}
		return c
	}, h.Title)
	if runes := []rune(title); len(runes) > 60 { // of at most 4 bytes; names have at most 255
		title = string(runes[:60])
	}
	return strings.TrimLeft(title, ". ") + " " + h.OpenedAt.UTC().Format(time.DateOnly) + "." + extension
}
