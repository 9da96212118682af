package hub

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A hall is who sits in one room and who watches it, on this instance, and
// what they have been told. It is guarded by the room's lock.
type hall struct {
	hub      *Hub
	id       room.ID
	members  map[*socket]bool
	watchers map[*socket]bool

	touched map[room.UserID]bool // since from; true: not the presence alone
	from    int64                // the version up to which watchers were told
	savedAt time.Time            // when the first change since was durable
	roster  pacer
	count   pacer
	told    counts
	heard   int64 // the version of the last entry that it heard of; 0: of none

	line  map[room.UserID]int // those who wait, in here: the position that they were told last
	moved bool                // one of these positions may be another by now
	queue pacer               // of telling those in line

	objects objects
	first   []byte   // the roster's first page, an array, at version pagedAt
	further [][]byte // frames with the other pages
	pagedAt int64
}

// counts is what a count event says, but for the version.
type counts struct{ taken, capacity, waiting, online int }

func countsOf(r *room.Room) counts { return counts{r.Taken, r.Capacity, r.Waiting, r.Online} }

// hallOf returns a room's hall. Its caller holds the room's lock.
func (h *Hub) hallOf(id room.ID) *hall {
	if found, ok := h.halls.Load(id); ok {
		return found.(*hall)
	}
	hall := &hall{
		hub: h, id: id, members: map[*socket]bool{}, watchers: map[*socket]bool{},
		touched: map[room.UserID]bool{}, line: map[room.UserID]int{},
	}
	h.halls.Store(id, hall)
	return hall
}

// view looks at a room and its hall.
func (h *Hub) view(ctx context.Context, id room.ID, see func(*hall, room.View)) error {
	return h.Registrar.View(ctx, id, func(v room.View) {
		hall := h.hallOf(id)
		see(hall, v)
		hall.vacate()
	})
}

// Holds tells whether someone here is in a room or watches it. It is called
// under the room's lock.
func (h *Hub) Holds(id room.ID) bool {
	_, ok := h.halls.Load(id)
	return ok
}

// vacate forgets a hall in which nobody is, and about which nobody has to be
// told.
func (h *hall) vacate() {
	if len(h.members)+len(h.watchers)+len(h.line) == 0 {
		h.roster.stop()
		h.count.stop()
		h.queue.stop()
		h.hub.halls.Delete(h.id)
	}
}

// Applied tells everyone here of an entry. It is called under the room's lock,
// after the replies to the commands in the entry.
func (h *Hub) Applied(r *room.Room, e *room.Entry) {
	for _, event := range e.Events {
		switch event.Type {
		case room.EventJoined, room.EventAdmitted, room.EventSeated:
			h.placed(r, event)
		case room.EventLeft:
			h.removed(r, event)
		}
	}
	if found, ok := h.halls.Load(r.ID); ok {
		found.(*hall).applied(r, e)
	}
}

// tell gives a socket a frame, shared with others, that must arrive.
func (h *Hub) tell(s *socket, kind string, frame []byte) {
	h.Metrics.sent(kind, 1)
	s.conn.offer(frame, false)
}

// removed tells a person's sockets that the place is gone, but for the one
// that asked to leave, and takes them out of the room.
func (h *Hub) removed(r *room.Room, e room.Event) {
	frame := goneFrame(r.ID, e.Reason)
	found, ok := h.halls.Load(r.ID)
	back := r.Person(e.User).Sessions // of those who came back in the same entry
	h.of(e.User, func(s *socket) {
		stays := s.staysWith(back)
		if !stays && !s.leftWith(e.Command) {
			h.tell(s, "you_were_removed", frame)
		}
		if ok && !stays {
			found.(*hall).exit(s)
		}
		if ok {
			found.(*hall).expel(r, slices.Values([]*socket{s}))
		}
	})
}

// goneFrame tells someone that the place is gone.
func goneFrame(id room.ID, reason room.Reason) []byte {
	if reason == room.ReasonLeft {
		reason = "left_elsewhere"
	}
	return frameOf(roomIDEvent{"you_were_removed", id, reason})
}

func (h *hall) applied(r *room.Room, e *room.Entry) {
	h.expect(r, e.Version-1)
	changed, seated := false, false
	for _, event := range e.Events {
		switch event.Type {
		case room.EventChanged, room.EventStarted:
			changed = true
		case room.EventSeated:
			seated = true
		case room.EventClosed:
			h.closed(r, e, event)
			return
		}
		h.shift(r, event)
		if len(h.watchers) > 0 {
			touch(h.touched, event)
			h.touchedBy(e)
		}
	}
	switch {
	case changed:
		h.toAll(r)
		h.expel(r, maps.Keys(h.watchers))
	case seated:
		h.showCode(r, e)
	}
	h.tellRoster(r)
	h.tellCount(r)
	h.tellLine(r)
	h.vacate()
}

