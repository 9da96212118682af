package room

import "time"

// Decide returns what happens when c is carried out at the given time, or the
// Refusal to send back. No events and no error: it had been so already. It
// changes nothing: see Apply.
func (r *Room) Decide(c Command, at time.Time) ([]Event, error) {
	switch c.Type {
	case CommandOpen:
		return r.open(c)
	case CommandJoin:
		return r.join(c)
	case CommandConnect:
		return r.connect(c)
	case CommandDisconnect:
		return r.disconnect(c, at)
	case CommandLeave:
		return r.leave(c)
	case CommandReap:
		return r.reap(c, at)
	case CommandTick:
		return nil, nil // what is due goes before every batch
	}
	if !r.LedBy(c.By) {
		return nil, ErrForbidden
	}
	switch c.Type {
	case CommandClose:
		return r.close()
	case CommandUnban:
		return r.unban(c)
	}
	if r.Status == Closed {
		return nil, ErrClosed
	}
	switch c.Type {
	case CommandUpdate:
		return r.update(c)
	case CommandStart:
		return nil, nil // no room is scheduled yet, so every room has started
	case CommandAdmit:
		return r.admit(c)
	case CommandRemove:
		return r.remove(c)
	}
	return nil, BadField("type", "a request of the protocol")
}

func (r *Room) open(c Command) ([]Event, error) {
	if r.Version > 0 {
		return nil, nil
	}
	return []Event{{Type: EventOpened, User: c.By.User, Name: c.By.Name, Change: c.Change}}, nil
}

// join gives the lowest free seat to someone who may come in. Whoever has a
// place keeps it, however full, locked or renewed the room is by now.
func (r *Room) join(c Command) ([]Event, error) {
	if err := r.admission(c); err != nil {
		return nil, err
	}
	if p := r.Member(c.By.User); p != nil {
		return r.connected(p, c), nil
	}
	if err := r.seatFor(c); err != nil {
		return nil, err
	}
	joined := Event{
		Type: EventJoined, User: c.By.User, Name: c.By.Name, Guest: c.By.Guest(),
		State: Seated, Seat: r.lowestFree(),
	}
	return append([]Event{joined}, session(c, true)...), nil
}

// admission refuses who may not know of the room, or not come back to it.
func (r *Room) admission(c Command) error {
	member := r.Member(c.By.User) != nil
	switch {
	case c.By.Role != Student:
		return ErrNotStudent
	case r.Status == Closed && c.Code != "":
		return ErrNotFound
	case r.banned(c.By.User) && (c.Code == r.Code || c.Code == ""):
		return ErrBanned
	case !member && c.Code != r.Code && !(c.Code == "" && r.invites(c.Invite)):
		return ErrNotFound
	case r.Status == Closed:
		return ErrClosed
	}
	return nil
}

// seatFor refuses a newcomer whom the room's options or its seats keep out.
// The waiting list, approval and the schedule belong here.
func (r *Room) seatFor(c Command) error {
	switch {
	case c.By.Guest() && !r.Options.Guests:
		return ErrNoGuests
	case r.Options.Locked:
		return ErrLocked
	case r.Taken >= r.Capacity:
		return ErrFull
	}
	return nil
}

func (r *Room) banned(u UserID) bool {
	p := r.people[u]
	return p != nil && p.State == Banned
}

func (r *Room) invites(i *Invitation) bool {
	return i != nil && i.Room == r.ID && i.Renewals == r.Renewals
}

// connect brings a socket back to a place that its person has.
func (r *Room) connect(c Command) ([]Event, error) {
	p := r.Member(c.By.User)
	switch {
	case c.By.Role != Student:
		return nil, ErrNotStudent
	case r.banned(c.By.User):
		return nil, ErrBanned
	case p == nil:
		return nil, ErrNotFound
	case r.Status == Closed:
		return nil, ErrClosed
	}
	return r.connected(p, c), nil
}

// connected returns what a further socket of a member changes: the session
// and, if the passport has another name now, the name.
func (r *Room) connected(p *Person, c Command) []Event {
	var events []Event
	if c.By.Name != p.Name {
		events = append(events, Event{Type: EventRenamed, User: p.User, Name: c.By.Name})
	}
	if p.session(c.Session) < 0 {
		events = append(events, session(c, !p.Online)...)
	}
	return events
}

