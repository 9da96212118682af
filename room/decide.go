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
	case CommandPolicy:
		return r.setPolicy(c)
	case CommandCorrect:
		return r.correct(c)
	}
	if r.Status == Closed {
		return nil, ErrClosed
	}
	switch c.Type {
	case CommandUpdate:
		return r.update(c)
	case CommandStart:
		return r.start()
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
	switch {
	case change.Capacity != nil && *change.Capacity < r.Taken:
		return nil, ErrConflict
	case r.Status != Scheduled && change.Options != nil && change.Options.on(r.Options).StartsAt != r.Options.StartsAt:
		return nil, ErrStarted
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

func (r *Room) start() ([]Event, error) {
	if r.Status != Scheduled {
		return nil, nil
	}
	return []Event{{Type: EventStarted}}, nil
}

func (r *Room) admit(c Command) ([]Event, error) {
	if c.All {
		return r.letIn(r.lobby), nil
	}
	p := r.Member(c.User)
	switch {
	case p == nil:
		return nil, ErrNotFound
	case p.State != Pending:
		return nil, nil
	}
	events := r.letIn(line{{p.Place, p.User}})
	if len(events) == 0 {
		return nil, ErrFull
	}
	return events, nil
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

func (r *Room) setPolicy(c Command) ([]Event, error) {
	if c.Policy.Equal(r.Policy) {
		return nil, nil
	}
	return []Event{{Type: EventPolicy, Policy: c.Policy}}, nil
}

func (r *Room) correct(c Command) ([]Event, error) {
	p := r.people[c.User]
	if p == nil || p.FirstJoinedAt.IsZero() {
		return nil, ErrNotFound
	}
	if now := p.Correction; now == nil && c.Status == "" || now != nil && now.Status == c.Status && now.Reason == c.Reason {
		return nil, nil
	}
	return []Event{{Type: EventCorrected, User: c.User, Status: c.Status, Why: c.Reason, By: c.By.User}}, nil
}
