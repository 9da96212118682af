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

// FuzzRoom is TestAnyCommands with scripts that reach what others do not. What
// its seeds are for is in TestSeeds.
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

// A game plays a script and checks the room, after every batch, against what
// others know of it.
type game struct {
	tester
	script
	at    time.Time
	asked int

	room    *Room // the one that decides
	replica *Room // is sent the entries as JSON
	client  *client

	// A Person is never changed: those of the last step, and how they were.
	people, were []*Person

	happened []Event
}

// playAll plays a script and returns what happened.
func playAll(t tester, s script) []Event {
	g := &game{
		tester: t, script: s, at: bell,
		room: &Room{Header: Header{ID: theRoom}}, replica: &Room{}, client: newClient(),
	}
	g.open()
	for after := 0; len(g.script) > 0 && after < 5; {
		var batch []Command
		for range 1 + g.next(9) {
			batch = append(batch, g.command(g.room, g.at))
		}
		g.at = g.at.Add(g.step())
		g.play(batch)
		if g.chance(3) {
			g.at = g.at.Add(g.step())
			g.lookAgain()
		}
		if g.room.Status == Closed {
			after++
		}
	}
	return g.happened
}

func (g *game) open() {
	c := Change{Title: new("Logic"), Capacity: new(1 + g.next(4)), Code: theCode}
	c.Options = g.edit(g.at)
	if g.chance(4) {
		c.Options.StartsAt, c.Options.MaxMinutes = g.startsAt(g.at), new([...]int{1, 60, 720}[g.next(3)])
	}
	entry := g.room.Batch([]Command{{Type: CommandOpen, By: kim, Change: &c}}, g.at).Entry
	g.client.apply(g, entry)
	g.room.Apply(entry)
	g.replica.Apply(g.sent(entry))
}

// lookAgain finds everything done that was due, once.
func (g *game) lookAgain() {
	g.play([]Command{{Type: CommandTick}})
	r, c := g.room, g.client
	if due := c.due(); r.Status != Closed && (!due.After(r.At) || !r.DueAt.After(r.At)) {
		g.Fatalf("at %v still due: %v, to be looked at %v", r.At, due, r.DueAt)
	}
	if again := r.Batch(nil, g.at).Entry.Events; len(again) > 0 {
		g.Fatalf("due twice: %s", inJSON(again))
	}
}

// play decides a batch in three ways, has everyone fold the entry in, and
// compares all.
func (g *game) play(batch []Command) {
	for i := range batch {
		if g.asked++; batch[i].Type != CommandTick {
			batch[i].ID, batch[i].Room = CommandID(itoa(g.asked)), theRoom
		}
	}
	before, oneByOne := copyOf(g.room), copyOf(g.room)
	step := g.room.Batch(batch, g.at)
	g.same("the room that decided", g.room, before)

	events, answers := g.decideEach(oneByOne, batch, step.Entry.At)
	if !reflect.DeepEqual(events, step.Entry.Events) || !reflect.DeepEqual(answers, step.Entry.Answers) {
		g.Fatalf("one by one %s %s\nas a batch %s", inJSON(events), inJSON(answers), inJSON(step.Entry))
	}
	oneByOne.advance(step.Entry.Version, step.Entry.At)

	g.dueFirst(step.Entry)
	g.client.apply(g, step.Entry)
	if g.chance(2) {
		g.room.take(&step)
	} else {
		g.room.Apply(step.Entry)
	}
	g.replica.Apply(g.sent(step.Entry))

	g.same("the room decided one by one", oneByOne, g.room)
	g.same("the replica", g.replica, g.room)
	g.same("the stored room", g.stored(before, step), g.room)
	g.happened = append(g.happened, step.Entry.Events...)
	g.ended(before, step)
	g.client.compare(g, g.room)
	g.checkRoom(before)
	g.unchanged(step.People)
}

