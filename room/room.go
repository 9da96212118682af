// Package room is what a lecture room is: a pure state machine that decides
// commands into events (Room), the passports that say who asks, and the
// Registrar that takes the commands of all callers in order, makes their
// outcome durable and tells everyone.
//
// A room is a log. Room.Batch turns the commands that wait into one Entry,
// Registrar saves it as the room's next version, and Room.Apply folds it into
// every copy of the room, here and elsewhere. Room does no I/O and knows no
// clock, lock, log or goroutine: time and identity are arguments.
package room

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// MaxCapacity is the most seats that a room may have: the largest halls hold
// some 10,000, and a roster of ten times that still fits in memory and in a
// browser.
const MaxCapacity = 100_000

// OfflineAfter is how long the last socket of a person may be gone before the
// person is shown offline: longer than a reload, shorter than a conversation.
const OfflineAfter = 5 * time.Second

// LapseAfter is how long someone who waits, or is pending, may be shown
// offline before the place is given up: long enough to change from one network
// to another, short beside the patience of those behind.
const LapseAfter = 30 * time.Second

// A Status is where in its life a room is.
type Status string

// A room's life. A room is scheduled only where its options name a time to
// start at.
const (
	Scheduled Status = "scheduled"
	Open      Status = "open"
	Closed    Status = "closed"
)

// A State is what a person is to a room.
type State string

// The first three are the states of members: they are in the roster.
const (
	Seated  State = "seated"
	Waiting State = "waiting"
	Pending State = "pending"
	Left    State = "left"
	Removed State = "removed"
	Banned  State = "banned"
)

// Member tells whether people in this state are in the roster.
func (s State) Member() bool { return s == Seated || s == Waiting || s == Pending }

// A Header is all of a room but its people.
type Header struct {
	ID         ID
	Version    int64
	At         time.Time // of the last entry
	Title      string
	Instructor Caller
	Code       string // the join code
	Renewals   int    // how often the code was renewed; voids older invitations
	Slot       int    // which of the instructor's slots the room holds, from 0
	Capacity   int
	Status     Status
	Options    Options
	Policy     Policy
	OpenedAt   time.Time // zero while it is scheduled
	ClosedAt   time.Time // zero while it is not closed
	Taken      int       // people seated
	Waiting    int
	Pending    int
	Online     int // members shown online
	// DueAt is when the room must be looked at again at the latest, whether
	// or not anything will be due then. Zero: never.
	DueAt time.Time
}

// ClosesAt is when the room closes by itself; of one that is scheduled, when
// it will if it opens in time.
func (h *Header) ClosesAt() time.Time {
	from := h.OpenedAt
	if h.Status == Scheduled {
		from = h.Options.StartsAt.Time
	}
	return from.Add(time.Duration(h.Options.MaxMinutes) * time.Minute)
}

// LedBy tells whether the caller is the room's instructor.
func (h *Header) LedBy(c Caller) bool { return c.Role == Instructor && c.User == h.Instructor.User }

// A Session is one socket's stay in a room.
type Session struct {
	ID       SessionID
	Instance InstanceID // where the socket is
	Since    time.Time
}

// A Person is someone who is or was a member of a room, or is banned from it.
// A Person is not changed any more once the step that made it is over: the
// next puts a new one in its place.
type Person struct {
	User          UserID
	Name          string
	Guest         bool
	State         State
	Seat          int       // from 1; 0: holds none
	LastSeat      int       // the seat held last
	Online        bool      // as shown
	JoinedAt      time.Time // when the place was taken; zero: never a member
	FirstJoinedAt time.Time // when the first of all places was taken
	LeftAt        time.Time // when the last place was given up
	BannedAt      time.Time
	AwayAt        time.Time // when the last session ended, if still shown online
	OfflineAt     time.Time // since when a member has been shown offline
	// Place orders those who wait, and those who are pending; 0: neither.
	Place int64
	// LeftFor is why the last place was given up.
	LeftFor    Reason
	Correction *Correction // of the attendance status; nil: none
	Sessions   []Session   // open ones
}

