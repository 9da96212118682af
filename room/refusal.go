package room

import (
	"errors"
	"time"
)

// A Code names a refusal on the wire.
type Code string

// The protocol's codes: add, never reuse.
const (
	CodeBadRequest    Code = "bad_request"
	CodeUnauthorized  Code = "unauthorized"
	CodeForbidden     Code = "forbidden"
	CodeBanned        Code = "banned"
	CodeNotFound      Code = "not_found"
	CodeRoomFull      Code = "room_full"
	CodeRoomLocked    Code = "room_locked"
	CodeNotStarted    Code = "not_started"
	CodeAlreadyOpen   Code = "already_open"
	CodeAlreadyInRoom Code = "already_in_room"
	CodeConflict      Code = "conflict"
	CodeRoomClosed    Code = "room_closed"
	CodeRateLimited   Code = "rate_limited"
	CodeUnavailable   Code = "unavailable"
	CodeInternal      Code = "internal"
)

// A Refusal is an error that the client may see. Any other error is
// CodeInternal to it. Two refusals are the same to errors.Is if their codes
// are.
type Refusal struct {
	Code    Code
	Message string // for people; says what is accepted where that helps

	Field      string        // the field that is wrong; empty: none is
	Room       ID            // the room it is about, where that helps
	RetryAfter time.Duration // when to try again; 0: unsaid
	StartsAt   time.Time     // not_started: when the room opens
	Incident   string        // internal: the fault's mark in the log
}

func (r *Refusal) Error() string {
	if r.Field != "" {
		return string(r.Code) + ": " + r.Field + ": " + r.Message
	}
	return string(r.Code) + ": " + r.Message
}

// Is makes refusals of one code the same to errors.Is.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t.Code == r.Code
}

// In returns the refusal with the room that it is about.
func (r Refusal) In(id ID) *Refusal {
	r.Room = id
	return &r
}

// The refusals whose text is fixed; BadField and Limited make the others.
var (
	ErrUnauthorized  = &Refusal{Code: CodeUnauthorized, Message: "the passport is missing or not valid"}
	ErrForbidden     = &Refusal{Code: CodeForbidden, Message: "this is for the room's instructor"}
	ErrNotStudent    = &Refusal{Code: CodeForbidden, Field: "role", Message: "only students take seats"}
	ErrNotInstructor = &Refusal{Code: CodeForbidden, Field: "role", Message: "only instructors open and lead rooms"}
	ErrNotWatching   = &Refusal{Code: CodeForbidden, Message: "the roster is not shown to you"}
	ErrNoGuests      = &Refusal{Code: CodeForbidden, Field: "guests", Message: "guests may not join this room"}
	ErrBanned        = &Refusal{Code: CodeBanned, Message: "the instructor has banned you from this room"}
	ErrNotFound      = &Refusal{Code: CodeNotFound, Message: "no such room or code"}
	ErrFull          = &Refusal{Code: CodeRoomFull, Message: "every seat is taken"}
	ErrLocked        = &Refusal{Code: CodeRoomLocked, Message: "the instructor has locked the room"}
	ErrNotStarted    = &Refusal{Code: CodeNotStarted, Message: "the room is not open yet"}
	ErrAlreadyOpen   = &Refusal{Code: CodeAlreadyOpen, Message: "you have a room open already: close it first"}
	ErrAlreadyInRoom = &Refusal{Code: CodeAlreadyInRoom, Message: "this socket is in another room: leave it first, or use another socket"}
	ErrConflict      = &Refusal{Code: CodeConflict, Field: "capacity", Message: "more seats than that are taken"}
	ErrStarted       = &Refusal{Code: CodeConflict, Field: "starts_at", Message: "the room has opened already"}
	ErrClosed        = &Refusal{Code: CodeRoomClosed, Message: "the room is closed"}
	ErrLimited       = &Refusal{Code: CodeRateLimited, Message: "too many requests: slow down"}
	ErrUnavailable   = &Refusal{Code: CodeUnavailable, Message: "the store cannot be reached: send it again"}
	ErrInternal      = &Refusal{Code: CodeInternal, Message: "a fault of the server"}
)

// Limited returns the refusal of what was asked too often: wait is when to try
// again, which is told in whole milliseconds.
func Limited(what string, wait time.Duration) *Refusal {
	r := *ErrLimited
	r.Message = "too many " + what + ": slow down"
	r.RetryAfter = (wait + time.Millisecond - 1).Truncate(time.Millisecond)
	return &r
}

// BadField returns the refusal of a request whose field is missing or out of
// range; accepted says what is accepted.
func BadField(field, accepted string) *Refusal {
	return &Refusal{Code: CodeBadRequest, Field: field, Message: accepted}
}

// Err returns the refusal that the answer stands for, nil if the command was
// done.
func (a Answer) Err() error {
	if a.Code == "" {
		return nil
	}
	for _, r := range [...]*Refusal{
		ErrForbidden, ErrNotStudent, ErrNoGuests, ErrBanned, ErrNotFound, ErrFull,
		ErrLocked, ErrNotStarted, ErrConflict, ErrStarted, ErrClosed,
	} {
		if r.Code == a.Code && r.Field == a.Field {
			return r
		}
	}
	return &Refusal{Code: a.Code, Field: a.Field, Message: string(a.Code)}
}

// refusal is the answer's, with what only the room knows.
func (r *Room) refusal(a *Answer) error {
	if a.Code == CodeNotStarted {
		notStarted := *ErrNotStarted
		notStarted.StartsAt = r.Options.StartsAt.Time
		return &notStarted
	}
	return a.Err()
}

// What a Store answers beside refusals. A caller compares with errors.Is.
var (
	// ErrStale: the room is not at the version before the entry's. Nothing
	// was saved.
	ErrStale = errors.New("the room has moved on")
	// ErrUnknown: it cannot be told whether the step was saved.
	ErrUnknown = errors.New("it cannot be told whether the step was saved")
)

// Claimed is a Store's answer to a step that claims a name which another room
// holds. Nothing was saved.
type Claimed struct {
	Key    string // the claim
	Holder ID     // the room that holds it
}

func (c *Claimed) Error() string {
	return "the name " + c.Key + " is taken by room " + string(c.Holder)
}
