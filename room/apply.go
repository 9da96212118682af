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
	for _, event := range e.Events {
		r.apply(event, e.At)
	}
	r.advance(e.Version, e.At)
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

// nextDue finds when something will be due; between entries DueAt is only
// brought forward, so that an entry costs no walk through the people.
func (r *Room) nextDue() time.Time {
	due := r.ClosesAt()
	for _, p := range r.people {
		if !p.AwayAt.IsZero() {
			due = earlier(due, p.AwayAt.Add(OfflineAfter))
		}
	}
	return due
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (r *Room) apply(e Event, at time.Time) {
	switch e.Type {
	case EventOpened:
		r.Instructor = Caller{User: e.User, Name: e.Name, Role: Instructor}
		r.Status, r.OpenedAt, r.Options, r.Slot = Open, at, DefaultOptions(), e.Change.Slot
		r.change(*e.Change)
	case EventChanged:
		if e.Change.Code != "" {
			r.Renewals++
		}
		r.change(*e.Change)
		r.DueAt = earlier(r.DueAt, r.ClosesAt())
	case EventClosed:
		r.Status, r.ClosedAt = Closed, at
		if !e.At.IsZero() {
			r.ClosedAt = e.At
		}
		r.endAll()
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
func (r *Room) applyTo(e Event, at time.Time) {
	p := Person{User: e.User, Name: string(e.User)}
	if old := r.people[e.User]; old != nil {
		p = *old
	}
	switch e.Type {
	case EventJoined:
		p.Name, p.Guest, p.State, p.Seat, p.LastSeat, p.JoinedAt = e.Name, e.Guest, e.State, e.Seat, e.Seat, at
		if p.FirstJoinedAt.IsZero() {
			p.FirstJoinedAt = at
		}
		r.Taken++
	case EventRenamed:
		p.Name = e.Name
	case EventLeft:
		r.Taken--
		r.shown(&p, false)
		p.State, p.Seat, p.LeftAt, p.AwayAt, p.Sessions = e.Reason.after(), 0, at, time.Time{}, nil
		if e.Reason == ReasonBanned {
			p.BannedAt = at
		}
	case EventBanned:
		p.State, p.BannedAt = Banned, at
	case EventUnbanned:
		p.State, p.BannedAt = Removed, time.Time{}
	case EventConnected:
		p.Sessions = append(slices.Clip(p.Sessions), Session{ID: e.Session, Instance: e.Instance, Since: at})
		p.AwayAt = time.Time{}
		r.shown(&p, true)
	case EventDisconnected:
		i := p.session(e.Session)
		p.Sessions = slices.Delete(slices.Clone(p.Sessions), i, i+1)
		if len(p.Sessions) == 0 {
			p.AwayAt = e.At
			r.DueAt = earlier(r.DueAt, p.AwayAt.Add(OfflineAfter))
		}
	case EventOffline:
		p.AwayAt = time.Time{}
		r.shown(&p, false)
	}
	r.put(&p)
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

// session returns the index of an open session, -1 if it is none.
func (p *Person) session(id SessionID) int {
	return slices.IndexFunc(p.Sessions, func(s Session) bool { return s.ID == id })
}
