package hub

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/lectern-room/lectern/room"
)

const (
	requestsPerSecond = 10 // more than people can click
	requestsAtOnce    = 20 // a page that comes back joins and watches at once
	// requestTakesAtMost is longer than the Registrar takes to give up.
	requestTakesAtMost = 5 * time.Second
	// snapshotsWaiting bounds the pages of snapshots that may wait for a socket
	// when it asks for another.
	snapshotsWaiting = 1 << 20
)

// A socket is one client's connection and what it is to rooms.
type socket struct {
	hub     *Hub
	conn    *conn
	invite  *room.Invitation // from the upgrade; nil: none
	address netip.Addr
	counted bool // in the hub

	// Owned by who receives.
	limiter  *rate.Limiter // of requests
	refusals *rate.Limiter // of requests beyond it; nil before the first

	mu       sync.Mutex // guards all below
	passport room.Passport
	in       room.ID        // the room that it is in, or asks to be
	session  room.SessionID // its session there
	unsure   bool           // the session may yet begin: a join is not decided
	watching map[room.ID]bool
	lagging  map[room.ID]bool // rooms of which it has missed a frame
	left     room.ID          // the room that it left last
	leftBy   room.CommandID   // and the command by which it did
}

// begin greets the socket and counts it in. One that has no place is told so,
// and not heard.
func (s *socket) begin() {
	result := s.hub.enter(s)
	s.counted = result == "ok"
	s.hub.Metrics.connection(result)
}

// run is the rest of the socket's life.
func (s *socket) run() {
	s.conn.serve(s.message)
	s.end()
}

func (s *socket) end() {
	if s.counted {
		s.hub.exit(s)
		s.gone()
	}
	s.hub.Metrics.closed(s.conn)
	s.hub.sockets.Done()
}

// sayWhen tells the socket to come back, elsewhere or later, after a time.
func (s *socket) sayWhen(after time.Duration) {
	s.say(drainingEvent{"draining", after.Milliseconds()})
}

// gone takes a closed socket out of its rooms. Its person keeps the place.
func (s *socket) gone() {
	ctx, cancel := context.WithTimeout(context.Background(), requestTakesAtMost)
	defer cancel()
	s.mu.Lock()
	in, session := s.in, s.session
	rooms := make([]room.ID, 0, 1+len(s.watching))
	for id := range s.watching {
		rooms = append(rooms, id)
	}
	s.mu.Unlock()
	if in != "" {
		rooms = append(rooms, in)
		s.hub.Registrar.Ask(room.Command{
			Type: room.CommandDisconnect, Room: in, By: s.caller(), Session: session,
			At: s.hub.Registrar.Now().Add(-time.Since(s.conn.goneAt())),
		}, nil)
	}
	for _, id := range rooms {
		s.hub.view(ctx, id, func(h *hall, v room.View) {
			h.exit(s)
			h.unwatch(s)
		})
	}
}

func (s *socket) user() room.UserID { return s.caller().User }

func (s *socket) caller() room.Caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passport.Caller
}

func (s *socket) visitor() visitor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return visitor{s.passport, s.invite, s.address}
}

// say offers a message that must arrive.
func (s *socket) say(message told) {
	s.hub.Metrics.sent(message.kind(), 1)
	s.conn.offer(frameOf(message), false)
}

// sweep ends the socket whose passport has expired, and tells one that has
// missed frames and can take some again where the rooms are.
func (s *socket) sweep(now time.Time) {
	s.mu.Lock()
	expired := !now.Before(s.passport.ExpiresAt)
	var lagging map[room.ID]bool
	if len(s.lagging) > 0 && s.conn.idle() {
		lagging, s.lagging = s.lagging, nil
	}
	s.mu.Unlock()
	if expired {
		s.conn.close(closeExpired, "the passport has expired")
	}
	for id := range lagging {
		s.hub.view(context.Background(), id, func(h *hall, v room.View) { h.catchUp(s, v.Room) })
	}
}

