package hub

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strconv"
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

	object   []byte // the room object with its code, at version objectAt
	objectAt int64
	first    []byte   // the roster's first page, an array, at version pagedAt
	further  [][]byte // frames with the other pages
	pagedAt  int64
}

// counts is what a count event says, but for the version.
type counts struct{ taken, capacity, waiting, online int }

func countsOf(r *room.Room) counts { return counts{r.Taken, r.Capacity, r.Waiting, r.Online} }

// hallOf returns a room's hall. Its caller holds the room's lock.
func (h *Hub) hallOf(id room.ID) *hall {
	if found, ok := h.halls.Load(id); ok {
		return found.(*hall)
	}
	hall := &hall{hub: h, id: id, members: map[*socket]bool{}, watchers: map[*socket]bool{}, touched: map[room.UserID]bool{}}
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

// vacate forgets a hall in which nobody is.
func (h *hall) vacate() {
	if len(h.members)+len(h.watchers) == 0 {
		h.roster.stop()
		h.count.stop()
		h.hub.halls.Delete(h.id)
	}
}

// Applied tells everyone here of an entry. It is called under the room's lock,
// after the replies to the commands in the entry.
func (h *Hub) Applied(r *room.Room, e *room.Entry) {
	for _, event := range e.Events {
		switch event.Type {
		case room.EventJoined:
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

// placed tells a person's other sockets of the new place.
func (h *Hub) placed(r *room.Room, e room.Event) {
	var frame []byte
	h.of(e.User, func(s *socket) {
		if s.inRoom() == r.ID {
			return // the socket that joined has it in the reply
		}
		if frame == nil {
			frame = frameOf(placeEvent{Type: "your_place", Room: r.ID, State: e.State, Seat: &e.Seat, Version: r.Version})
		}
		h.tell(s, "your_place", frame)
	})
}

// removed tells a person's sockets that the place is gone, but for the one
// that asked to leave, and takes them out of the room.
func (h *Hub) removed(r *room.Room, e room.Event) {
	reason := e.Reason
	if reason == room.ReasonLeft {
		reason = "left_elsewhere"
	}
	frame := frameOf(roomIDEvent{"you_were_removed", r.ID, reason})
	found, ok := h.halls.Load(r.ID)
	back := r.Person(e.User).Sessions // of those who came back in the same entry
	h.of(e.User, func(s *socket) {
		if s.staysWith(back) {
			return
		}
		if !s.leftWith(e.Command) {
			h.tell(s, "you_were_removed", frame)
		}
		if ok {
			found.(*hall).exit(s)
			found.(*hall).expel(r, slices.Values([]*socket{s}))
		}
	})
}

func (h *hall) applied(r *room.Room, e *room.Entry) {
	changed := false
	for _, event := range e.Events {
		switch event.Type {
		case room.EventChanged:
			changed = true
		case room.EventClosed:
			h.closed(r, event)
			return
		}
		if len(h.watchers) > 0 {
			touch(h.touched, event)
			if len(h.touched) > 0 && h.savedAt.IsZero() {
				h.savedAt = h.savedOf(e)
			}
		}
	}
	if changed {
		h.toAll(r)
		h.expel(r, maps.Keys(h.watchers))
	}
	h.tellRoster(r)
	h.tellCount(r)
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
	h.each(func(s *socket) {
		frame := without
		if seesCode(r, s.caller()) {
			frame = with
		}
		h.hub.tell(s, "room_changed", frame)
	})
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

// closed tells everyone the end, and empties the hall.
func (h *hall) closed(r *room.Room, e room.Event) {
	h.flushRoster(r)
	h.toAll(r)
	frame := frameOf(roomIDEvent{"room_closed", h.id, e.Reason})
	h.each(func(s *socket) {
		h.hub.tell(s, "room_closed", frame)
		h.exit(s)
		h.unwatch(s)
	})
}

// enter seats a socket in the room.
func (h *hall) enter(s *socket, session room.SessionID) {
	if len(h.members) == 0 {
		h.told = counts{}
	}
	h.members[s] = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in, s.session = h.id, session
}

func (h *hall) exit(s *socket) {
	delete(h.members, s)
	h.vacate()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in == h.id {
		s.in, s.session = "", ""
	}
	if !h.watchers[s] {
		delete(s.lagging, h.id)
	}
}

// leave is exit for the socket that asked for it.
func (h *hall) leave(s *socket, by room.CommandID) {
	h.exit(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.leftBy = h.id, by
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

// joined is the reply to a join: the room object is encoded once an entry,
// however many have joined with it.
func (h *hall) joined(q *request, o room.Outcome) []byte {
	if h.objectAt != o.Room.Version {
		h.object, h.objectAt = mustJSON(objectOf(&o.Room.Header, true)), o.Room.Version
	}
	b := make([]byte, 0, len(h.object)+128)
	b = append(append(b, `{"id":`...), q.ID...)
	b = append(append(b, `,"type":"joined","room":`...), h.object...)
	b = strconv.AppendInt(append(b, `,"seat":`...), int64(o.Answer.Seat), 10)
	b = strconv.AppendBool(append(b, `,"already":`...), o.Answer.Already)
	b = strconv.AppendInt(append(b, `,"version":`...), o.Room.Version, 10)
	return append(b, '}')
}
