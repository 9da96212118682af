package hub

import (
	"strconv"

	"github.com/lectern-room/lectern/room"
)

// A place is what a join is answered.
type place struct {
	state    room.State
	seat     int // 0: none
	position int // in the line; 0: none
}

// placeOf is the place that a join got. What came of it in the same entry is
// told next; where the room is further than that, nobody tells it any more.
func placeOf(o room.Outcome) place {
	if o.Room.Version != o.Entry.Version {
		return placeNow(o)
	}
	return place{o.Answer.State, o.Answer.Seat, o.Answer.Position}
}

// placeNow is the place that is left of it in the room as it is.
func placeNow(o room.Outcome) place {
	if p := o.Room.Member(o.Answer.User); p != nil {
		return place{p.State, p.Seat, o.Room.Position(p)}
	}
	return place{o.Answer.State, o.Answer.Seat, o.Answer.Position}
}

// welcome puts a socket in the room that its person has a place in, and
// answers its join.
func (h *hall) welcome(s *socket, session room.SessionID, q *request, o room.Outcome) {
	h.enter(s, session)
	at := placeOf(o)
	kind := "joined"
	if at.state != room.Seated {
		kind = "waiting_for_seat"
	}
	if _, told := h.line[s.user()]; at.position > 0 && !told {
		h.line[s.user()] = at.position
	}
	h.hub.Metrics.sent(kind, 1)
	s.conn.offer(finish(h.appendAnswer(draftFrame(placeSize), kind, q, o, at)), false)
	if o.Room.Version != o.Entry.Version && o.Room.Member(s.user()) == nil {
		h.hub.tell(s, "you_were_removed", goneFrame(o.Room.ID, o.Room.Person(s.user()).LeftFor))
		h.exit(s)
	}
}

// placeSize is what the reply to a join takes, for a title of usual length.
const placeSize = 768

// appendAnswer writes the reply to a join: the room object is encoded once an
// entry, however many have joined with it.
func (h *hall) appendAnswer(b []byte, kind string, q *request, o room.Outcome, at place) []byte {
	object := h.objects.of(o.Room, at.state == room.Seated)
	b = append(append(b, `{"id":`...), q.ID...)
	b = append(append(append(b, `,"type":"`...), kind...), `","room":`...)
	b = append(b, object...)
	if at.state == room.Seated {
		b = appendNumber(append(b, `,"seat":`...), int64(at.seat))
	} else {
		b = appendString(append(b, `,"state":`...), string(at.state))
		b = appendNumber(append(b, `,"position":`...), int64(at.position))
	}
	b = strconv.AppendBool(append(b, `,"already":`...), o.Answer.Already)
	b = strconv.AppendInt(append(b, `,"version":`...), o.Room.Version, 10)
	return append(b, '}')
}

// objects are the room object at a version, with its code and without.
type objects struct {
	version       int64
	with, without []byte
}

func (o *objects) of(r *room.Room, withCode bool) []byte {
	if o.version != r.Version {
		*o = objects{version: r.Version}
	}
	text := &o.without
	if withCode {
		text = &o.with
	}
	if *text == nil {
		*text = mustJSON(objectOf(&r.Header, withCode))
	}
	return *text
}

// placed tells a person's sockets of the place that an event gave, unless
// another event of the same entry took it again or made it another.
func (h *Hub) placed(r *room.Room, e room.Event) {
	p := r.Member(e.User)
	if p == nil || p.State != given(e) {
		return
	}
	var frame []byte
	here := false
	h.of(e.User, func(s *socket) {
		here = true
		if s.inRoom() == r.ID && e.Type == room.EventJoined {
			return // the socket that joined has it in the reply
		}
		if frame == nil {
			frame = textFrame(appendPlace(nil, r, p))
		}
		h.tell(s, "your_place", frame)
	})
	if !here || p.State != room.Waiting {
		return
	}
	line := h.hallOf(r.ID).line
	if _, answered := line[p.User]; !answered || e.Type != room.EventJoined {
		line[p.User] = r.Position(p)
	}
}

// given is the state that an event gives its person.
func given(e room.Event) room.State {
	switch e.Type {
	case room.EventAdmitted:
		return room.Waiting
	case room.EventSeated:
		return room.Seated
	}
	return e.State
}

// shift notes what an event does to the line.
func (h *hall) shift(r *room.Room, e room.Event) {
	if len(h.line) == 0 || e.Type != room.EventSeated && e.Type != room.EventLeft {
		return
	}
	h.moved = true
	if p := r.Member(e.User); p == nil || p.State != room.Waiting {
		delete(h.line, e.User)
	}
}

// tellLine tells those in line here who have moved where they stand, now or
// when it may.
func (h *hall) tellLine(r *room.Room) {
	if !h.moved || len(h.line) == 0 || !h.queue.ready(lineEvery, h.later(&h.queue, (*hall).tellLine)) {
		return
	}
	h.moved = false
	told := false
	for u, last := range h.line {
		p := r.Member(u)
		if p == nil {
			delete(h.line, u) // the store has lost the place
		} else if position := r.Position(p); last != position {
			h.line[u], told = position, true
			h.tellPosition(r, p)
		}
	}
	if !told {
		h.queue.rest() // nobody has moved: whoever does next is told at once
	}
}

// tellPosition tells all sockets of someone who waits. One that misses it is
// told by catchUp.
func (h *hall) tellPosition(r *room.Room, p *room.Person) {
	frame := textFrame(appendPlace(nil, r, p))
	h.hub.of(p.User, func(s *socket) { h.spare(s, "your_place", frame) })
}

// showCode sends the room object to those whom an entry gave a seat after they
// had waited: until then the code was not shown to them.
func (h *hall) showCode(r *room.Room, e *room.Entry) {
	frame := frameOf(roomEvent{"room_changed", objectOf(&r.Header, true)})
	for _, event := range e.Events {
		if event.Type != room.EventSeated {
			continue
		}
		h.hub.of(event.User, func(s *socket) {
			if h.members[s] && seesCode(r, s.caller()) {
				h.hub.tell(s, "room_changed", frame)
			}
		})
	}
}
