package hub

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lectern-room/lectern/room"
)

// A visitor is who sent a request, as far as its passports and its address
// tell.
type visitor struct {
	passport room.Passport
	invite   *room.Invitation // nil: came with no room passport
	address  netip.Addr
}

// visitor finds and checks the passports of a request whose Host and Origin
// are allowed. Its errors are refusals.
func (h *Hub) visitor(r *http.Request, socket bool) (visitor, error) {
	found, err := carry(r, socket)
	if err != nil {
		return visitor{}, h.turnedAway(err)
	}
	v := visitor{address: subscriber(h.Proxies.client(r))}
	now := h.Registrar.Now()
	if v.passport, err = h.Keys.Parse(found.user, now); err != nil {
		return visitor{}, h.turnedAway(err)
	}
	if found.room != "" {
		invite, err := h.Keys.ParseInvitation(found.room, now)
		if err != nil {
			return visitor{}, h.turnedAway(err)
		}
		v.invite = &invite
	}
	return v, nil
}

// turnedAway counts a bad passport and hides what was wrong with it.
func (h *Hub) turnedAway(err error) error {
	var bad *room.BadPassport
	if !errors.As(err, &bad) {
		return err
	}
	h.Metrics.refusedPassport(err)
	return room.ErrUnauthorized
}

// open carries out an open request.
func (h *Hub) open(ctx context.Context, by room.Caller, q *request) (header *room.Header, already bool, err error) {
	if by.Role != room.Instructor {
		return nil, false, room.ErrNotInstructor
	}
	change, err := q.opening()
	if err != nil {
		return nil, false, err
	}
	id, already, err := h.Registrar.Open(ctx, by, *change, q.Key)
	if err != nil {
		return nil, false, err
	}
	header = &room.Header{}
	err = h.Registrar.View(ctx, id, func(v room.View) { *header = v.Header })
	return header, already, err
}

// invitationOutlives is how much longer than its room, as planned, a room
// passport is good: the room may be put off or prolonged, and its passport is
// void with it anyway.
const invitationOutlives = 365 * 24 * time.Hour

// invitation returns a room passport for a room, nil if the room is closed.
func (h *Hub) invitation(r *room.Header) *string {
	if r.Status == room.Closed {
		return nil
	}
	token, err := h.Keys.Invite(room.Invitation{Room: r.ID, Renewals: r.Renewals, ExpiresAt: r.ClosesAt().Add(invitationOutlives)})
	if err != nil {
		h.Log.Error("no room passport made: the room has a code alone", "room", r.ID, "err", err)
		return nil
	}
	return &token
}

// joining returns the command of a join request: by code, or by room with the
// room's passport or with a place there already.
func (h *Hub) joining(ctx context.Context, q *request, v visitor) (room.Command, error) {
	c := room.Command{Type: room.CommandJoin, By: v.passport.Caller}
	if v.invite != nil && h.Registrar.Now().Before(v.invite.ExpiresAt) {
		c.Invite = v.invite
	}
	switch {
	case c.By.Role != room.Student:
		return c, room.ErrNotStudent
	case q.Code == "" && q.Room == nil:
		return c, room.BadField("code", "a join code, or the room_id of a room that you were let into")
	case q.Code == "":
		id, err := q.roomID()
		c.Room = id
		if c.Invite == nil || c.Invite.Room != id {
			c.Type = room.CommandConnect
		}
		return c, err
	}
	if c.Code = room.ParseCode(q.Code); c.Code == "" {
		return c, room.BadField("code", "8 letters and digits")
	}
	if wait := h.guesses.wait(c.By, v.address); wait > 0 {
		h.Metrics.limited("codes")
		return c, room.Limited("wrong codes", wait)
	}
	id, err := h.resolve(ctx, c.Code)
	c.Room = id
	return c, h.guessed(err, c, v)
}

// guessed counts a join code that opened nothing.
func (h *Hub) guessed(err error, c room.Command, v visitor) error {
	if c.Code != "" && errors.Is(err, room.ErrNotFound) {
		h.guesses.wrong(c.By, v.address)
	}
	return err
}

// resolve returns the room of a join code. A code that has been seen is
// remembered: whether it is still the room's, the room decides. A whole hall
// that comes with a new one asks the store once.
func (h *Hub) resolve(ctx context.Context, code string) (room.ID, error) {
	if id, ok := h.codes.get(code); ok {
		return id, nil
	}
	found, err, _ := h.codes.asking.Do(code, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTakesAtMost) // others wait for it too
		defer cancel()
		id, err := h.Registrar.Resolve(ctx, code)
		if err == nil {
			h.codes.put(code, id)
		}
		return id, err
	})
	return found.(room.ID), err
}

// codesKept bounds what a codeCache holds: more than the rooms that are busy
// at one time.
const codesKept = 10_000

// A codeCache spares the store a look at every join. It is safe for
// concurrent use.
type codeCache struct {
	asking singleflight.Group

	mu    sync.Mutex // guards all below
	rooms map[string]room.ID
}

func (c *codeCache) get(code string) (room.ID, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.rooms[code]
	return id, ok
}

func (c *codeCache) put(code string, id room.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rooms == nil || len(c.rooms) >= codesKept {
		c.rooms = map[string]room.ID{}
	}
	c.rooms[code] = id
}

// leading returns the command of a request that only the room's instructor
// may make.
func (q *request) leading(by room.Caller) (room.Command, error) {
	c := room.Command{Type: room.CommandType(q.Type), By: by, All: q.All, Ban: q.Ban}
	if by.Role != room.Instructor {
		return c, room.ErrNotInstructor
	}
	var err error
	if c.Room, err = q.roomID(); err != nil {
		return c, err
	}
	switch c.Type {
	case room.CommandUpdate:
		c.Change, err = q.change()
	case room.CommandRemove, room.CommandUnban:
		c.User, err = q.user()
	case room.CommandAdmit:
		if !q.All {
			c.User, err = q.user()
		}
	case room.CommandPolicy:
		c.Policy, err = &q.Policy, q.Policy.Check()
	case room.CommandCorrect:
		if c.User, err = q.user(); err == nil {
			c.Status, c.Reason, err = q.correction()
		}
	}
	return c, err
}

// led is the reply to a request of leading that was carried out.
func (h *Hub) led(q *request, o room.Outcome) told {
	r := o.Room
	switch room.CommandType(q.Type) {
	case room.CommandAdmit:
		return versionReply{reply{q.ID, "admitted"}, r.ID, &o.Answer.Count, r.Version}
	case room.CommandRemove:
		return versionReply{reply: reply{q.ID, "person_removed"}, Room: r.ID, Version: r.Version}
	case room.CommandUnban:
		return versionReply{reply: reply{q.ID, "unbanned"}, Room: r.ID, Version: r.Version}
	case room.CommandClose:
		return updatedReply{reply: reply{q.ID, "closed"}, Room: objectOf(&r.Header, true)}
	}
	updated := updatedReply{reply: reply{q.ID, "updated"}, Room: objectOf(&r.Header, true)}
	if q.NewCode {
		updated.RoomPassport = h.invitation(&r.Header)
	}
	return updated
}

// refusalOf turns any error into one that a client may see. What is not a
// refusal is a fault: its text stays in the log, under the mark that the
// client is given.
func (h *Hub) refusalOf(err error) *room.Refusal {
	var refusal *room.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	internal := *room.ErrInternal
	internal.Incident = room.NewToken()
	h.Log.Error("a fault of the program: the client was given the incident's mark alone", "incident", internal.Incident, "err", err)
	return &internal
}