// lag notes that the socket has missed a frame about a room.
func (s *socket) lag(id room.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lagging == nil {
		s.lagging = map[room.ID]bool{}
	}
	s.lagging[id] = true
}

// message carries out one request and returns when it has been answered, so
// that a socket's requests take effect in the order sent.
func (s *socket) message(data []byte) {
	began := time.Now()
	q, err := parseRequest(data)
	if delay := s.throttle(); delay > 0 {
		limited := room.Limited("requests", delay)
		s.hub.Metrics.limited("requests")
		s.refuse(q, limited)
		s.hub.Metrics.command(q.Type, began, limited)
		if s.refusals == nil {
			s.refusals = rate.NewLimiter(requestsPerSecond, requestsAtOnce)
		}
		if !s.refusals.Allow() {
			time.Sleep(delay) // who does not slow down is read more slowly
		}
		return
	}
	switch {
	case q.ID == nil:
		err = room.BadField("id", "an integer within 2^53, or a string of at most 64 bytes")
	case err == nil:
		err = s.carryOut(&q)
	}
	if err != nil {
		s.refuse(q, err)
	}
	s.hub.Metrics.command(q.Type, began, err)
}

// throttle takes a token and returns how long to wait where there is none.
func (s *socket) throttle() time.Duration {
	if s.limiter.Allow() {
		return 0
	}
	return max(1, time.Duration((1-s.limiter.Tokens())/requestsPerSecond*float64(time.Second)))
}

func (s *socket) refuse(q request, err error) {
	s.say(errorReply{reply{q.ID, "error"}, errorOf(s.hub.refusalOf(err))})
}

func (s *socket) carryOut(q *request) error {
	switch q.Type {
	case "open":
		return s.open(q)
	case "join":
		return s.join(q)
	case "leave":
		return s.leave(q)
	case "watch":
		return s.watch(q)
	case "unwatch":
		return s.unwatch(q)
	case "update", "start", "admit", "remove", "unban", "close":
		return s.lead(q)
	case "renew":
		return s.renew(q)
	case "ping":
		s.say(pongReply{reply{q.ID, "pong"}, room.Stamp(s.hub.Registrar.Now())})
		return nil
	}
	return room.BadField("type", accepted["type"])
}

func (s *socket) open(q *request) error {
	ctx, cancel := context.WithTimeout(context.Background(), requestTakesAtMost)
	defer cancel()
	h, already, err := s.hub.open(ctx, s.caller(), q)
	if err != nil {
		return err
	}
	s.say(openedReply{reply{q.ID, "opened"}, objectOf(h, true), s.hub.invitation(h), already})
	return nil
}

// join enters a room. While it is under way the socket counts as in the room,
// so that a socket that goes meanwhile leaves no session behind.
func (s *socket) join(q *request) error {
	c, err := s.hub.joining(context.Background(), q, s.visitor())
	if err != nil {
		return err
	}
	session, err := s.entering(c.Room)
	if err != nil {
		return err
	}
	c.Session, c.Instance = session, s.hub.Registrar.Self()
	err = s.ask(c, func(o room.Outcome) {
		if o.Err == nil {
			s.hub.hallOf(o.Room.ID).welcome(s, session, q, o)
		}
	})
	s.entered(c.Room, err)
	return s.hub.guessed(err, c, s.visitor())
}

// entering notes which room the socket is about to be in.
func (s *socket) entering(id room.ID) (room.SessionID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.in {
	case id:
	case "":
		// Of its own for each stay: nobody can tell by it who else was where.
		s.in, s.session = id, room.SessionID(room.NewToken())
	default:
		return "", room.ErrAlreadyInRoom.In(s.in)
	}
	s.unsure = true
	return s.session, nil
}

// entered takes back what entering noted if it came to nothing. Where it
// cannot be told (unavailable) the note stays, so that the session is ended.
func (s *socket) entered(id room.ID, err error) {
	if errors.Is(err, room.ErrUnavailable) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsure = false
	if err != nil && s.in == id {
		s.in, s.session = "", ""
	}
}

