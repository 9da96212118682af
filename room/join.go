package room

// join gives someone who may come in the lowest free seat, or a place among
// those who wait or are pending. Whoever has a place keeps it, however full,
// locked or renewed the room is by now.
func (r *Room) join(c Command) ([]Event, error) {
	if err := r.admission(c); err != nil {
		return nil, err
	}
	if p := r.Member(c.By.User); p != nil {
		return r.connected(p, c), nil
	}
	if err := r.entry(c); err != nil {
		return nil, err
	}
	joined := Event{Type: EventJoined, User: c.By.User, Name: c.By.Name, Guest: c.By.Guest(), Offline: c.Session == ""}
	switch {
	case r.Options.Approval:
		joined.State, joined.Place = Pending, r.nextPlace()
	case r.Taken < r.Capacity:
		joined.State, joined.Seat = Seated, r.freeSeat(0)
	case r.Options.Waitlist:
		joined.State, joined.Place = Waiting, r.nextPlace()
	default:
		return nil, ErrFull
	}
	return session(append(r.spare, joined), c, true), nil
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

// entry refuses a newcomer whom the room's options keep out.
func (r *Room) entry(c Command) error {
	switch {
	case c.By.Guest() && !r.Options.Guests:
		return ErrNoGuests
	case r.Status == Scheduled:
		return ErrNotStarted
	case r.Options.Locked:
		return ErrLocked
	case len(r.people) >= maxKnown && r.people[c.By.User] == nil:
		return ErrFull
	}
	return nil
}

// maxKnown bounds the people of whom a room knows anything, who has left too:
// a seat that someone's program takes under ever new names would else make the
// room too large to be loaded in time.
const maxKnown = 2 * MaxCapacity

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
	events := r.spare
	if c.By.Name != p.Name {
		events = append(events, Event{Type: EventRenamed, User: p.User, Name: c.By.Name})
	}
	if p.session(c.Session) < 0 {
		events = session(events, c, !p.Online)
	}
	return events
}

// session adds what the coming of the command's socket, if it has one,
// changes; online: it shows the person online.
func session(events []Event, c Command, online bool) []Event {
	if c.Session == "" {
		return events
	}
	return append(events, Event{Type: EventConnected, User: c.By.User, Session: c.Session, Instance: c.Instance, Online: online})
}