// expect has the watchers ask again if the hall has not heard of all entries
// up to a version: the room was read anew, and nobody said what has changed.
// Where the store has lost entries, what sockets know is no use to anyone.
func (h *hall) expect(r *room.Room, version int64) {
	switch {
	case version < h.heard:
		clear(h.touched) // some may never have been there
		h.savedAt, h.moved = time.Time{}, true
		h.each(func(s *socket) { s.conn.close(closeGoingAway, "the room was read anew") })
	case h.heard > 0 && h.heard != version:
		clear(h.touched)
		h.from, h.savedAt, h.moved = r.Version, time.Time{}, true
		h.spread("roster", h.watchers, textFrame(nudge(r)))
	}
	h.heard = r.Version
}

// touchedBy notes since when watchers wait to be told.
func (h *hall) touchedBy(e *room.Entry) {
	if len(h.touched) > 0 && h.savedAt.IsZero() {
		h.savedAt = h.savedOf(e)
	}
}

// savedOf returns when an entry was durable. One that was read from the store
// does not say; it is news now.
func (h *hall) savedOf(e *room.Entry) time.Time {
	if e.SavedAt.IsZero() {
		return h.hub.Registrar.Now()
	}
	return e.SavedAt
}

// expel ends the watching of those who have lost the right.
func (h *hall) expel(r *room.Room, sockets iter.Seq[*socket]) {
	for s := range sockets {
		if h.watchers[s] && !r.MayWatch(s.caller()) {
			h.unwatch(s)
			s.say(roomIDEvent{Type: "unwatch_forced", Room: h.id})
		}
	}
}

// toAll sends the room object to everyone here, with the code to those who
// may see it.
func (h *hall) toAll(r *room.Room) {
	with := frameOf(roomEvent{"room_changed", objectOf(&r.Header, true)})
	without := frameOf(roomEvent{"room_changed", objectOf(&r.Header, false)})
	offer, sent := offering(len(h.members)+len(h.watchers)), 0
	h.each(func(s *socket) {
		frame := without
		if seesCode(r, s.caller()) {
			frame = with
		}
		offer(s.conn, frame, false)
		sent++
	})
	h.hub.Metrics.sent("room_changed", sent)
}

// each calls f once for every socket in the room or watching it.
func (h *hall) each(f func(*socket)) {
	for s := range h.members {
		f(s)
	}
	for s := range h.watchers {
		if !h.members[s] {
			f(s)
		}
	}
}

// closed tells everyone the end, and that nobody is online any more, and
// empties the hall.
func (h *hall) closed(r *room.Room, e *room.Entry, end room.Event) {
	if len(h.watchers) > 0 {
		for _, p := range r.Roster() {
			touch(h.touched, room.Event{Type: room.EventOffline, User: p.User})
		}
		h.touchedBy(e)
		h.flushRoster(r)
	}
	h.toAll(r)
	frame := frameOf(roomIDEvent{"room_closed", h.id, end.Reason})
	h.each(func(s *socket) {
		h.hub.tell(s, "room_closed", frame)
		s.settle(h.id)
		h.exit(s)
		h.unwatch(s)
	})
	clear(h.line)
	h.vacate()
}

// enter puts a socket in the room.
func (h *hall) enter(s *socket, session room.SessionID) {
	if len(h.members) == 0 {
		h.told = counts{}
	}
	h.members[s] = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in, s.session, s.unsure, s.left = h.id, session, false, ""
}

// exit takes a socket out of the room. One whose join is not decided stays
// noted as in it, since its session would else be nobody's to end.
func (h *hall) exit(s *socket) {
	delete(h.members, s)
	h.vacate()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in == h.id && !s.unsure {
		s.in, s.session = "", ""
	}
	if !h.watchers[s] {
		delete(s.lagging, h.id)
	}
}

// leave is exit for the socket that asked for it.
func (h *hall) leave(s *socket, by room.CommandID) {
	s.settle(h.id)
	h.exit(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.leftBy = h.id, by
}

// settle notes that no join of that room by the socket will be decided any
// more.
func (s *socket) settle(id room.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in == id {
		s.unsure = false
	}
}

// leftWith tells whether the socket itself asked to leave by a command.
func (s *socket) leftWith(by room.CommandID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return by != "" && s.leftBy == by
}

// staysWith tells whether one of the sessions is the socket's.
func (s *socket) staysWith(sessions []room.Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(sessions, func(open room.Session) bool { return open.ID == s.session })
}

func (s *socket) inRoom() room.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.in
}