// session returns what the coming of the command's socket, if it has one,
// changes; online: it shows the person online.
func session(c Command, online bool) []Event {
	if c.Session == "" {
		return nil
	}
	return []Event{{Type: EventConnected, User: c.By.User, Session: c.Session, Instance: c.Instance, Online: online}}
}

func (r *Room) disconnect(c Command, at time.Time) ([]Event, error) {
	p := r.people[c.By.User]
	if p == nil {
		return nil, nil
	}
	i := p.session(c.Session)
	if i < 0 {
		return nil, nil
	}
	return []Event{r.ended(p.Sessions[i], p, c.At, at)}, nil
}

// reap ends the sessions of an instance that died, at its last beat.
func (r *Room) reap(c Command, at time.Time) ([]Event, error) {
	var events []Event
	for _, p := range r.Roster() {
		for _, s := range p.Sessions {
			if s.Instance == c.Instance {
				events = append(events, r.ended(s, p, c.At, at))
			}
		}
	}
	return events, nil
}

// ended is the end of a session that is recorded now and happened at t, as far
// as that can be: in milliseconds, neither in the future nor after the room
// closes by itself nor before the session began.
func (r *Room) ended(s Session, p *Person, t, now time.Time) Event {
	t = t.UTC().Truncate(time.Millisecond)
	if t.After(now) || t.IsZero() {
		t = now
	}
	return Event{Type: EventDisconnected, User: p.User, Session: s.ID, At: later(earlier(t, r.ClosesAt()), s.Since)}
}

func (r *Room) leave(c Command) ([]Event, error) {
	p := r.Member(c.By.User)
	if p == nil || r.Status == Closed {
		return nil, nil
	}
	return []Event{{Type: EventLeft, User: p.User, Reason: ReasonLeft, Command: c.ID}}, nil
}

func (r *Room) update(c Command) ([]Event, error) {
	change := r.news(*c.Change)
	if change == (Change{}) {
		return nil, nil
	}
	if change.Capacity != nil && *change.Capacity < r.Taken {
		return nil, ErrConflict
	}
	return []Event{{Type: EventChanged, Change: &change}}, nil
}

// news returns what of c is not so already.
func (r *Room) news(c Change) Change {
	if c.Title != nil && *c.Title == r.Title {
		c.Title = nil
	}
	if c.Capacity != nil && *c.Capacity == r.Capacity {
		c.Capacity = nil
	}
	if c.Options != nil && c.Options.on(r.Options) == r.Options {
		c.Options = nil
	}
	return c
}

// admit answers for a room without approval and waiting list, which is every
// room as long as OptionsEdit.UnmarshalJSON refuses them: nobody waits.
func (r *Room) admit(c Command) ([]Event, error) {
	if !c.All && r.Member(c.User) == nil {
		return nil, ErrNotFound
	}
	return nil, nil
}

func (r *Room) remove(c Command) ([]Event, error) {
	p := r.people[c.User]
	switch {
	case p != nil && p.State.Member() && c.Ban:
		return []Event{{Type: EventLeft, User: c.User, Reason: ReasonBanned}}, nil
	case p != nil && p.State.Member():
		return []Event{{Type: EventLeft, User: c.User, Reason: ReasonRemoved}}, nil
	case c.Ban && (p == nil || p.State != Banned):
		return []Event{{Type: EventBanned, User: c.User}}, nil
	}
	return nil, nil
}

func (r *Room) unban(c Command) ([]Event, error) {
	if !r.banned(c.User) {
		return nil, nil
	}
	return []Event{{Type: EventUnbanned, User: c.User}}, nil
}

func (r *Room) close() ([]Event, error) {
	if r.Status == Closed {
		return nil, nil
	}
	return []Event{{Type: EventClosed, Reason: ReasonInstructor}}, nil
}

// due returns what happens by itself up to the given time.
func (r *Room) due(at time.Time) []Event {
	if r.DueAt.IsZero() || at.Before(r.DueAt) {
		return nil
	}
	if !at.Before(r.ClosesAt()) {
		return []Event{{Type: EventClosed, Reason: ReasonExpired, At: later(r.ClosesAt(), r.At)}}
	}
	var events []Event
	for _, p := range r.Roster() {
		if !p.AwayAt.IsZero() && !at.Before(p.AwayAt.Add(OfflineAfter)) {
			events = append(events, Event{Type: EventOffline, User: p.User})
		}
	}
	return events
}
