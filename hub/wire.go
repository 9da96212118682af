package hub

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/lectern-room/lectern/room"
)

// stampOrNull is room.Stamp, and nil for a time that is not.
func stampOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := room.Stamp(t)
	return &s
}

// A roomObject is the protocol's room object.
type roomObject struct {
	ID         room.ID      `json:"id" doc:"The room's id: 26 characters."`
	Code       *string      `json:"code" doc:"The join code, 8 characters of Crockford base 32; null to whom it is not shown."`
	Title      string       `json:"title"`
	Capacity   int          `json:"capacity" doc:"Seats."`
	Status     room.Status  `json:"status" enum:"scheduled,open,closed"`
	Instructor person       `json:"instructor"`
	Options    room.Options `json:"options"`
	OpenedAt   *string      `json:"opened_at" format:"date-time" doc:"null while the room is scheduled."`
	ClosesAt   *string      `json:"closes_at" format:"date-time" doc:"When the room closes by itself; null while it is scheduled."`
	ClosedAt   *string      `json:"closed_at" format:"date-time"`
	Version    int64        `json:"version" doc:"The last durable step of the room's log, from 1."`
	Taken      int          `json:"taken" doc:"Seats taken."`
	Waiting    int          `json:"waiting" doc:"People in line for a seat."`
	Pending    int          `json:"pending" doc:"People whom the instructor has not admitted yet."`
	Online     int          `json:"online_count"`
}

type person struct {
	User room.UserID `json:"user"`
	Name string      `json:"name"`
}

// objectOf returns the room object, with the join code for those who may see
// it: the room's instructor and the seated.
func objectOf(h *room.Header, withCode bool) roomObject {
	o := roomObject{
		ID: h.ID, Title: h.Title, Capacity: h.Capacity, Status: h.Status,
		Instructor: person{h.Instructor.User, h.Instructor.Name}, Options: h.Options,
		OpenedAt: stampOrNull(h.OpenedAt), ClosedAt: stampOrNull(h.ClosedAt),
		Version: h.Version, Taken: h.Taken, Waiting: h.Waiting, Pending: h.Pending, Online: h.Online,
	}
	if !h.OpenedAt.IsZero() {
		o.ClosesAt = stampOrNull(h.ClosesAt())
	}
	if withCode {
		code := h.Code // the room is not locked when this is written
		o.Code = &code
	}
	return o
}

// seesCode tells whether the room's code is shown to the caller.
func seesCode(r *room.Room, c room.Caller) bool {
	p := r.Member(c.User)
	return r.LedBy(c) || p != nil && p.State == room.Seated
}

// A rosterEntry is the protocol's roster entry; appendEntry writes the same.
type rosterEntry struct {
	User     room.UserID `json:"user"`
	Name     string      `json:"name"`
	State    room.State  `json:"state" enum:"seated,waiting,pending"`
	Seat     *int        `json:"seat"`
	Place    *int64      `json:"place" doc:"Orders the waiting, and the pending; null for the seated."`
	Online   bool        `json:"online"`
	Guest    bool        `json:"guest"`
	JoinedAt string      `json:"joined_at" format:"date-time"`
}

func entryOf(p *room.Person) rosterEntry {
	e := rosterEntry{User: p.User, Name: p.Name, State: p.State, Online: p.Online, Guest: p.Guest, JoinedAt: room.Stamp(p.JoinedAt)}
	if p.Seat > 0 {
		e.Seat = &p.Seat
	}
	if p.Place > 0 {
		e.Place = &p.Place
	}
	return e
}

