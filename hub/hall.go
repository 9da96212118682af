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

const (
	// rosterEvery and countEvery are how often a room's watchers and the
	// sockets in it are told of changes while changes keep coming. A change
	// after a pause is told at once.
	rosterEvery = 100 * time.Millisecond
	countEvery  = time.Second
	// pageSize is how many roster entries go into one frame.
	pageSize = 500
	// frameLimit is the largest frame that a client must take, less its
	// header. Deltas that would be larger are replaced by a nudge to watch
	// again, which is answered in pages.
	frameLimit = 1<<20 - 16
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

// A pacer lets a first event pass at once and those that follow it only every
// so often.
type pacer struct {
	last  time.Time
	timer *time.Timer
	set   bool
}

// ready tells whether the event may go now; if not, it calls later when it
// may.
func (p *pacer) ready(every time.Duration, later func()) bool {
	wait := every - time.Since(p.last)
	if wait <= 0 {
		p.last = time.Now()
		return true
	}
	if !p.set {
		p.set = true
		if p.timer == nil {
			p.timer = time.AfterFunc(wait, later)
		} else {
			p.timer.Reset(wait)
		}
	}
	return false
}

func (p *pacer) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.set = false
}

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
	h.of(e.User, func(s *socket) {
		if !s.leaves(r.ID, r.Version) {
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
		}
	}
	if changed {
		h.toAll(r)
		h.expel(r, maps.Keys(h.watchers))
	}
	h.tellRoster(r)
	h.tellCount(r)
}

