package storetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lectern-room/lectern/room"
)

// loadIsApplied: whatever is decided and saved, the store has the room as
// applying the entries makes it, and the room goes on from there as well.
func loadIsApplied(t *testing.T, s Store) {
	rapid.Check(t, func(rt *rapid.T) {
		l := beginWith(t, s, noon, 2, drawOptions(rt))
		gen := &random{T: rt, lecture: l}
		for range 1 + draw(rt, "steps", 24) {
			l.now = l.now.Add(time.Duration(draw(rt, "pause", 50)) * 200 * time.Millisecond)
			l.do(gen.commands()...)
			stored, _, err := s.Load(t.Context(), l.ID, l.now)
			if err != nil {
				rt.Fatal(err)
			}
			if d := differences(stored, l.Room); d != "" {
				rt.Fatalf("the store differs at version %d:\n%s", l.Version, d)
			}
			if rapid.Bool().Draw(rt, "forget") {
				l.Room = stored
			}
		}
		checkLog(rt, t, l)
		checkHistory(rt, t, l)
	})
}

// checkLog compares the stored entries with those that were saved, and what
// they make of a room with what the store has.
func checkLog(rt *rapid.T, t *testing.T, l *lecture) {
	stored, _, err := l.store.Load(t.Context(), l.ID, l.now)
	if err != nil {
		rt.Fatal(err)
	}
	entries, err := l.store.Entries(t.Context(), l.ID, 0, 1000)
	if err != nil {
		rt.Fatal(err)
	}
	replayed := &room.Room{}
	for i, e := range entries {
		replayed.Apply(e)
		want := l.log[i]
		for k, event := range want.Events {
			if event.Name != "" && event.Type != room.EventOpened {
				want.Events[k].Name = stored.Person(event.User).Name // the present one everywhere
			}
		}
		if got, want := text(e), text(want); got != want {
			rt.Fatalf("version %d:\n got %s\nwant %s", e.Version, got, want)
		}
	}
	if d := differences(replayed, stored); d != "" {
		rt.Fatalf("the log makes another room:\n%s", d)
	}
}