func appendEntry(b []byte, p *room.Person) []byte {
	b = appendString(append(b, `{"user":`...), string(p.User))
	b = appendString(append(b, `,"name":`...), p.Name)
	b = appendString(append(b, `,"state":`...), string(p.State))
	b = appendNumber(append(b, `,"seat":`...), int64(p.Seat))
	b = appendNumber(append(b, `,"place":`...), p.Place)
	b = strconv.AppendBool(append(b, `,"online":`...), p.Online)
	b = strconv.AppendBool(append(b, `,"guest":`...), p.Guest)
	b = room.AppendStamp(append(b, `,"joined_at":"`...), p.JoinedAt)
	return append(b, `"}`...)
}

// A delta is what a roster event says.
type delta struct {
	from    int64
	joined  []*room.Person
	left    []*room.Person
	online  []*room.Person
	offline []*room.Person
}

// What the parts of a roster event take, for names and ids of usual length.
const eventSize, entrySize, userSize = 256, 192, 48

// appendRoster writes the roster event that brings a watcher from d.from to
// the room as it is.
func appendRoster(b []byte, r *room.Room, d delta) []byte {
	b = slices.Grow(b, eventSize+entrySize*len(d.joined)+userSize*(len(d.left)+len(d.online)+len(d.offline)))
	b = appendString(append(b, `{"type":"roster","room_id":`...), string(r.ID))
	b = strconv.AppendInt(append(b, `,"from":`...), d.from, 10)
	b = strconv.AppendInt(append(b, `,"version":`...), r.Version, 10)
	b = appendList(append(b, `,"joined":`...), d.joined, appendEntry)
	b = appendList(append(b, `,"left":`...), d.left, appendLeft)
	b = appendList(append(b, `,"online":`...), d.online, appendUser)
	b = appendList(append(b, `,"offline":`...), d.offline, appendUser)
	b = strconv.AppendInt(append(b, `,"taken":`...), int64(r.Taken), 10)
	b = strconv.AppendInt(append(b, `,"waiting":`...), int64(r.Waiting), 10)
	b = strconv.AppendInt(append(b, `,"pending":`...), int64(r.Pending), 10)
	b = strconv.AppendInt(append(b, `,"online_count":`...), int64(r.Online), 10)
	return append(b, '}')
}

func appendLeft(b []byte, p *room.Person) []byte {
	b = appendString(append(b, `{"user":`...), string(p.User))
	b = appendString(append(b, `,"reason":`...), string(p.LeftFor))
	return append(b, '}')
}

func appendUser(b []byte, p *room.Person) []byte { return appendString(b, string(p.User)) }

func appendList(b []byte, people []*room.Person, one func([]byte, *room.Person) []byte) []byte {
	b = append(b, '[')
	for i, p := range people {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, p)
	}
	return append(b, ']')
}

func appendPage(b []byte, r *room.Room, page []byte, more bool) []byte {
	b = appendString(append(b, `{"type":"roster_page","room_id":`...), string(r.ID))
	b = strconv.AppendInt(append(b, `,"version":`...), r.Version, 10)
	b = append(append(b, `,"roster":`...), page...)
	b = strconv.AppendBool(append(b, `,"more":`...), more)
	return append(b, '}')
}

func appendCount(b []byte, r *room.Room) []byte {
	b = appendString(append(b, `{"type":"count","room_id":`...), string(r.ID))
	b = strconv.AppendInt(append(b, `,"version":`...), r.Version, 10)
	b = strconv.AppendInt(append(b, `,"taken":`...), int64(r.Taken), 10)
	b = strconv.AppendInt(append(b, `,"capacity":`...), int64(r.Capacity), 10)
	b = strconv.AppendInt(append(b, `,"waiting":`...), int64(r.Waiting), 10)
	b = strconv.AppendInt(append(b, `,"online_count":`...), int64(r.Online), 10)
	return append(b, '}')
}

// appendPlace writes the your_place event that tells p of the place in a room.
func appendPlace(b []byte, r *room.Room, p *room.Person) []byte {
	b = appendString(append(b, `{"type":"your_place","room_id":`...), string(r.ID))
	b = appendString(append(b, `,"state":`...), string(p.State))
	b = appendNumber(append(b, `,"seat":`...), int64(p.Seat))
	b = appendNumber(append(b, `,"position":`...), int64(r.Position(p)))
	b = strconv.AppendInt(append(b, `,"version":`...), r.Version, 10)
	return append(b, '}')
}

