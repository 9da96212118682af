package room

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever people do, at any time and in batches of any size, what always
// holds of a room holds.
func TestAnyCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		playAll(t, rapid.SliceOfN(rapid.Byte(), 0, scriptLimit).Draw(t, "script"))
		playAll(t, rapid.SliceOfN(rapid.Byte(), scriptLimit/2, scriptLimit).Draw(t, "long script"))
	})
}

func FuzzRoom(f *testing.F) {
	f.Fuzz(func(t *testing.T, script []byte) { playAll(t, script[:min(len(script), scriptLimit)]) })
}

// scriptLimit bounds a game to some hundred commands, played in a few
// milliseconds: what goes wrong does so in a few.
const scriptLimit = 1200

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Fatalf(format string, args ...any)
}

// A game plays the bytes of a script as commands and checks the room, after
// every batch, against what others know of it.
type game struct {
	tester
	script []byte
	at     time.Time
	asked  int

	room    *Room // the one that decides
	replica *Room // is sent the entries as JSON
	client  *client

	// A Person is never changed: those of the last step, and how they were.
	people, were []*Person
}

func playAll(t tester, script []byte) {
	g := &game{
		tester: t, script: script, at: bell,
		room: newRoom(3), replica: newRoom(3), client: newClient(3),
	}
	for len(g.script) > 0 {
		var batch []Command
		for range 1 + g.next(9) {
			batch = append(batch, g.command())
		}
		g.at = g.at.Add(g.step())
		g.play(batch)
	}
}

// next takes a number below n from the script, 0 after its end.
func (g *game) next(n int) int {
	if len(g.script) == 0 {
		return 0
	}
	b := int(g.script[0])
	g.script = g.script[1:]
	return b % n
}

// step is how much time goes by before the next batch.
func (g *game) step() time.Duration {
	return [...]time.Duration{
		0, time.Microsecond, time.Millisecond, time.Second, OfflineAfter - time.Millisecond, OfflineAfter,
		time.Minute, time.Hour, -time.Second,
	}[g.next(9)]
}

func (g *game) user() UserID {
	return [...]UserID{"ann", "ben", "cat", "dan", "eve", "guest:1", "kim"}[g.next(7)]
}

func (g *game) caller() Caller {
	u := g.user()
	if u == "kim" {
		return kim
	}
	return Caller{User: u, Name: [...]string{"A", "B"}[g.next(2)], Role: Student}
}

// session is a socket of the user's own, or none: two people never share one.
func (g *game) session(u UserID) SessionID {
	if n := g.next(4); n > 0 {
		return SessionID(u) + SessionID("/"+itoa(n))
	}
	return ""
}

func (g *game) instance() InstanceID { return [...]InstanceID{"i1", "i2"}[g.next(2)] }

func (g *game) command() Command {
	g.asked++
	c := Command{ID: CommandID(itoa(g.asked)), Room: theRoom}
	switch g.next(16) {
	default:
		c.Type, c.By, c.Code = CommandJoin, g.caller(), [...]string{g.room.Code, theCode, newCode, ""}[g.next(4)]
		c.Session, c.Instance, c.Invite = g.session(c.By.User), g.instance(), g.invite()
	case 6:
		c.Type, c.By, c.Instance = CommandConnect, g.caller(), g.instance()
		c.Session = g.session(c.By.User)
	case 7, 8:
		c.Type, c.By, c.At = CommandDisconnect, g.caller(), g.at.Add(g.step())
		c.Session = g.session(c.By.User)
	case 9, 10:
		c.Type, c.By = CommandLeave, g.caller()
	case 11:
		c.Type, c.Instance, c.At = CommandReap, g.instance(), g.at.Add(g.step())
	case 12:
		c.Type, c.By, c.Change = CommandUpdate, g.leader(), g.change()
	case 13:
		c.Type, c.By, c.User, c.Ban = CommandRemove, g.leader(), g.user(), g.next(2) == 0
	case 14:
		c.Type, c.By, c.User = CommandUnban, g.leader(), g.user()
	case 15:
		c.Type = [...]CommandType{CommandTick, CommandStart, CommandAdmit, CommandClose, CommandOpen, "sing"}[g.next(6)]
		c.By, c.User, c.All, c.Change = g.leader(), g.user(), g.next(2) == 0, g.change()
		if c.Type == CommandTick {
			c.ID = ""
		}
	}
	return c
}