// text writes an entry so that nil and empty lists are the same.
func text(e room.Entry) string {
	e.Answers, e.Events = append([]room.Answer{}, e.Answers...), append([]room.Event{}, e.Events...)
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// checkHistory compares the log and the history with what was saved.
func checkHistory(rt *rapid.T, t *testing.T, l *lecture) {
	h, err := l.store.History(t.Context(), l.ID)
	if err != nil {
		rt.Fatal(err)
	}
	if want := l.points(); !slices.Equal(h.Points, want) {
		rt.Fatalf("points: got %+v, want %+v", h.Points, want)
	}
	open := 0
	for p := range l.People() {
		open += len(p.Sessions)
		i := slices.IndexFunc(h.People, func(q *room.Person) bool { return q.User == p.User })
		if (i >= 0) == p.FirstJoinedAt.IsZero() {
			rt.Fatalf("user %s is in the history: %t", p.User, i >= 0)
		}
		if want := *p; i >= 0 {
			want.Sessions = nil
			if !reflect.DeepEqual(*h.People[i], want) {
				rt.Fatalf("in the history:\n got %+v\nwant %+v", h.People[i], want)
			}
		}
	}
	if !reflect.DeepEqual(h.Room, l.Header) {
		rt.Fatalf("the header:\n got %+v\nwant %+v", h.Room, l.Header)
	}
	for _, stay := range h.Stays {
		switch {
		case stay.To.IsZero():
			open--
		case stay.To.Before(stay.From):
			rt.Fatalf("a stay ends before it begins: %+v", stay)
		}
	}
	if open != 0 {
		rt.Fatalf("%d more open sessions than open stays", open)
	}
}

// points returns what the timeline must be made of.
func (l *lecture) points() []room.Point {
	var points []room.Point
	replayed := &room.Room{}
	for i, e := range l.log {
		taken, online := replayed.Taken, replayed.Online
		replayed.Apply(e)
		if i == 0 || i == len(l.log)-1 || replayed.Taken != taken || replayed.Online != online {
			at := e.At
			if !l.ClosedAt.IsZero() && at.After(l.ClosedAt) {
				at = l.ClosedAt
			}
			points = append(points, room.Point{At: at, Taken: replayed.Taken, Online: replayed.Online})
		}
	}
	return slices.Compact(points)
}

// random draws commands, most of which mean something.
type random struct {
	*rapid.T
	lecture  *lecture
	sessions []room.Command // that were begun
}

func (g *random) commands() []room.Command {
	commands := make([]room.Command, g.draw("commands", 6))
	for i := range commands {
		commands[i] = g.command()
	}
	return commands
}

func (g *random) draw(what string, below int) int { return draw(g.T, what, below) }

// draw draws all numbers about as often; rapid's own draws prefer the smallest.
func draw(t *rapid.T, what string, below int) int {
	n := 0
	for range 6 {
		n *= 2
		if rapid.Bool().Draw(t, what) {
			n++
		}
	}
	return n % below
}

func (g *random) command() room.Command {
	l := g.lecture
	who := fmt.Sprint("U", g.draw("user", 5))
	at := l.now.Add(-time.Duration(rapid.IntRange(0, 3000).Draw(g.T, "ago")) * time.Millisecond)
	user := room.UserID(student(who).User)
	switch g.draw("type", 26) {
	case 0, 1, 2, 3, 4, 5:
		c := l.joinOn(who, room.SessionID(room.NewToken()), room.InstanceID(fmt.Sprint("i", g.draw("instance", 2))))
		c.By.Name = fmt.Sprint(who, g.draw("name", 3)/2)
		g.sessions = append(g.sessions, c)
		return c
	case 6:
		return l.join(who)
	case 7:
		return room.Command{Type: room.CommandConnect, By: student(who), Session: room.SessionID(room.NewToken()), Instance: "i2"}
	case 8, 9, 10, 11:
		if len(g.sessions) == 0 {
			return leave(who)
		}
		begun := g.sessions[g.draw("session", len(g.sessions))]
		return room.Command{Type: room.CommandDisconnect, By: begun.By, Session: begun.Session, At: at}
	case 12, 13:
		return leave(who)
	case 14:
		return room.Command{Type: room.CommandReap, Instance: "i1", At: at}
	case 15:
		return room.Command{Type: room.CommandRemove, By: lecturer, User: user, Ban: g.draw("ban", 2) == 0}
	case 16:
		return room.Command{Type: room.CommandUnban, By: lecturer, User: user}
	case 17:
		return update(1+g.draw("seats", 4), drawOptions(g.T))
	case 18:
		return room.Command{Type: room.CommandUpdate, By: lecturer, Change: &room.Change{Code: room.NewCode()}}
	case 19, 20:
		return room.Command{Type: room.CommandAdmit, By: lecturer, User: user, All: g.draw("all", 3) == 0}
	case 21:
		return room.Command{Type: room.CommandStart, By: lecturer}
	case 22:
		minutes := g.draw("minutes", 3)
		return room.Command{Type: room.CommandPolicy, By: lecturer, Policy: []*room.Policy{{}, {PresentMinutes: &minutes}}[g.draw("policy", 2)]}
	case 23, 24:
		status := []room.AttendanceStatus{"", room.StatusLate, room.StatusAbsent}[g.draw("status", 3)]
		return correct(who, status, []string{"", "because"}[g.draw("why", 2)])
	}
	if g.draw("close", 4) == 0 {
		return closing()
	}
	return room.Command{Type: room.CommandTick}
}

// drawOptions draws an edit of every option that changes what a room does.
func drawOptions(t *rapid.T) *room.OptionsEdit {
	one := func(in int, what string) *bool {
		drawn := draw(t, what, in) == in-1
		return &drawn
	}
	o := &room.OptionsEdit{Waitlist: one(2, "waitlist"), Approval: one(3, "approval"), Locked: one(8, "locked")}
	hold := 20 * draw(t, "hold", 2)
	o.SeatHoldSeconds = &hold
	if *one(4, "schedule") {
		o.StartsAt = &room.Timestamp{}
		if *one(2, "later") {
			o.StartsAt.Time = noon.Add(time.Duration(1+draw(t, "starts", 20)) * time.Second)
		}
	}
	return o
}
