package storetest

import (
	"fmt"
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
		l := begin(t, s, 3)
		l.Title = "Optics"
		gen := &random{T: rt, lecture: l}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			l.now = l.now.Add(time.Duration(rapid.IntRange(0, 8000).Draw(rt, "ms")) * time.Millisecond)
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
		checkHistory(rt, t, l)
	})
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
		known := slices.ContainsFunc(h.People, func(q *room.Person) bool { return q.User == p.User })
		if known == p.JoinedAt.IsZero() {
			rt.Fatalf("user %s is in the history: %t", p.User, known)
		}
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
			points = append(points, room.Point{At: e.At, Taken: replayed.Taken, Online: replayed.Online})
		}
	}
	return points
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

func (g *random) draw(what string, below int) int {
	return rapid.IntRange(0, below-1).Draw(g.T, what)
}

func (g *random) command() room.Command {
	l := g.lecture
	who := fmt.Sprint("U", g.draw("user", 5))
	at := l.now.Add(-time.Duration(g.draw("ago", 3000)) * time.Millisecond)
	user := room.UserID(student(who).User)
	switch g.draw("type", 20) {
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
		seats, locked := 1+g.draw("seats", 5), g.draw("locked", 4) == 0
		return room.Command{Type: room.CommandUpdate, By: lecturer, Change: &room.Change{Capacity: &seats, Options: &room.OptionsEdit{Locked: &locked}}}
	case 18:
		return room.Command{Type: room.CommandUpdate, By: lecturer, Change: &room.Change{Code: room.NewCode()}}
	}
	if g.draw("close", 4) == 0 {
		return closing()
	}
	return room.Command{Type: room.CommandTick}
}