// ended checks that a step names the sessions that are not open any more, each
// once, for a store that looks for no others.
func (g *game) ended(before *Room, step Step) {
	open := map[Session]bool{}
	for p := range before.People() {
		for _, s := range p.Sessions {
			open[s] = true
		}
	}
	for p := range g.room.People() {
		for _, s := range p.Sessions {
			delete(open, s)
		}
	}
	for _, s := range step.Ended {
		if !open[s] {
			g.Fatalf("%v did not end, or twice", s)
		}
		delete(open, s)
	}
	if len(open) > 0 {
		g.Fatalf("that %v ended is not told", open)
	}
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

// decideEach decides and applies one command after the other, and whatever
// follows from it. What was done is asked a second time: nothing must change,
// unless it was for a new code.
func (g *game) decideEach(r *Room, batch []Command, at time.Time) (all []Event, answers []Answer) {
	happen := func(events []Event) {
		for ; len(events) > 0; events = r.follows(at) {
			for i := range events {
				r.apply(&events[i], at)
			}
			all = append(all, events...)
		}
	}
	looked := false
	for _, c := range append(slices.Clone(batch), Command{Type: CommandTick}) {
		for due := r.due(at); !looked && !c.Type.past(); due = r.due(at) {
			happen(due)
			looked = len(due) == 0
		}
		lobby := slices.Clone(r.lobby)
		events, err := r.Decide(c, at)
		if c.Type == CommandAdmit && c.All {
			g.inOrder(events, lobby)
		}
		happen(events)
		if c.ID != "" {
			answers = append(answers, r.answer(c, events, err, at))
			g.checkAnswer(r, c, answers[len(answers)-1])
		}
		if c.Type == CommandUpdate && c.Change.Code != "" {
			continue
		}
		if again, errAgain := r.Decide(c, at); len(again) > 0 || (err == nil) != (errAgain == nil) {
			g.Fatalf("%s is done again: %s, error %v, then %v", inJSON(c), inJSON(again), err, errAgain)
		}
	}
	return all, answers
}

// inOrder checks who of the lobby were admitted.
func (g *game) inOrder(events []Event, lobby line) {
	for i, e := range events {
		if e.User != lobby[i].user {
			g.Fatalf("%s of %v", inJSON(events), lobby)
		}
	}
}

func (g *game) checkAnswer(r *Room, c Command, a Answer) {
	if a.Command != c.ID || a.Type != c.Type || a.User != c.By.User {
		g.Fatalf("%s is answered %s", inJSON(c), inJSON(a))
	}
	position := 0
	for i, p := range waiters(r) {
		if p.User == c.By.User {
			position = i
		}
	}
	if a.State != "" && (a.Position != position || !a.State.Member() || (a.State == Seated) != (a.Seat > 0) || (a.State == Waiting) != (a.Position > 0)) {
		g.Fatalf("%s in position %d is answered %s", inJSON(c), position, inJSON(a))
	}
}

// dueFirst checks that what is due comes before all but what is past.
func (g *game) dueFirst(e Entry) {
	if due := g.client.due(); due.IsZero() || due.After(e.At) {
		return
	}
	first := slices.IndexFunc(e.Events, func(e Event) bool { return e.Type != EventDisconnected })
	if first < 0 || !byItself(e.Events[first]) {
		g.Fatalf("something was due at %v: %s", g.client.due(), inJSON(e))
	}
}

func byItself(e Event) bool {
	return e.Type == EventOffline || e.Type == EventStarted || e.Reason == ReasonLapsed || e.Reason == ReasonExpired
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
	if !slices.Equal(got.line, want.line) || !slices.Equal(got.lobby, want.lobby) {
		g.Fatalf("%s: got line %v, lobby %v\nwant %v, %v", what, got.line, got.lobby, want.line, want.lobby)
	}
	if a, b := got.freeSeat(0), want.freeSeat(0); a != b || got.draft != nil {
		g.Fatalf("%s: lowest free seat %d, want %d", what, a, b)
	}
}

func samePerson(p, q *Person) bool {
	a, b := *p, *q
	same := slices.Equal(a.Sessions, b.Sessions)
	a.Sessions, b.Sessions = nil, nil
	return same && reflect.DeepEqual(a, b)
}
