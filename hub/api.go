package hub

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lectern-room/lectern/room"
)

const (
	// bodyTakesAtMost is how long a client may take from a request's headers to
	// the end of its body: 32 KiB over a bad mobile network.
	bodyTakesAtMost = 5 * time.Second
	// readTakesAtMost is as long as the Registrar, too, waits for a store that
	// is away.
	readTakesAtMost = 2 * time.Second
	// dearReads is how many attendance records and parts of logs are read at
	// once: half of what the embedded store reads. Of a great room one takes
	// seconds, and those who join want the other half.
	dearReads = 2
)

// An api answers the HTTP calls of the protocol and describes them. It is
// static after construction but for health, calls and dear.
type api struct {
	*Hub
	routes      *http.ServeMux
	huma        huma.API
	health      health
	calls       *calls
	dear        chan struct{} // holds a token for each of dearReads
	description []byte        // of the API, as OpenAPI has it
}

// Handler returns what answers /v1, /openapi.json, /healthz and /readyz. The
// metrics read from it, so that there is one for each Hub.
func (h *Hub) Handler() http.Handler {
	a := &api{Hub: h, routes: http.NewServeMux(), health: health{archive: h.Archive}, calls: newCalls(), dear: make(chan struct{}, dearReads)}
	a.huma = humago.New(a.routes, described(h.Version))
	a.addCalls()
	a.description = a.describe()
	a.routes.HandleFunc("GET "+socketPath, a.socket)
	a.routes.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(a.description)
	})
	h.Metrics.shown.Store(a)
	return a.measured(h.Guard(a.started(http.HandlerFunc(a.route))))
}

// addCalls registers and describes every call.
func (a *api) addCalls() {
	a.addPassportCalls()
	a.addRoomCalls()
	a.addPeopleCalls()
	a.addAttendanceCall()
	a.addLogCall()
	a.addProbes()
}

// Guard refuses requests under a name, or from pages, that are not allowed,
// before anything else is looked at. Probes come under any name. It also
// bounds the wait for a body, wanted or not: net/http reads the rest of one
// that nobody has read.
func (h *Hub) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTakesAtMost))
		}
		if r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
			if err := h.Allow.check(r); err != nil {
				if r.URL.Path == socketPath {
					h.Metrics.connection("refused")
				}
				h.writeProblem(w, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// measured counts what was answered, and keeps answers out of caches: they
// are one person's, of one moment.
func (a *api) measured(next http.Handler) http.Handler {
	noStore, noSniff := []string{"no-store"}, []string{"nosniff"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &observed{ResponseWriter: w, status: http.StatusOK}
		header := w.Header()
		header["Cache-Control"], header["X-Content-Type-Options"] = noStore, noSniff
		next.ServeHTTP(seen, r)
		route := r.Pattern
		if route == "" {
			route = "none"
		}
		a.Metrics.answered(route, seen.status, began)
	})
}

// An observed answer remembers its status.
type observed struct {
	http.ResponseWriter
	status int
}

func (w *observed) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *observed) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// route calls what answers a request, and makes problems of the mux's own
// answers to those that nothing does.
func (a *api) route(w http.ResponseWriter, r *http.Request) {
	answer, pattern := a.routes.Handler(r)
	if pattern != "" {
		a.routes.ServeHTTP(w, r)
		return
	}
	unmatched := &unanswered{header: http.Header{}}
	answer.ServeHTTP(unmatched, r)
	if unmatched.status == http.StatusMethodNotAllowed {
		allowed := unmatched.header.Get("Allow")
		w.Header().Set("Allow", allowed)
		writeRefusal(w, unmatched.status, room.BadField("method", allowed))
		return
	}
	a.writeProblem(w, errNoCall)
}

var errNoCall = &room.Refusal{Code: room.CodeNotFound, Message: "no such call: see /openapi.json"}

// An unanswered request has headers and a status, but no body.
type unanswered struct {
	header http.Header
	status int
}