// A Room is one lecture room. The zero Room is one that is not open yet. It
// is not safe for concurrent use.
type Room struct {
	Header
	people map[UserID]*Person
	seats  []UserID        // by number-1; empty: free
	free   int             // no seat before this index is free
	line   line            // the waiting
	lobby  line            // the pending
	absent map[UserID]bool // to whom something happens by itself if they stay away
	latest *Person         // put by the event before, in the same step
	draft  map[UserID]*Person
	own    bool    // of a draft: the lines are its own, and may be changed
	spare  []Event // of a draft: empty, where the next events have space
}

// Restore makes a room of what a store holds.
func Restore(h Header, people []*Person) *Room {
	r := &Room{Header: h, people: make(map[UserID]*Person, len(people)), absent: map[UserID]bool{}}
	for _, p := range slices.SortedFunc(slices.Values(people), byPlace) {
		r.put(p)
	}
	return r
}

// Person returns someone who is or was a member or is banned, else nil.
func (r *Room) Person(u UserID) *Person { return r.people[u] }

// Member returns a member, nil if the user is none.
func (r *Room) Member(u UserID) *Person {
	if p := r.people[u]; p != nil && p.State.Member() {
		return p
	}
	return nil
}

// People ranges over all who are or were members or are banned, in no order.
func (r *Room) People() iter.Seq[*Person] {
	return func(yield func(*Person) bool) {
		for _, p := range r.people {
			if !yield(p) {
				return
			}
		}
	}
}

// Roster returns the members: the seated by seat number, then the waiting and
// then the pending by place.
func (r *Room) Roster() []*Person {
	roster := make([]*Person, 0, r.Taken+r.Waiting+r.Pending)
	for _, u := range r.seats {
		if u != "" {
			roster = append(roster, r.people[u])
		}
	}
	for _, waits := range slices.Concat(r.line, r.lobby) {
		roster = append(roster, r.people[waits.user])
	}
	return roster
}

// MayWatch tells whether the caller may follow the roster.
func (r *Room) MayWatch(c Caller) bool {
	if r.LedBy(c) {
		return true
	}
	p := r.Member(c.User)
	return p != nil && p.State == Seated && r.Options.Roster == RosterEveryone && r.Status != Closed
}

// put makes p what the room knows of p.User and keeps seats and lines right.
func (r *Room) put(p *Person) {
	var was State
	var place int64
	if old := r.people[p.User]; old != nil {
		was, place = old.State, old.Place
	}
	r.set(p.User, p)
	if r.lineOf(was) == nil && r.lineOf(p.State) == nil || was == p.State && place == p.Place {
		return
	}
	if r.draft != nil && !r.own {
		r.line, r.lobby, r.own = slices.Clone(r.line), slices.Clone(r.lobby), true
	}
	r.lineOf(was).drop(place)
	r.lineOf(p.State).put(p)
}

// set is put but for the lines; nil: nobody knows u.
func (r *Room) set(u UserID, p *Person) {
	old := r.people[u]
	if r.draft != nil {
		if _, touched := r.draft[u]; !touched {
			r.draft[u] = old
		}
	}
	if old != nil && old.Seat > 0 && (p == nil || p.Seat != old.Seat) && r.seats[old.Seat-1] == u {
		r.seats[old.Seat-1] = ""
		r.free = min(r.free, old.Seat-1)
	}
	if p == nil {
		delete(r.people, u)
		delete(r.absent, u)
		return
	}
	if r.people == nil {
		r.people, r.absent = map[UserID]*Person{}, map[UserID]bool{}
	}
	r.people[u] = p
	r.mark(p)
	if p.Seat > 0 {
		for len(r.seats) < p.Seat {
			r.seats = append(r.seats, "")
		}
		r.seats[p.Seat-1] = u
	}
}

// mark notes whether p is absent.
func (r *Room) mark(p *Person) {
	if p.AwayAt.IsZero() && p.OfflineAt.IsZero() {
		delete(r.absent, p.User)
	} else {
		r.absent[p.User] = true
	}
}

