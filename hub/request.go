package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lectern-room/lectern/room"
)

// A request is one message from a client, on a socket or as the body of an
// HTTP call. Which fields count depends on the type; others are ignored.
type request struct {
	ID       json.RawMessage   `json:"id"`
	Type     string            `json:"type"`
	Title    *string           `json:"title"`
	Capacity *int              `json:"capacity"`
	Options  *room.OptionsEdit `json:"options"`
	Key      string            `json:"key"`
	Code     string            `json:"code"`
	Room     *string           `json:"room_id"`
	Since    *int64            `json:"since"`
	NewCode  bool              `json:"new_code"`
	User     string            `json:"user"`
	All      bool              `json:"all"`
	Ban      bool              `json:"ban"`
	Passport string            `json:"passport"`
	Name     string            `json:"name"`
	Status   json.RawMessage   `json:"status"`
	Reason   string            `json:"reason"`
	room.Policy
}

// accepted says what the fields take, for those of the wrong type.
var accepted = map[string]string{
	"type": "the name of a request", "title": "1 to 200 characters", "capacity": "1 to 100000 seats",
	"options": "an object", "key": "a string of at most 64 bytes", "code": "a join code",
	"room_id": "a room's id", "since": "a version", "new_code": "true or false", "user": "a user id",
	"all": "true or false", "ban": "true or false", "passport": "a passport", "name": "1 to 80 characters",
	"status": "present, late, left_early, absent, or null to take a correction back", "reason": "1 to 200 characters",
	"present_percent": "a whole number, or null", "present_minutes": "a whole number, or null",
	"late_after_minutes": "a whole number, or null", "left_early_minutes": "a whole number, or null",
}

// parseRequest reads a message, in UTF-8. Where it refuses one, q.ID is set if
// it was usable all the same.
func parseRequest(data []byte) (q request, err error) {
	if !q.readPlain(data) {
		q, err = decodeRequest(data)
	}
	if !usableID(q.ID) {
		q.ID = nil
	}
	return q, err
}

func decodeRequest(data []byte) (q request, err error) {
	err = json.Unmarshal(data, &q)
	var wrong *json.UnmarshalTypeError
	var refusal *room.Refusal
	switch {
	case err == nil:
		return q, nil
	case errors.As(err, &refusal): // the decoder has read nothing after it
		var head struct {
			ID   json.RawMessage `json:"id"`
			Type string          `json:"type"`
		}
		json.Unmarshal(data, &head)
		q.ID, q.Type = head.ID, head.Type
		return q, refusal
	case errors.As(err, &wrong) && wrong.Field != "":
		field, _, _ := strings.Cut(strings.TrimPrefix(wrong.Field, "Policy."), ".")
		return q, room.BadField(field, accepted[field])
	}
	return q, room.BadField("", "one JSON object")
}

// readPlain reads the requests that come by the thousand as programs write
// them: see room.PlainObject.
func (q *request) readPlain(data []byte) bool {
	object := room.ReadPlain(data)
	for object.Next() {
		switch string(object.Name()) {
		case "id":
			q.ID = bytes.Clone(object.Value())
		case "type":
			q.Type = string(object.Text())
		case "code":
			q.Code = string(object.Text())
		case "room_id":
			id := string(object.Text())
			q.Room = &id
		case "since":
			since := object.Number()
			q.Since = &since
		default:
			return false
		}
	}
	return object.Plain()
}

// usableID tells whether a request can be answered: an integer within 2^53 or
// a string of at most 64 bytes.
func usableID(raw json.RawMessage) bool {
	if len(raw) > 0 && raw[0] == '"' {
		var s string
		return json.Unmarshal(raw, &s) == nil && len(s) <= 64
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return err == nil && n >= -1<<53 && n <= 1<<53 && !bytes.HasPrefix(raw, []byte("+"))
}

// change returns what an open or update request sets.
func (q *request) change() (*room.Change, error) {
	c := &room.Change{Title: q.Title, Capacity: q.Capacity, Options: q.Options}
	if q.NewCode {
		c.Code = room.NewCode()
	}
	return c, c.Check()
}

// opening returns what an open request asks for.
func (q *request) opening() (*room.Change, error) {
	switch {
	case q.Title == nil:
		return nil, room.BadField("title", accepted["title"])
	case q.Capacity == nil:
		return nil, room.BadField("capacity", accepted["capacity"])
	case len(q.Key) > 64 || !utf8.ValidString(q.Key) || strings.ContainsRune(q.Key, 0): // a header may have any bytes
		return nil, room.BadField("key", accepted["key"])
	}
	q.NewCode = false
	return q.change()
}

// correction returns the status that a correction sets, and why; both are ""
// if it is taken back.
func (q *request) correction() (status room.AttendanceStatus, reason string, err error) {
	if string(q.Status) == "null" {
		return "", "", nil
	}
	json.Unmarshal(q.Status, &status) // what is no text is no status
	switch status {
	case room.StatusPresent, room.StatusLate, room.StatusLeftEarly, room.StatusAbsent:
		return status, q.Reason, room.CheckText("reason", q.Reason, 200)
	}
	return "", "", room.BadField("status", accepted["status"])
}

// roomID returns the room that the request names.
func (q *request) roomID() (room.ID, error) {
	if q.Room == nil {
		return "", room.BadField("room_id", accepted["room_id"])
	}
	return checkRoomID(*q.Room)
}

// checkRoomID refuses what cannot be a room before any store is asked.
func checkRoomID(text string) (room.ID, error) {
	if len(text) != 26 || strings.Trim(text, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
		return "", room.ErrNotFound
	}
	return room.ID(text), nil
}

// user returns the person whom the request is about.
func (q *request) user() (room.UserID, error) {
	if !room.ValidUser(q.User) {
		return "", room.BadField("user", accepted["user"])
	}
	return room.UserID(q.User), nil
}
