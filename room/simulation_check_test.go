package room_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lectern-room/lectern/room"
)

// note learns how commands are named: what was asked first has the lower
// number.
func (w *world) note(commands []room.Command) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range commands {
		if n, err := strconv.Atoi(c.Reason); err == nil {
			w.asks[c.ID] = ask{n, c.By.User}
		}
	}
}

// unnamed gives commands other names, as if they had none.
func (w *world) unnamed(head []room.Queued) []room.Queued {
	head = slices.Clone(head)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range head {
		c := &head[i].Command
		known, ok := w.asks[c.ID]
		c.ID, c.AskedAt = room.CommandID("a"+room.NewToken()), w.now()
		if ok {
			w.asks[c.ID] = known
		}
	}
	return head
}

// save is called with the store's lock held, in place of every save.
func (w *world) save(step room.Step, save func() error) error {
	e := &step.Entry
	stored := w.store.rooms[e.Room]
	if stored == nil {
		return save()
	}
	at := int64(len(stored.log))
	again := e.Version <= at && stored.log[e.Version-1].Batch == e.Batch
	switch {
	case w.broken == rebases && e.Version != at+1 && !again, w.broken == savesTwice && again:
		e.Version = at + 1
		step.Room.Version = e.Version
		e.Batch += "+"
	case w.broken == loses && !again && e.Version == at+1 && w.draw(0).IntN(30) == 0:
		return nil
	}
	err := w.store.save(step)
	if err == nil && int64(len(w.store.rooms[e.Room].log)) > at {
		w.committed(step)
	}
	return err
}

// committed holds a step that was just saved to all that must be.
func (w *world) committed(step room.Step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sitting(step.Entry.Room)
	if s == nil || w.fault != "" {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			w.failing("version %d cannot be applied: %v", step.Entry.Version, p)
		}
	}()
	s.log = append(s.log, step.Entry)
	w.tally.entries++
	if step.Entry.At.Before(s.copy.At) || step.Entry.Version != s.copy.Version+1 {
		w.failing("version %d at %v follows %d at %v", step.Entry.Version, step.Entry.At, s.copy.Version, s.copy.At)
	}
	s.copy.Apply(step.Entry)
	w.tell("room %d version %d: %s", s.n, step.Entry.Version, summary(&step.Entry))
	w.checkRoom(s, step)
	for _, a := range step.Entry.Answers {
		w.checkDecided(a)
	}
}

// checkRoom holds a room to what is true of it at every moment.
func (w *world) checkRoom(s *sitting, step room.Step) {
	r, seats := s.copy, map[int]room.UserID{}
	for p := range r.People() {
		if p.Seat > 0 && seats[p.Seat] != "" {
			w.failing("%s and %s have seat %d", p.User, seats[p.Seat], p.Seat)
		}
		if p.Seat > 0 {
			seats[p.Seat] = p.User
		}
	}
	switch {
	case len(seats) > r.Capacity || r.Taken != len(seats):
		w.failing("%d people in %d seats, %d are counted", len(seats), r.Capacity, r.Taken)
	case r.Status == room.Open && r.Waiting > 0 && r.Taken < r.Capacity:
		w.failing("%d wait beside %d free seats", r.Waiting, r.Capacity-r.Taken)
	case !reflect.DeepEqual(r.Header, step.Room):
		w.failing("the store has %+v, the log makes %+v", step.Room, r.Header)
	}
}

// checkDecided sees that nothing is decided twice, or after what its person
// asked later.
func (w *world) checkDecided(a room.Answer) {
	known, ok := w.asks[a.Command]
	switch {
	case a.Type == room.CommandDisconnect || a.Type == room.CommandReap:
	case !ok || known.user != a.User:
		w.failing("a %s of %s was decided that nobody asked", a.Type, a.User)
	case w.decided[known.number]:
		w.failing("the %s of %s, ask %d, was decided twice", a.Type, a.User, known.number)
	case known.number < w.latest[a.User]:
		w.failing("the %s of %s, ask %d, was decided after ask %d", a.Type, a.User, known.number, w.latest[a.User])
	default:
		w.decided[known.number], w.latest[a.User] = true, known.number
	}
}

// checkAnswer holds what somebody is told to the store. Its caller holds mu.
func (s *visitor) checkAnswer(c room.Command, n int, o room.Outcome) {
	at := o.Entry.Version
	if at > int64(len(s.room.log)) {
		s.failing("%s of %s was answered from version %d that is not in the store", c.Type, s.caller.User, at)
		return
	}
	e := &s.room.log[at-1]
	i := slices.IndexFunc(e.Answers, func(a room.Answer) bool { return a == o.Answer })
	switch {
	case i < 0 && o.Room.Status != room.Closed: // then many are turned away without an entry
		s.failing("%s of %s was answered %+v, %v, which is not in version %d", c.Type, s.caller.User, o.Answer, o.Err, at)
	case i >= 0 && s.asks[o.Answer.Command].number != n:
		s.failing("ask %d got the answer of %d", n, s.asks[o.Answer.Command].number)
	}
}