func (g *game) leader() Caller {
	if g.next(8) == 0 {
		return g.caller()
	}
	return kim
}

func (g *game) invite() *Invitation {
	if g.next(2) == 0 {
		return nil
	}
	return &Invitation{Room: theRoom, Renewals: g.next(3)}
}

func (g *game) change() *Change {
	var c Change
	switch what := g.next(8); what {
	case 0:
		c.Title = [...]*string{new("Logic"), new("Sets")}[g.next(2)]
	case 1:
		c.Code = [...]string{theCode, newCode}[g.next(2)]
	case 2, 3, 4:
		c.Capacity = new(1 + g.next(6))
	case 5, 6, 7:
		roster := [...]RosterFor{RosterInstructor, RosterEveryone}[g.next(2)]
		c.Options = &OptionsEdit{Locked: new(g.next(4) == 0), Guests: new(g.next(4) > 0), Roster: &roster}
		if what == 7 {
			c.Options.MaxMinutes = new([...]int{1, 60, 61, MaxMinutes}[g.next(4)])
		}
	}
	return &c
}

// play decides a batch in three ways, has everyone fold the entry in, and
// compares all.
func (g *game) play(batch []Command) {
	before, oneByOne := copyOf(g.room), copyOf(g.room)
	step := g.room.Batch(batch, g.at)
	g.same("the room that decided", g.room, before)

	events := g.decideEach(oneByOne, batch, step.Entry.At)
	if !reflect.DeepEqual(events, step.Entry.Events) {
		g.Fatalf("one by one %s\nas a batch %s", inJSON(events), inJSON(step.Entry.Events))
	}
	oneByOne.advance(step.Entry.Version, step.Entry.At)

	g.answered(batch, step.Entry)
	g.client.apply(g, step.Entry)
	g.room.Apply(step.Entry)
	g.replica.Apply(g.sent(step.Entry))

	g.same("the room decided one by one", oneByOne, g.room)
	g.same("the replica", g.replica, g.room)
	g.same("the stored room", g.stored(before, step), g.room)
	g.checkRoom(before)
	g.unchanged(step.People)
}

// unchanged checks the people of the step before this one.
func (g *game) unchanged(people []*Person) {
	for i, p := range g.people {
		if !samePerson(p, g.were[i]) {
			g.Fatalf("%+v was changed to %+v", *g.were[i], *p)
		}
	}
	g.people, g.were = people, nil
	for _, p := range people {
		was := *p
		was.Sessions = slices.Clone(p.Sessions)
		g.were = append(g.were, &was)
	}
}

// decideEach decides and applies one command after the other. Whatever was
// done is asked a second time: nothing must change, unless it was for a new
// code.
func (g *game) decideEach(r *Room, batch []Command, at time.Time) []Event {
	var all []Event
	happen := func(events []Event) {
		for _, e := range events {
			r.apply(e, at)
		}
		all = append(all, events...)
	}
	looked := false
	for _, c := range append(slices.Clone(batch), Command{Type: CommandTick}) {
		if !looked && !c.Type.past() {
			looked = true
			happen(r.due(at))
		}
		events, err := r.Decide(c, at)
		happen(events)
		if c.Type == CommandUpdate && c.Change.Code != "" {
			continue
		}
		if again, errAgain := r.Decide(c, at); len(again) > 0 || (err == nil) != (errAgain == nil) {
			g.Fatalf("%s is done again: %s, error %v, then %v", inJSON(c), inJSON(again), err, errAgain)
		}
	}
	return all
}