func (u *unanswered) Header() http.Header         { return u.header }
func (u *unanswered) WriteHeader(status int)      { u.status = status }
func (u *unanswered) Write(b []byte) (int, error) { return len(b), nil }

// socket answers GET /v1/socket. What is no handshake of a WebSocket (RFC
// 6455, 4.2.1) hears so as every other problem is told.
func (a *api) socket(w http.ResponseWriter, r *http.Request) {
	if err := checkHandshake(r); err != nil {
		if _, turned := a.visitor(r, true); turned != nil {
			a.Metrics.connection("refused")
			a.writeProblem(w, turned)
			return
		}
		a.Metrics.connection("failed")
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Version", "13")
		a.writeProblem(w, err)
		return
	}
	a.socketHandler(w, r)
}

func checkHandshake(r *http.Request) error {
	keys := r.Header["Sec-Websocket-Key"]
	switch {
	case r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1):
		return room.BadField("method", "GET of HTTP/1.1")
	case !hasToken(r.Header["Connection"], "upgrade"):
		return room.BadField("Connection", "Upgrade: this call opens a WebSocket")
	case !hasToken(r.Header["Upgrade"], "websocket"):
		return room.BadField("Upgrade", "websocket")
	case r.Header.Get("Sec-Websocket-Version") != "13":
		return room.BadField("Sec-WebSocket-Version", "13")
	case len(keys) != 1:
		return room.BadField("Sec-WebSocket-Key", "one value")
	}
	var key [18]byte // what 24 characters can hold
	encoded := strings.TrimSpace(keys[0])
	if len(encoded) == 24 {
		if n, err := base64.StdEncoding.Decode(key[:], []byte(encoded)); err == nil && n == 16 {
			return nil
		}
	}
	return room.BadField("Sec-WebSocket-Key", "16 bytes in base64")
}

// hasToken tells whether one of a header's values, which may be lists, has a
// token, in any case.
func hasToken(values []string, token string) bool {
	for _, list := range values {
		for each := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(each), token) {
				return true
			}
		}
	}
	return false
}

// A call is one HTTP request on its way through the API.
type call struct {
	w http.ResponseWriter
	r *http.Request
	visitor
	request // its body, if the operation has one
}

// handle has do answer an operation's requests, once their passports and
// their bodies have been read.
func (a *api) handle(o operation, do func(*call) error) {
	op := a.document(o)
	a.huma.Adapter().Handle(op, func(ctx huma.Context) {
		began := time.Now()
		c := &call{}
		c.r, c.w = humago.Unwrap(ctx)
		err := a.prepare(c, o)
		if c.Type = o.Type; err == nil {
			err = do(c)
		}
		if c.Type != "" {
			a.Metrics.called(c.Type, began, err)
		}
		if err != nil {
			a.writeProblem(c.w, err)
		}
	})
}

// answer is handle for operations that answer with a T.
func answer[T any](a *api, o operation, do func(*call) (status int, body T, err error)) {
	o.answer = a.schemaOf(new(T))
	a.handle(o, func(c *call) error {
		status, body, err := do(c)
		if err == nil {
			writeJSON(c.w, "application/json", status, body)
		}
		return err
	})
}

func (a *api) prepare(c *call, o operation) (err error) {
	if o.Public {
		c.address = subscriber(a.Proxies.client(c.r))
	} else if c.visitor, err = a.visitor(c.r, false); err != nil {
		return err
	}
	if o.Method != http.MethodGet {
		if wait := a.calls.take(c.passport.Caller, c.address); wait > 0 {
			a.Metrics.limited("requests")
			return room.Limited("requests", wait)
		}
	}
	if o.Body != nil || c.r.ContentLength != 0 {
		err = c.read(o.Body != nil)
	}
	return err
}

// read reads the body, and refuses what a page of another site could send
// without being asked for its origin.
func (c *call) read(wanted bool) error {
	media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return room.BadField("Content-Type", "application/json")
	}
	if !wanted {
		return nil
	}
	data, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxMessage))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return room.BadField("", "a body of at most 32 KiB")
	case err != nil || !utf8.Valid(data):
		return room.BadField("", "one JSON object, in UTF-8")
	}
	c.request, err = parseRequest(data)
	return err
}