func (s *socket) leave(q *request) error {
	s.mu.Lock()
	id := cmp.Or(s.in, s.left)
	s.mu.Unlock()
	if q.Room != nil {
		var err error
		if id, err = q.roomID(); err != nil {
			return err
		}
	}
	if id == "" {
		return room.BadField("room_id", "a room's id: this socket is in no room")
	}
	return s.ask(room.Command{Type: room.CommandLeave, Room: id, By: s.caller()}, func(o room.Outcome) {
		if o.Err == nil {
			s.hub.hallOf(id).leave(s, o.Answer.Command)
			s.say(versionReply{reply: reply{q.ID, "left"}, Room: id, Version: o.Room.Version})
		}
	})
}

// ask has a command carried out. Then is called under the room's lock with
// what came of it, before anyone is told of what happened.
func (s *socket) ask(c room.Command, then func(room.Outcome)) error {
	_, err := s.hub.Registrar.Do(c, then)
	return in(err, c.Room)
}

// in adds the room to a refusal that is about it.
func in(err error, id room.ID) error {
	var refusal *room.Refusal
	if errors.As(err, &refusal) && refusal.Room == "" && refusal.Code != room.CodeNotFound && refusal.Code != room.CodeUnavailable {
		return refusal.In(id)
	}
	return err
}

// watch answers with the roster, or with what has changed since a version. Where
// that is ahead of this instance it looks up what is missing, once, or twice if
// the first was another watcher's look.
func (s *socket) watch(q *request) error {
	id, err := q.roomID()
	if err != nil {
		return err
	}
	if s.conn.sharedWaits() > snapshotsWaiting {
		return room.Limited("snapshots", time.Second)
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTakesAtMost)
	defer cancel()
	caller := s.caller()
	for looks := 2; ; looks-- {
		var refused error
		behind := false
		err = s.hub.view(ctx, id, func(h *hall, v room.View) {
			switch {
			case !v.MayWatch(caller) && v.Status == room.Closed:
				refused = room.ErrClosed
			case !v.MayWatch(caller):
				refused = room.ErrNotWatching
			case looks > 0 && q.Since != nil && *q.Since > v.Version:
				behind = true
			default:
				h.watch(s, q, v)
			}
		})
		if err = errors.Join(err, refused); err != nil || !behind {
			return in(err, id)
		}
		looked, err := s.hub.reach(id)
		if err != nil {
			return err
		}
		if looked {
			looks = 1
		}
	}
}

func (s *socket) unwatch(q *request) error {
	id, err := q.roomID()
	if err != nil {
		return err
	}
	s.mu.Lock()
	watching := s.watching[id]
	s.mu.Unlock()
	if watching {
		s.hub.view(context.Background(), id, func(h *hall, _ room.View) { h.unwatch(s) })
	}
	s.say(roomReply{reply{q.ID, "unwatched"}, id})
	return nil
}

// lead carries out what only the room's instructor may ask.
func (s *socket) lead(q *request) error {
	c, err := q.leading(s.caller())
	if err != nil {
		return err
	}
	return s.ask(c, func(o room.Outcome) {
		if o.Err == nil {
			s.say(s.hub.led(q, o))
		}
	})
}

// renew replaces the passport by a fresh one of the same person.
func (s *socket) renew(q *request) error {
	now := s.hub.Registrar.Now()
	fresh, err := s.hub.Keys.Parse(q.Passport, now)
	if err != nil {
		s.hub.Metrics.refusedPassport(err)
		return room.ErrUnauthorized
	}
	s.mu.Lock()
	same := fresh.User == s.passport.User && fresh.Role == s.passport.Role
	if same {
		s.passport = fresh
	}
	s.mu.Unlock()
	if !same {
		return room.ErrUnauthorized
	}
	s.say(renewedReply{reply{q.ID, "renewed"}, room.Stamp(fresh.ExpiresAt)})
	return nil
}