// helloSize is what a hello takes, for names and ids of usual length.
const helloSize = 256

// appendHello writes the hello event that tells a socket whose it is.
func appendHello(b []byte, p *room.Passport, now time.Time) []byte {
	b = appendString(append(b, `{"type":"hello","user":`...), string(p.User))
	b = appendString(append(b, `,"name":`...), p.Name)
	b = appendString(append(b, `,"role":`...), string(p.Role))
	b = room.AppendStamp(append(b, `,"expires_at":"`...), p.ExpiresAt)
	b = room.AppendStamp(append(b, `","now":"`...), now)
	return append(b, `"}`...)
}

// appendNumber writes a number that counts from 1; 0 is null.
func appendNumber(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, n, 10)
}

// appendString writes a JSON string. Its argument is valid UTF-8.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(b, `\u00`...)
			b = append(b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// The replies and events that are not on a hot path are written by
// encoding/json; id is the request's, as it came.
type reply struct {
	ID   json.RawMessage `json:"id,omitempty"`
	Type string          `json:"type"`
}

func (r reply) kind() string { return r.Type }

// A told message has a type, by which it is counted.
type told interface{ kind() string }

type openedReply struct {
	reply
	Room         roomObject `json:"room"`
	RoomPassport *string    `json:"room_passport"`
	Already      bool       `json:"already"`
}

type updatedReply struct {
	reply
	Room         roomObject `json:"room"`
	RoomPassport *string    `json:"room_passport,omitempty"`
}

type versionReply struct {
	reply
	Room    room.ID `json:"room_id"`
	Count   *int    `json:"count,omitempty"`
	Version int64   `json:"version"`
}

type roomReply struct {
	reply
	Room room.ID `json:"room_id"`
}

type roomIDEvent struct {
	Type   string      `json:"type"`
	Room   room.ID     `json:"room_id"`
	Reason room.Reason `json:"reason,omitempty"`
}

func (e roomIDEvent) kind() string { return e.Type }

type roomEvent struct {
	Type string     `json:"type"`
	Room roomObject `json:"room"`
}

func (e roomEvent) kind() string { return e.Type }

type renewedReply struct {
	reply
	ExpiresAt string `json:"expires_at"`
}

type pongReply struct {
	reply
	Now string `json:"now"`
}

type drainingEvent struct {
	Type             string `json:"type"`
	ReconnectAfterMS int64  `json:"reconnect_after_ms"`
}

func (e drainingEvent) kind() string { return e.Type }

// An errorReply is a refusal as a socket and, but for id and type, HTTP have it.
type errorReply struct {
	reply
	errorObject
}

type errorObject struct {
	Code         room.Code `json:"code"`
	Message      string    `json:"message"`
	Room         room.ID   `json:"room_id,omitempty"`
	RetryAfterMS int64     `json:"retry_after_ms,omitempty"`
	StartsAt     *string   `json:"starts_at,omitempty"`
	Field        string    `json:"field,omitempty"`
	Incident     string    `json:"incident,omitempty"`
}

func errorOf(r *room.Refusal) errorObject {
	return errorObject{
		Code: r.Code, Message: r.Message, Room: r.Room, RetryAfterMS: r.RetryAfter.Milliseconds(),
		StartsAt: stampOrNull(r.StartsAt), Field: r.Field, Incident: r.Incident,
	}
}

// frameOf encodes one of the messages above.
func frameOf(message any) []byte { return textFrame(mustJSON(message)) }

func mustJSON(message any) []byte {
	data, err := json.Marshal(message)
	if err != nil {
		panic(err) // a message type that is no JSON: a fault in this file
	}
	return data
}
