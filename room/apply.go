package room

import (
	"slices"
	"time"
)

// Apply folds the room's next entry in, as it was decided here or elsewhere.
// It cannot fail; the entry's version must be the room's plus one.
func (r *Room) Apply(e Entry) {
	if r.ID == "" {
		r.ID = e.Room
	}
	r.latest = nil
	for i := range e.Events {
		r.apply(&e.Events[i], e.At)
	}
	r.latest = nil
	r.advance(e.Version, e.At)
}

// take is Apply of a step that Batch made of this very room: it is known what
// becomes of it.
func (r *Room) take(s *Step) {
	for _, p := range s.People {
		r.set(p.User, p)
	}
	r.Header, r.line, r.lobby = s.Room, s.line, s.lobby
}

func (r *Room) advance(version int64, at time.Time) {
	r.Version, r.At = version, at
	if r.Status == Closed {
		r.DueAt = time.Time{}
		return
	}
	if r.DueAt.IsZero() || !at.Before(r.DueAt) {
		r.DueAt = r.nextDue()
	}
}

func (r *Room) apply(e *Event, at time.Time) {
	switch e.Type {
	case EventOpened:
		r.Instructor = Caller{User: e.User, Name: e.Name, Role: Instructor}
		r.Status, r.Options, r.Slot = Scheduled, DefaultOptions(), e.Change.Slot
		r.change(*e.Change)
		if !r.Options.StartsAt.After(at) {
			r.Status, r.OpenedAt = Open, at
		}
	case EventStarted:
		r.Status, r.OpenedAt = Open, e.happened(at)
		r.DueAt = r.ClosesAt() // it may be over already
	case EventChanged:
		if e.Change.Code != "" {
			r.Renewals++
		}
		r.change(*e.Change)
	case EventPolicy:
		r.Policy = *e.Policy
	case EventClosed:
		r.Status, r.ClosedAt = Closed, e.happened(at)
		r.endAll()
	case EventErased: // nobody knows who that was: the room is read anew
	default:
		r.applyTo(e, at)
	}
}

func (r *Room) change(c Change) {
	if c.Title != nil {
		r.Title = *c.Title
	}
	if c.Capacity != nil {
		r.Capacity = *c.Capacity
	}
	if c.Options != nil {
		r.Options = c.Options.on(r.Options)
		r.DueAt = time.Time{} // all of it may be due at another time
	}
	if c.Code != "" {
		r.Code = c.Code
	}
}

// endAll ends every session; the people keep their seats for the record.
func (r *Room) endAll() {
	for _, p := range r.Roster() {
		if p.Online {
			gone := *p
			gone.Online, gone.AwayAt, gone.Sessions = false, time.Time{}, nil
			r.put(&gone)
		}
	}
	r.Online = 0
}

// applyTo folds in an event about one person.
func (r *Room) applyTo(e *Event, at time.Time) {
	p := Person{User: e.User, Name: string(e.User)}
	old := r.people[e.User]
	if old != nil {
		p = *old
	}
	r.tally(p.State, -1)
	switch e.Type {
	case EventJoined:
		p.Name, p.Guest, p.JoinedAt = e.Name, e.Guest, at
		p.give(e.State, e.Seat, e.Place)
		if p.FirstJoinedAt.IsZero() {
			p.FirstJoinedAt = at
		}
		if e.Offline {
			p.OfflineAt = at
		}
	case EventAdmitted:
		p.give(Waiting, 0, e.Place)
	case EventSeated:
		p.give(Seated, e.Seat, 0)
	case EventRenamed:
		p.Name = e.Name
	case EventLeft:
		r.shown(&p, false)
		p.give(e.Reason.after(), 0, 0)
		p.LeftAt, p.LeftFor, p.AwayAt, p.OfflineAt, p.Sessions = at, e.Reason, time.Time{}, time.Time{}, nil
		if e.Reason == ReasonBanned {
			p.BannedAt = at
		}
	case EventBanned:
		p.State, p.BannedAt = Banned, at
	case EventUnbanned:
		p.State, p.BannedAt = Removed, time.Time{}
	case EventConnected:
		p.Sessions = append(slices.Clip(p.Sessions), Session{ID: e.Session, Instance: e.Instance, Since: at})
		p.AwayAt, p.OfflineAt = time.Time{}, time.Time{}
		r.shown(&p, true)
	case EventDisconnected:
		i := p.session(e.Session)
		p.Sessions = slices.Delete(slices.Clone(p.Sessions), i, i+1)
		if len(p.Sessions) == 0 {
			p.AwayAt = e.At
		}
	case EventOffline:
		p.AwayAt, p.OfflineAt = time.Time{}, at
		r.shown(&p, false)
	case EventCorrected:
		p.correct(e, at)
	}
	r.tally(p.State, 1)
	if due := r.dueOf(&p); !due.IsZero() {
		r.DueAt = earlier(r.DueAt, due)
	}
	if old != nil && old == r.latest && old.State == p.State && old.Seat == p.Seat && old.Place == p.Place {
		*old = p // nobody has seen the one before: most join with a socket
		r.mark(old)
		return
	}
	kept := p
	r.put(&kept)
	r.latest = &kept
}

// give sets what place p has.
func (p *Person) give(s State, seat int, place int64) {
	p.State, p.Seat, p.Place = s, seat, place
	if seat > 0 {
		p.LastSeat = seat
	}
}

func (p *Person) correct(e *Event, at time.Time) {
	p.Correction = nil
	if e.Status != "" {
		p.Correction = &Correction{Status: e.Status, Reason: e.Why, By: e.By, At: at}
	}
}

// tally counts one member more or less.
func (r *Room) tally(s State, by int) {
	switch s {
	case Seated:
		r.Taken += by
	case Waiting:
		r.Waiting += by
	case Pending:
		r.Pending += by
	}
}

// shown sets whether p is shown online.
func (r *Room) shown(p *Person, online bool) {
	if p.Online != online {
		p.Online = online
		if online {
			r.Online++
		} else {
			r.Online--
		}
	}
}

// after is the state of someone who lost the place for this reason.
func (why Reason) after() State {
	switch why {
	case ReasonBanned:
		return Banned
	case ReasonRemoved:
		return Removed
	}
	return Left
}

// happened is when the event truly happened, which is the time of its entry
// unless it says otherwise.
func (e *Event) happened(at time.Time) time.Time {
	if e.At.IsZero() {
		return at
	}
	return e.At
}

// endedBy adds the sessions that were p's, who may be nobody, and are not q's,
// who is p later.
func (p *Person) endedBy(q *Person, ended []Session) []Session {
	if p == nil {
		return ended
	}
	for _, s := range p.Sessions {
		if !slices.Contains(q.Sessions, s) {
			ended = append(ended, s)
		}
	}
	return ended
}

// session returns the index of an open session, -1 if it is none.
func (p *Person) session(id SessionID) int {
	return slices.IndexFunc(p.Sessions, func(s Session) bool { return s.ID == id })
}
