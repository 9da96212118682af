package hub

import (
	"net/http"
	"strconv"
	"time"

	"github.com/lectern-room/lectern/room"
)

// statusOf is the HTTP status of each refusal.
var statusOf = map[room.Code]int{
	room.CodeBadRequest:    http.StatusBadRequest,
	room.CodeUnauthorized:  http.StatusUnauthorized,
	room.CodeForbidden:     http.StatusForbidden,
	room.CodeBanned:        http.StatusForbidden,
	room.CodeNotFound:      http.StatusNotFound,
	room.CodeRoomFull:      http.StatusConflict,
	room.CodeRoomLocked:    http.StatusConflict,
	room.CodeNotStarted:    http.StatusConflict,
	room.CodeAlreadyOpen:   http.StatusConflict,
	room.CodeAlreadyInRoom: http.StatusConflict,
	room.CodeConflict:      http.StatusConflict,
	room.CodeRoomClosed:    http.StatusGone,
	room.CodeRateLimited:   http.StatusTooManyRequests,
	room.CodeUnavailable:   http.StatusServiceUnavailable,
	room.CodeInternal:      http.StatusInternalServerError,
}

// A problem is a refusal as HTTP has it (RFC 9457). What a program tells
// problems apart by is the code, the same as on a socket.
type problem struct {
	Type         string    `json:"type" doc:"Always about:blank: the code says what it is."`
	Title        string    `json:"title" doc:"The status in words."`
	Status       int       `json:"status"`
	Detail       string    `json:"detail" doc:"For people; says what is accepted where that helps."`
	Code         room.Code `json:"code" doc:"The same as in a socket's error."`
	Field        string    `json:"field,omitempty" doc:"The field, parameter or header that is wrong."`
	Room         room.ID   `json:"room_id,omitempty" doc:"The room that it is about."`
	RetryAfterMS int64     `json:"retry_after_ms,omitempty" doc:"When to try again."`
	StartsAt     *string   `json:"starts_at,omitempty" format:"date-time" doc:"not_started: when the room opens."`
	Incident     string    `json:"incident,omitempty" doc:"internal: the mark of the fault in the server's log."`
}

const problemType = "application/problem+json"

// writeProblem answers with an error.
func (h *Hub) writeProblem(w http.ResponseWriter, err error) {
	refusal := h.refusalOf(err)
	writeRefusal(w, statusOf[refusal.Code], refusal)
}

func writeRefusal(w http.ResponseWriter, status int, r *room.Refusal) {
	p := problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: r.Message, Code: r.Code,
		Field: r.Field, Room: r.Room, RetryAfterMS: r.RetryAfter.Milliseconds(),
		StartsAt: stampOrNull(r.StartsAt), Incident: r.Incident,
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="lectern"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		// Whole seconds, rounded up: a client that waits so long has waited long enough.
		seconds := max(1, (r.RetryAfter+time.Second-1)/time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	writeJSON(w, problemType, status, p)
}

// writeJSON answers with a body. That a client has gone is no concern of ours.
func writeJSON(w http.ResponseWriter, contentType string, status int, body any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(append(mustJSON(body), '\n'))
}