// answered checks that each command that has an id has one answer, in order.
func (g *game) answered(batch []Command, e Entry) {
	var want, got []CommandID
	for _, c := range batch {
		if c.ID != "" {
			want = append(want, c.ID)
		}
	}
	for _, a := range e.Answers {
		got = append(got, a.Command)
		if a.Code == "" && a.State != "" && (a.State != Seated || a.Seat < 1) {
			g.Fatalf("a place that is none: %s", inJSON(a))
		}
	}
	if !slices.Equal(got, want) {
		g.Fatalf("answered %v of %v", got, want)
	}
}

// sent is the entry as another instance receives it.
func (g *game) sent(e Entry) (received Entry) {
	text, err := json.Marshal(e)
	if err == nil {
		err = json.Unmarshal(text, &received)
	}
	if err != nil {
		g.Fatalf("send %+v: %v", e, err)
	}
	return received
}

// stored is the room that a store restores, which had it as before and is
// given the step.
func (g *game) stored(before *Room, step Step) *Room {
	people := maps.Clone(before.people)
	if people == nil {
		people = map[UserID]*Person{}
	}
	for _, p := range step.People {
		people[p.User] = p
	}
	return Restore(step.Room, slices.Collect(maps.Values(people)))
}

// copyOf shares nothing with r that r may change.
func copyOf(r *Room) *Room {
	return Restore(r.Header, slices.Collect(r.People()))
}

// same compares all that can be told of two rooms.
func (g *game) same(what string, got, want *Room) {
	if !reflect.DeepEqual(got.Header, want.Header) {
		g.Fatalf("%s: got %s\nwant %s", what, inJSON(got.Header), inJSON(want.Header))
	}
	if len(got.people) != len(want.people) || !slices.EqualFunc(got.Roster(), want.Roster(), samePerson) {
		g.Fatalf("%s: got %s\nwant %s", what, inJSON(got.people), inJSON(want.people))
	}
	for u, p := range got.people {
		if q := want.people[u]; q == nil || !samePerson(p, q) {
			g.Fatalf("%s: got %+v\nwant %+v", what, p, q)
		}
	}
	if a, b := got.lowestFree(), want.lowestFree(); a != b || got.draft != nil {
		g.Fatalf("%s: lowest free seat %d, want %d", what, a, b)
	}
}

func samePerson(p, q *Person) bool {
	a, b := *p, *q
	same := slices.Equal(a.Sessions, b.Sessions)
	a.Sessions, b.Sessions = nil, nil
	return same && reflect.DeepEqual(a, b)
}

// checkRoom checks what always holds.
func (g *game) checkRoom(before *Room) {
	r := g.room
	if r.Version != before.Version+1 || r.At.Before(before.At) || r.At.Nanosecond()%1e6 != 0 {
		g.Fatalf("version %d at %v after %d at %v", r.Version, r.At, before.Version, before.At)
	}
	seated, online := map[int]UserID{}, 0
	soonest := r.ClosesAt()
	for p := range r.People() {
		if p.State.Member() != (p.Seat > 0) || p.Seat > 0 && seated[p.Seat] != "" || p.Seat > 0 && p.LastSeat != p.Seat {
			g.Fatalf("%+v in seat of %q", *p, seated[p.Seat])
		}
		if p.Seat > 0 {
			seated[p.Seat] = p.User
		}
		if p.Online {
			online++
		}
		if !p.AwayAt.IsZero() {
			soonest = earlier(soonest, p.AwayAt.Add(OfflineAfter))
		}
		// Shown online: has a socket, or had one a moment ago.
		if p.Online != (len(p.Sessions) > 0 || !p.AwayAt.IsZero()) || len(p.Sessions) > 0 && !p.AwayAt.IsZero() {
			g.Fatalf("shown online: %+v", *p)
		}
	}
	if len(seated) != r.Taken || online != r.Online || r.Waiting != 0 || r.Pending != 0 {
		g.Fatalf("%d seated and %d online are counted as %+v", len(seated), online, r.Header)
	}
	switch {
	case r.Status == Closed:
		if !r.DueAt.IsZero() || r.Online > 0 || r.ClosedAt.IsZero() || r.ClosedAt.After(r.At) {
			g.Fatalf("closed: %+v", r.Header)
		}
	case r.DueAt.IsZero() || r.DueAt.After(soonest):
		g.Fatalf("due at %v, looked at again at %v", soonest, r.DueAt)
	}
}