// touch notes whom the next roster event is about.
func touch(touched map[room.UserID]bool, e room.Event) {
	switch e.Type {
	case room.EventJoined, room.EventRenamed, room.EventLeft:
		touched[e.User] = true
	case room.EventConnected, room.EventOffline:
		_, known := touched[e.User]
		if shown := e.Type == room.EventOffline || e.Online; shown && !known {
			touched[e.User] = false
		}
	}
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

// tellRoster sends what has happened to the watchers, now or when it may.
func (h *hall) tellRoster(r *room.Room) {
	if len(h.touched) > 0 && h.roster.ready(rosterEvery, h.later(&h.roster, (*hall).tellRoster)) {
		h.flushRoster(r)
	}
}

func (h *hall) tellCount(r *room.Room) {
	if len(h.members) == 0 || countsOf(r) == h.told || !h.count.ready(countEvery, h.later(&h.count, (*hall).tellCount)) {
		return
	}
	h.told = countsOf(r)
	frame := textFrame(appendCount(nil, r))
	h.spread("count", h.members, frame)
}

// later returns what a pacer's timer does: tell, with the room as it is then.
func (h *hall) later(p *pacer, tell func(*hall, *room.Room)) func() {
	return func() {
		h.hub.view(context.Background(), h.id, func(now *hall, v room.View) {
			p.set = false
			if now == h {
				tell(h, v.Room)
			}
		})
	}
}

// flushRoster sends one roster event: the state of everyone touched since the
// last.
func (h *hall) flushRoster(r *room.Room) {
	if len(h.touched) == 0 {
		return
	}
	d := deltaOf(r, h.from, h.touched)
	h.from = r.Version
	clear(h.touched)
	event := appendRoster(nil, r, d)
	if len(event) > frameLimit {
		event = nudge(r)
	}
	frame := textFrame(event)
	h.spread("roster", h.watchers, frame)
}

// nudge is a roster event that tells nothing and makes a watcher who is
// behind ask.
func nudge(r *room.Room) []byte { return appendRoster(nil, r, delta{from: r.Version}) }

func deltaOf(r *room.Room, from int64, touched map[room.UserID]bool) delta {
	d := delta{from: from}
	for u, whole := range touched {
		switch p := r.Person(u); {
		case !p.State.Member():
			d.left = append(d.left, p)
		case whole:
			d.joined = append(d.joined, p)
		case p.Online:
			d.online = append(d.online, p)
		default:
			d.offline = append(d.offline, p)
		}
	}
	slices.SortFunc(d.joined, func(a, b *room.Person) int { return a.Seat - b.Seat })
	return d
}

// spread gives sockets a frame that each may miss: the next one, or catchUp,
// makes up for it.
func (h *hall) spread(kind string, sockets map[*socket]bool, frame []byte) {
	for s := range sockets {
		if !s.conn.offer(frame, true) {
			s.lag(h.id)
		}
	}
	h.hub.Metrics.sent(kind, len(sockets))
}

// catchUp tells a socket that has missed frames where the room is.
func (h *hall) catchUp(s *socket, r *room.Room) {
	if h.watchers[s] {
		h.spread("roster", map[*socket]bool{s: true}, textFrame(nudge(r)))
	}
	if h.members[s] {
		h.spread("count", map[*socket]bool{s: true}, textFrame(appendCount(nil, r)))
	}
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
}

// leave is exit for the socket that asked for it.
func (h *hall) leave(s *socket, version int64) {
	h.exit(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.leftRoom = version, h.id
}

// leaves tells whether the socket itself asked for what happened at a version.
func (s *socket) leaves(id room.ID, version int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leftRoom == id && s.left == version
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

// watch makes s a watcher and answers with what has changed since the version
// that it has, or with the whole roster.
func (h *hall) watch(s *socket, q *request, v room.View) {
	if v.Status != room.Closed && !h.watchers[s] {
		h.beginWatch(s, v)
	}
	h.hub.Metrics.sent("watching", 1)
	head := append(append([]byte(`{"id":`), q.ID...), `,"type":"watching","room":`...)
	head = append(head, mustJSON(objectOf(&v.Header, seesCode(v.Room, s.caller())))...)
	head = strconv.AppendInt(append(head, `,"version":`...), v.Version, 10)
	if q.Since != nil {
		if deltas, ok := deltasSince(v, *q.Since); ok {
			s.conn.offerShared(textFrame(append(append(append(head, `,"deltas":`...), deltas...), '}')))
			return
		}
	}
	h.page(v.Room)
	head = append(append(head, `,"roster":`...), h.first...)
	head = strconv.AppendBool(append(head, `,"more":`...), len(h.further) > 0)
	s.conn.offerShared(textFrame(append(head, '}')))
	for _, frame := range h.further {
		h.hub.Metrics.sent("roster_page", 1)
		s.conn.offerShared(frame)
	}
}

func (h *hall) beginWatch(s *socket, v room.View) {
	if len(h.watchers) == 0 {
		h.from = v.Version
		clear(h.touched)
	}
	h.watchers[s] = true
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching == nil {
		s.watching = map[room.ID]bool{}
	}
	s.watching[h.id] = true
}

func (h *hall) unwatch(s *socket) {
	delete(h.watchers, s)
	h.vacate()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watching, h.id)
}

// page encodes the roster, once a version, however many ask for it.
func (h *hall) page(r *room.Room) {
	if h.pagedAt == r.Version {
		return
	}
	h.first, h.further, h.pagedAt = []byte("[]"), nil, r.Version
	roster := r.Roster()
	for i := 0; i < len(roster); i += pageSize {
		end := min(i+pageSize, len(roster))
		page := appendList(nil, roster[i:end], appendEntry)
		if i == 0 {
			h.first = page
		} else {
			h.further = append(h.further, textFrame(appendPage(nil, r, page, end < len(roster))))
		}
	}
}

// deltasSince returns the array of roster events that brings a watcher from a
// version to now: none or one. It returns false where that is not known any
// more or would be too much.
func deltasSince(v room.View, since int64) ([]byte, bool) {
	entries, ok := v.Since(since)
	if !ok {
		return nil, false
	}
	touched := map[room.UserID]bool{}
	for _, e := range entries {
		for _, event := range e.Events {
			touch(touched, event)
		}
	}
	if len(entries) == 0 {
		return []byte("[]"), true
	}
	b := appendRoster([]byte{'['}, v.Room, deltaOf(v.Room, since, touched))
	return append(b, ']'), len(b) < frameLimit/2
}