// A Step is what one batch does to a room: the entry and, for a store, the
// state after it.
type Step struct {
	Entry   Entry
	Room    Header
	People  []*Person // everyone the entry touched, as they are after it
	Ended   []Session // that were open before it and are not after it
	Claim   []string  // names that the room takes
	Release []string  // names that it gives up

	of          *Room // that it was decided on
	line, lobby line  // after it
}

// Batch decides commands one after the other, each as if those before it, and
// what follows from them, had happened already, and leaves the room as it was. What is due goes before the
// first command that does not tell of something past: where one does, it is
// told of what was, even if the room has closed by itself since.
// Entry.Batch, Claim and Release are the caller's to fill in.
func (r *Room) Batch(commands []Command, at time.Time) Step {
	at = r.now(at)
	header, line, lobby := r.Header, r.line, r.lobby
	r.own, r.latest = false, nil
	r.draft = make(map[UserID]*Person, len(commands))

	entry := Entry{Room: r.ID, Version: r.Version + 1, At: at}
	happen := func(events []Event) {
		if entry.Events == nil && len(events) > 0 {
			entry.Events = make([]Event, 0, 2*len(commands)) // most join with a socket
		}
		for ; len(events) > 0; events = r.follows(at) {
			for i := range events {
				r.apply(&events[i], at)
			}
			entry.Events = append(entry.Events, events...)
			r.spare = entry.Events[len(entry.Events):]
		}
	}
	looked := false
	carryOut := func(c Command) {
		if !looked && !c.Type.past() {
			looked = true
			for due := r.due(at); len(due) > 0; due = r.due(at) {
				happen(due)
			}
		}
		events, err := r.Decide(c, at)
		happen(events)
		if c.ID == "" {
			return
		}
		if entry.Answers == nil {
			entry.Answers = make([]Answer, 0, len(commands))
		}
		entry.Answers = append(entry.Answers, r.answer(c, events, err, at))
	}
	for _, c := range commands {
		carryOut(c)
	}
	carryOut(Command{Type: CommandTick})
	r.advance(entry.Version, at)
	step := Step{Entry: entry, Room: r.Header, People: make([]*Person, 0, len(r.draft)), of: r, line: r.line, lobby: r.lobby}
	for u := range r.draft {
		step.People = append(step.People, r.people[u])
	}
	slices.SortFunc(step.People, func(a, b *Person) int { return cmp.Compare(a.User, b.User) })

	touched := r.draft
	r.draft, r.spare, r.latest = nil, nil, nil
	for u, p := range touched {
		step.Ended = p.endedBy(r.people[u], step.Ended)
		r.set(u, p)
	}
	r.Header, r.line, r.lobby = header, line, lobby
	return step
}

// now is the time of the next entry: milliseconds, never before the last.
func (r *Room) now(at time.Time) time.Time {
	at = at.UTC().Truncate(time.Millisecond)
	if at.Before(r.At) {
		return r.At
	}
	return at
}

// answer says what became of c, once its events have been applied.
func (r *Room) answer(c Command, events []Event, err error, at time.Time) Answer {
	a := Answer{Command: c.ID, Type: c.Type, User: c.By.User}
	if !c.AskedAt.IsZero() {
		a.Ago = max(0, int64((at.Sub(c.AskedAt)+time.Millisecond-1)/time.Millisecond))
	}
	if err != nil {
		refusal := err.(*Refusal)
		a.Code, a.Field = refusal.Code, refusal.Field
		return a
	}
	switch c.Type {
	case CommandDisconnect:
		a.Session = c.Session
	case CommandAdmit:
		a.Count = len(events)
		if !c.All {
			a.Count = 1 // now or before
		}
	case CommandReap:
		a.Count = len(events)
	case CommandJoin, CommandConnect:
		p := r.people[c.By.User]
		a.State, a.Seat, a.Position = p.State, p.Seat, r.Position(p)
		a.Already = !slices.ContainsFunc(events, func(e Event) bool { return e.Type == EventJoined })
	}
	return a
}
