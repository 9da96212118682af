package room

import (
	"maps"
	"slices"
	"time"
)

// A client knows only what entries say: it holds who is where, in the order in
// which they came, and the open sessions, and checks each event as it comes.
type client struct {
	at       time.Time // of the last entry
	status   Status
	openedAt time.Time
	capacity int
	options  Options
	roster   map[UserID]standing
	line     []UserID // the waiting, in the order in which they came to wait
	lobby    []UserID // the pending
	open     map[SessionID]stay
}

// A standing is a member's, as the client knows it.
type standing struct {
	state     State
	seat      int
	place     int64
	online    bool
	awayAt    time.Time // when the last session ended, if shown online
	offlineAt time.Time // since when shown offline
}

type stay struct {
	user  UserID
	since time.Time
}

func newClient() *client {
	return &client{options: DefaultOptions(), roster: map[UserID]standing{}, open: map[SessionID]stay{}}
}

func (c *client) apply(g *game, entry Entry) {
	for _, e := range entry.Events {
		if known := *c; !c.fold(e, entry.At) {
			g.Fatalf("at %v this cannot be: %s\nknown: %+v", entry.At, inJSON(e), known)
		}
	}
	c.at = entry.At
}

// fold tells whether e could happen, and notes that it did.
func (c *client) fold(e Event, at time.Time) bool {
	m, member := c.roster[e.User]
	switch e.Type {
	case EventOpened, EventStarted, EventChanged, EventClosed:
		return c.status != Closed && c.foldRoom(e, at)
	case EventPolicy, EventCorrected, EventUnbanned:
		return true
	case EventBanned:
		return !member && c.status != Closed
	case EventJoined:
		m = standing{}
		if e.Offline {
			m.offlineAt = at
		}
		return !member && !c.options.Locked && c.status == Open && c.give(e, m, e.State)
	case EventAdmitted:
		return m.state == Pending && c.status == Open && c.give(e, m, Waiting)
	case EventSeated:
		return c.isNext(e.User) && c.status == Open && c.give(e, m, Seated)
	case EventLeft:
		c.drop(e.User)
		maps.DeleteFunc(c.open, func(_ SessionID, s stay) bool { return s.user == e.User })
		return member && c.status == Open && (e.Reason != ReasonLapsed || c.lapsed(m, at))
	}
	return member && c.status == Open && c.foldPresence(e, m, at)
}

func (c *client) foldRoom(e Event, at time.Time) bool {
	ok := true
	switch e.Type {
	case EventOpened:
		c.change(*e.Change)
		c.status, c.openedAt = Open, at
		if c.options.StartsAt.After(at) {
			c.status, c.openedAt = Scheduled, time.Time{}
		}
	case EventStarted:
		ok = c.status == Scheduled && (e.At.IsZero() || e.At.Equal(later(c.options.StartsAt.Time, c.at)) && !e.At.After(at))
		c.status, c.openedAt = Open, e.happened(at)
	case EventChanged:
		c.change(*e.Change)
		ok = c.taken() <= c.capacity
	case EventClosed:
		ok = e.Reason == ReasonInstructor || c.status == Open && e.At.Equal(later(c.expiry(), c.at)) && !e.At.After(at)
		c.status = Closed
		clear(c.open)
		for u, m := range c.roster {
			m.online, m.awayAt = false, time.Time{}
			c.roster[u] = m
		}
	}
	return ok
}

func (c *client) change(to Change) {
	set(&c.capacity, to.Capacity)
	if to.Options != nil {
		c.options = to.Options.on(c.options)
	}
}

// foldPresence notes the coming and going of a member's sockets.
func (c *client) foldPresence(e Event, m standing, at time.Time) (ok bool) {
	was := m
	switch e.Type {
	case EventRenamed:
		ok = true
	case EventConnected:
		_, twice := c.open[e.Session]
		ok = !twice && e.Online == !was.online
		c.open[e.Session] = stay{e.User, at}
		m.online, m.awayAt, m.offlineAt = true, time.Time{}, time.Time{}
	case EventDisconnected:
		began := c.open[e.Session]
		ok = began.user == e.User && !e.At.After(at) && !e.At.Before(began.since)
		if delete(c.open, e.Session); !c.connected(e.User) {
			m.awayAt = e.At
		}
	case EventOffline:
		ok = !was.awayAt.IsZero() && !at.Before(was.awayAt.Add(OfflineAfter))
		m.online, m.awayAt, m.offlineAt = false, time.Time{}, at
	}
	c.roster[e.User] = m
	return ok
}

func (c *client) connected(u UserID) bool {
	for _, s := range c.open {
		if s.user == u {
			return true
		}
	}
	return false
}