// A client knows only what entries say: it holds the roster and the open
// sessions, and checks each event as it comes.
type client struct {
	capacity int
	closed   bool
	roster   map[UserID]seat
	open     map[SessionID]stay
}

type seat struct {
	number int
	online bool
}

type stay struct {
	user  UserID
	since time.Time
}

func newClient(capacity int) *client {
	return &client{capacity: capacity, roster: map[UserID]seat{}, open: map[SessionID]stay{}}
}

func (c *client) apply(g *game, entry Entry) {
	for _, e := range entry.Events {
		if c.closed && e.Type != EventUnbanned {
			g.Fatalf("after the close: %s", inJSON(e))
		}
		switch s, member := c.roster[e.User]; e.Type {
		case EventChanged:
			if e.Change.Capacity != nil {
				c.capacity = *e.Change.Capacity
			}
			if len(c.roster) > c.capacity {
				g.Fatalf("%d seated, capacity %d", len(c.roster), c.capacity)
			}
		case EventJoined:
			if member || e.Seat != c.lowestFree() || len(c.roster) >= c.capacity {
				g.Fatalf("%s among %v of %d", inJSON(e), c.roster, c.capacity)
			}
			c.roster[e.User] = seat{number: e.Seat}
		case EventConnected:
			if _, twice := c.open[e.Session]; !member || twice || e.Online == s.online {
				g.Fatalf("%s: member %v, open %v", inJSON(e), member, c.open)
			}
			c.open[e.Session] = stay{e.User, entry.At}
			c.roster[e.User] = seat{s.number, true}
		case EventDisconnected:
			if began := c.open[e.Session]; began.user != e.User || e.At.After(entry.At) || e.At.Before(began.since) {
				g.Fatalf("%s at %v: open %v", inJSON(e), entry.At, c.open)
			}
			delete(c.open, e.Session)
		case EventOffline:
			if !s.online {
				g.Fatalf("%s: not shown online", inJSON(e))
			}
			c.roster[e.User] = seat{s.number, false}
		case EventLeft:
			if !member {
				g.Fatalf("%s: no member", inJSON(e))
			}
			delete(c.roster, e.User)
			maps.DeleteFunc(c.open, func(_ SessionID, s stay) bool { return s.user == e.User })
		case EventBanned:
			if member {
				g.Fatalf("%s: keeps the seat", inJSON(e))
			}
		case EventClosed:
			c.closed = true
			clear(c.open)
			for u, s := range c.roster {
				c.roster[u] = seat{s.number, false}
			}
		}
	}
	c.compare(g, entry)
}

func (c *client) lowestFree() int {
	for n := 1; ; n++ {
		if !slices.ContainsFunc(slices.Collect(maps.Values(c.roster)), func(s seat) bool { return s.number == n }) {
			return n
		}
	}
}

// compare holds the client's state against the room's after the entry.
func (c *client) compare(g *game, entry Entry) {
	r := copyOf(g.room)
	r.Apply(entry)
	roster, open := map[UserID]seat{}, map[SessionID]stay{}
	for p := range r.People() {
		if p.Seat > 0 {
			roster[p.User] = seat{p.Seat, p.Online}
		}
		for _, s := range p.Sessions {
			open[s.ID] = stay{p.User, s.Since}
		}
	}
	if !maps.Equal(roster, c.roster) || !maps.Equal(open, c.open) {
		g.Fatalf("the client sees %v %v, the room has %v %v", c.roster, c.open, roster, open)
	}
}
