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
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "setAttendancePolicy", Method: http.MethodPut, Path: "/v1/rooms/{id}/attendance/policy", Tags: []string{"attendance"},
			Summary: "Set the attendance policy",
			Description: "What the record's `status` is made by; what is left out is not set, and without any rule there is no status. " +
				"For the room's instructor, after the room has closed too.",
			Parameters: []*huma.Param{roomParameter},
		},
		Type: "policy", Body: policyBody{}, Codes: []room.Code{room.CodeNotFound},
	}, a.setPolicy)
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "correctAttendance", Method: http.MethodPatch, Path: "/v1/rooms/{id}/attendance/{user}", Tags: []string{"attendance"},
			Summary: "Correct someone's attendance",
			Description: "Sets the `status` of someone who had a place, whatever the policy says; null takes the correction back. " +
				"It is kept with who made it and when. For the room's instructor, after the room has closed too.",
			Parameters: []*huma.Param{roomParameter, userParameter},
		},
		Type: "correct", Body: correctionBody{}, Codes: []room.Code{room.CodeNotFound},
	}, a.correct)
}

type attendanceAnswer struct {
	Room   roomObject   `json:"room"`
	Policy *room.Policy `json:"policy"`
	room.Record
}

func attendanceOf(h *room.Header, r room.Record) attendanceAnswer {
	a := attendanceAnswer{Room: objectOf(h, true), Record: r}
	if h.Policy != (room.Policy{}) {
		a.Policy = &h.Policy
	}
	return a
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
	h, record, err := a.record(c, id)
	if err != nil {
		return err
	}
	switch format {
	case csvType:
		return c.file(csvType+"; charset=utf-8", fileName(&h.Room, "csv"), record, WriteCSV)
	case xlsxType:
		return c.file(xlsxType, fileName(&h.Room, "xlsx"), record, WriteXLSX)
	}
	writeJSON(c.w, jsonType, http.StatusOK, attendanceOf(&h.Room, record))
	return nil
}

// record reads a room's attendance record, up to now. A great one takes longer
// than a store that is away is waited for elsewhere.
func (a *api) record(c *call, id room.ID) (*room.History, room.Record, error) {
	h, err := inTurn(requestTakesAtMost, a, c, readRecord, a.history(id))
	if err != nil {
		return nil, room.Record{}, err
	}
	return h, h.Record(a.Registrar.Now()), nil
}

const readRecord = "read an attendance record"

func (a *api) history(id room.ID) func(context.Context) (*room.History, error) {
	return func(ctx context.Context) (*room.History, error) { return a.Archive.History(ctx, id) }
}

func (a *api) setPolicy(c *call) (int, room.Policy, error) {
	command, err := c.lead()
	if err != nil {
		return 0, room.Policy{}, err
	}
	return http.StatusOK, c.Policy, a.do(c, command, nil)
}

// correct answers with the person's part of the record as it is then.
func (a *api) correct(c *call) (int, room.Attendance, error) {
	c.User = c.r.PathValue("user")
	command, err := c.lead()
	if err == nil {
		err = a.do(c, command, nil)
	}
	if err != nil {
		return 0, room.Attendance{}, err
	}
	// What is saved by now does not wait for those who only read.
	h, err := archivedWithin(requestTakesAtMost, a, c, readRecord, a.history(command.Room))
	if err != nil {
		return 0, room.Attendance{}, err
	}
	for _, person := range h.Record(a.Registrar.Now()).People {
		if person.User == command.User {
			return http.StatusOK, person, nil
		}
	}
	return 0, room.Attendance{}, room.ErrNotFound
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
		return negotiation.SelectQValue(strings.ToLower(strings.Join(c.r.Header.Values("Accept"), ",")), []string{jsonType, csvType, xlsxType}), nil
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

// fileName is a name that every file system takes: the room's title and day,
// which is the one it is scheduled for if it has not opened.
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
	day := h.OpenedAt
	if day.IsZero() {
		day = h.Options.StartsAt.Time
	}
	return strings.TrimLeft(title, ". ") + " " + day.UTC().Format(time.DateOnly) + "." + extension
}