// lead returns the command of a call about the room in the path that only its
// instructor may make.
func (c *call) lead() (room.Command, error) {
	id := c.r.PathValue("id")
	c.Room = &id
	return c.leading(c.passport.Caller)
}

// do has a command carried out, and calls see with what came of it.
func (a *api) do(c *call, command room.Command, see func(room.Outcome)) error {
	_, err := a.Registrar.Do(command, see)
	return in(err, command.Room)
}

// look calls see with the room in the path if the caller may know of it.
func (a *api) look(c *call, may func(*room.Room) bool, see func(*room.Room)) error {
	id, err := checkRoomID(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	allowed := false
	err = a.Registrar.View(c.r.Context(), id, func(v room.View) {
		if allowed = may(v.Room); allowed {
			see(v.Room)
		}
	})
	if err == nil && !allowed {
		return room.ErrNotFound
	}
	return err
}

// archived reads what only the store knows.
func archived[T any](a *api, c *call, step string, read func(context.Context) (T, error)) (T, error) {
	return archivedWithin(readTakesAtMost, a, c, step, read)
}

// inTurn is archivedWithin for what is dear to read. Half of the time is for
// the read, so that none is begun that has no chance.
func inTurn[T any](most time.Duration, a *api, c *call, step string, read func(context.Context) (T, error)) (T, error) {
	return archivedWithin(most, a, c, step, func(ctx context.Context) (found T, err error) {
		turn, cancel := context.WithTimeout(ctx, most/2)
		defer cancel()
		select {
		case a.dear <- struct{}{}:
			defer func() { <-a.dear }()
			return read(ctx)
		case <-turn.Done():
			return found, errBusy
		}
	})
}

var errBusy = &room.Refusal{Code: room.CodeUnavailable, Message: "too many read records and logs: try again", RetryAfter: time.Second}

func archivedWithin[T any](most time.Duration, a *api, c *call, step string, read func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(c.r.Context(), most)
	defer cancel()
	found, err := read(ctx)
	var refusal *room.Refusal
	if err == nil || errors.As(err, &refusal) {
		return found, err
	}
	a.Log.WarnContext(ctx, "the store did not answer: the caller is asked to try again", "step", step, "err", err)
	return found, room.ErrUnavailable
}

// A page says which part of a list is asked for.
type page struct {
	limit int
	after string // the key of the last item of the page before
}

// page reads which part is asked for of a list whose items have keys that
// isKey knows.
func (c *call) page(isKey func(string) bool) (page, error) {
	p := page{limit: 100}
	query := c.r.URL.Query()
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > 500 {
			return p, room.BadField("limit", "1 to 500")
		}
		p.limit = n
	}
	after, err := base64.RawURLEncoding.DecodeString(query.Get("cursor"))
	if err != nil || len(after) > 0 && !isKey(string(after)) {
		return p, errCursor
	}
	p.after = string(after)
	return p, nil
}

var errCursor = room.BadField("cursor", "the next_cursor of the page before")

// A list is one page of a list.
type list[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next_cursor" doc:"The cursor of the next page; null at the end."`
}

// cut makes a page of items that follow p.after; if there are too many, the
// rest is for the next one.
func cut[T any](p page, items []T, key func(T) string) list[T] {
	if len(items) <= p.limit {
		return list[T]{Items: append([]T{}, items...)}
	}
	items = items[:p.limit]
	next := base64.RawURLEncoding.EncodeToString([]byte(key(items[len(items)-1])))
	return list[T]{Items: items, Next: &next}
}

// follow returns those of items, which are in the order of their keys, that
// follow p.after.
func follow[T any](p page, items []T, key func(T) string) []T {
	first, found := slices.BinarySearchFunc(items, p.after, func(item T, after string) int { return strings.Compare(key(item), after) })
	if found {
		first++
	}
	return items[first:]
}