// summary is an entry without what is random in it.
func summary(e *room.Entry) string {
	var b strings.Builder
	for _, a := range e.Answers {
		fmt.Fprintf(&b, " %s(%s)=%s%s,%d,%d,%d", a.Type, a.User, a.Code, a.State, a.Seat, a.Position, a.Count)
	}
	for _, v := range e.Events {
		fmt.Fprintf(&b, " %s:%s%s,%d,%s,%s,%d", v.Type, v.User, v.State, v.Seat, v.Session, v.Reason, v.At.UnixMilli())
	}
	return b.String()
}

// settled holds every machine, and all who watch there, to the store, when
// the faults have been over for long enough.
func (w *world) settled() {
	for _, m := range w.machines() {
		for _, s := range w.sits {
			m.settled(s)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sits {
		w.checkStays(s)
	}
}

func (m *machine) settled(s *sitting) {
	err := m.View(context.Background(), s.id, func(v room.View) { m.same("the room", v.Room, s.copy) })
	if err != nil {
		m.fail("a look at %s: %v", m.name, err)
	}
	m.seen.Lock()
	defer m.seen.Unlock()
	if copied := m.watched[s.id]; copied != nil {
		m.same("who watches", copied, s.copy)
	}
}

// same compares a copy with what the log makes.
func (m *machine) same(what string, got, want *room.Room) {
	if !reflect.DeepEqual(got.Header, want.Header) {
		m.fail("%s at %s has %+v, the log makes %+v", what, m.name, got.Header, want.Header)
		return
	}
	for p := range want.People() {
		q := got.Person(p.User)
		if q == nil || !samePerson(*p, *q) {
			m.fail("%s at %s has %+v, the log makes %+v", what, m.name, q, p)
		}
	}
}

func samePerson(p, q room.Person) bool {
	same := slices.Equal(p.Sessions, q.Sessions)
	p.Sessions, q.Sessions = nil, nil
	return same && reflect.DeepEqual(p, q)
}

// A span is one stay as the log has it.
type span struct {
	session room.SessionID
	user    room.UserID
	from    time.Time
}

// checkStays holds the stays that an attendance record is made of to what
// truly happened.
func (w *world) checkStays(s *sitting) {
	open := map[room.SessionID]*span{}
	for i := range s.log {
		for _, e := range s.log[i].Events {
			w.follow(open, &e, s.log[i].At)
		}
	}
	for id, stay := range open {
		if p := w.sockets[id]; p == nil || !p.gone.IsZero() {
			w.failing("a ghost: %s is in the room since %v, and its socket went", id, stay.from)
		}
	}
	for _, p := range slices.SortedFunc(maps.Values(w.sockets), func(a, b *plug) int { return cmp.Compare(a.session, b.session) }) {
		if p.room == s && p.gone.IsZero() && p.member > 0 && open[p.session] == nil && !s.lost(p) {
			w.failing("%s was told that it is in the room, and is not", p.session)
		}
	}
}

// follow folds an event into the stays that last, and checks those that end.
func (w *world) follow(open map[room.SessionID]*span, e *room.Event, at time.Time) {
	switch e.Type {
	case room.EventConnected:
		open[e.Session] = &span{session: e.Session, user: e.User, from: at}
		if p := w.sockets[e.Session]; p == nil || at.Before(p.asked.Truncate(time.Millisecond)) {
			w.failing("%s came at %v, before it asked", e.Session, at)
		}
	case room.EventDisconnected:
		if stay := open[e.Session]; stay != nil {
			w.checkEnd(stay, e.At)
		} else {
			w.failing("%s went, and was not there", e.Session)
		}
		delete(open, e.Session)
	case room.EventLeft, room.EventClosed:
		maps.DeleteFunc(open, func(_ room.SessionID, stay *span) bool {
			return e.Type == room.EventClosed || stay.user == e.User
		})
	}
}

// checkEnd sees that a stay ended when its socket went, or, where its machine
// died, at the machine's last beat.
func (w *world) checkEnd(stay *span, to time.Time) {
	w.tally.stays++
	p := w.sockets[stay.session]
	ended := func(at time.Time) bool {
		at = at.Truncate(time.Millisecond)
		return to.Equal(at) || at.Before(stay.from) && to.Equal(stay.from)
	}
	last, dead := w.store.beats[p.self], w.store.dead[p.self]
	switch {
	case p.gone.IsZero():
		w.failing("%s ended at %v, and its socket is there", p.session, to)
	case ended(p.gone):
	case dead && ended(last.Add(w.skew)):
	default:
		w.failing("%s ended at %v; it went at %v, the last beat of %s was at %v", p.session, to, p.gone, p.self, last.Add(w.skew))
	}
}

// lost tells whether the place of a socket's person was given up after it was
// told of it.
func (s *sitting) lost(p *plug) bool {
	for _, e := range s.log[p.member-1:] {
		if slices.ContainsFunc(e.Events, func(v room.Event) bool {
			return v.Type == room.EventClosed || v.Type == room.EventLeft && v.User == p.by.caller.User
		}) {
			return true
		}
	}
	return false
}