// isNext tells whether nobody is passed over if u gets a seat now. Who admits
// may choose among the pending, though not before the waiting.
func (c *client) isNext(u UserID) bool {
	switch {
	case len(c.line) > 0:
		return c.line[0] == u
	case !c.options.Approval:
		return len(c.lobby) > 0 && c.lobby[0] == u
	}
	return c.roster[u].state == Pending
}

// give notes someone's new place, and tells whether it is the right one: the
// lowest free seat, or behind everyone who waits or is pending.
func (c *client) give(e Event, m standing, state State) (ok bool) {
	newcomer := m.state == ""
	c.drop(e.User)
	m.state, m.seat, m.place = state, e.Seat, e.Place
	full := c.taken() >= c.capacity
	switch state {
	case Seated:
		ok = !full && m.seat == c.lowestFree() && m.seat <= c.capacity && m.place == 0
		if newcomer {
			ok = ok && !c.options.Approval && len(c.line)+len(c.lobby) == 0
		}
	case Waiting:
		ok = full && c.options.Waitlist && m.seat == 0 && m.place > c.lastPlace(c.line)
		if newcomer {
			ok = ok && !c.options.Approval && len(c.lobby) == 0
		}
		c.line = append(c.line, e.User)
	case Pending:
		ok = newcomer && c.options.Approval && m.seat == 0 && m.place > c.lastPlace(c.lobby)
		c.lobby = append(c.lobby, e.User)
	}
	c.roster[e.User] = m
	return ok
}

func (c *client) drop(u UserID) {
	is := func(v UserID) bool { return v == u }
	c.line, c.lobby = slices.DeleteFunc(c.line, is), slices.DeleteFunc(c.lobby, is)
	delete(c.roster, u)
}

func (c *client) taken() (n int) {
	for _, m := range c.roster {
		if m.state == Seated {
			n++
		}
	}
	return n
}

func (c *client) lowestFree() int {
	for n := 1; ; n++ {
		if !slices.ContainsFunc(slices.Collect(maps.Values(c.roster)), func(m standing) bool { return m.seat == n }) {
			return n
		}
	}
}

func (c *client) lastPlace(line []UserID) (last int64) {
	for _, u := range line {
		last = max(last, c.roster[u].place)
	}
	return last
}

func (c *client) expiry() time.Time {
	return c.openedAt.Add(time.Duration(c.options.MaxMinutes) * time.Minute)
}

// lapsed tells whether the place of someone is given up by now.
func (c *client) lapsed(m standing, at time.Time) bool {
	due := c.lapses(m)
	return !due.IsZero() && !at.Before(due)
}

// lapses is when the place of someone is given up; zero: it is not.
func (c *client) lapses(m standing) time.Time {
	hold := time.Duration(c.options.SeatHoldSeconds) * time.Second
	switch {
	case m.offlineAt.IsZero() || m.state == Seated && hold == 0:
		return time.Time{}
	case m.state == Seated:
		return m.offlineAt.Add(hold)
	}
	return m.offlineAt.Add(LapseAfter)
}

// due is when something will happen by itself, or should have happened; zero:
// nothing will.
func (c *client) due() time.Time {
	switch c.status {
	case "", Closed:
		return time.Time{}
	case Scheduled:
		return c.options.StartsAt.Time
	}
	soonest := c.expiry()
	for _, m := range c.roster {
		if !m.awayAt.IsZero() {
			soonest = earlier(soonest, m.awayAt.Add(OfflineAfter))
		}
		if lapses := c.lapses(m); !lapses.IsZero() {
			soonest = earlier(soonest, lapses)
		}
	}
	return soonest
}

// compare holds what the client knows against the room.
func (c *client) compare(g *game, r *Room) {
	roster, open := map[UserID]standing{}, map[SessionID]stay{}
	for p := range r.People() {
		if p.State.Member() {
			roster[p.User] = standing{p.State, p.Seat, p.Place, p.Online, p.AwayAt, p.OfflineAt}
		}
		for _, s := range p.Sessions {
			open[s.ID] = stay{p.User, s.Since}
		}
	}
	if !maps.Equal(roster, c.roster) || !maps.Equal(open, c.open) {
		g.Fatalf("known %+v %v\nthe room has %+v %v", c.roster, c.open, roster, open)
	}
	var line, lobby []UserID
	for _, p := range r.Roster()[r.Taken:] {
		if p.State == Waiting {
			line = append(line, p.User)
		} else {
			lobby = append(lobby, p.User)
		}
	}
	if !slices.Equal(line, c.line) || !slices.Equal(lobby, c.lobby) {
		g.Fatalf("known %v %v\nthe room has %v %v", c.line, c.lobby, line, lobby)
	}
	if r.Status != c.status || r.Capacity != c.capacity || r.Options != c.options || !r.OpenedAt.Equal(c.openedAt) {
		g.Fatalf("known %+v\nthe room is %+v", *c, r.Header)
	}
}
