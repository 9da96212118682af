package room

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// roomWith is a room with options, whose people came in this order and are
// online.
func roomWith(e OptionsEdit, capacity int, people ...UserID) *Room {
	r := after(newRoom(capacity), update(options(e)))
	for _, u := range people {
		after(r, joinOn(u, SessionID(u)))
	}
	return r
}

func admit(u UserID) Command { return Command{Type: CommandAdmit, By: kim, User: u} }

func admitAll() Command { return Command{Type: CommandAdmit, By: kim, All: true} }

func waitlist(on bool) Command { return update(options(OptionsEdit{Waitlist: &on})) }

func approval(on bool) Command { return update(options(OptionsEdit{Approval: &on})) }

func locked() Command { return update(options(OptionsEdit{Locked: new(true)})) }

// A scene is what one batch must lead to.
type scene struct {
	room    *Room
	does    []Command
	answers string // to each command; see answered
	told    string // what happens; see told
	stands  string // who is where then; see stands
}

func (s scene) check(t *testing.T) {
	r := s.room
	for i := range s.does {
		s.does[i].ID = CommandID(itoa(i))
	}
	entry := r.Batch(s.does, r.At).Entry
	r.Apply(entry)
	if got := answered(entry.Answers); got != s.answers {
		t.Errorf("answered %q, want %q", got, s.answers)
	}
	if got := told(entry.Events); got != s.told {
		t.Errorf("happened: %q\nwant: %q", got, s.told)
	}
	if got := stands(r); got != s.stands {
		t.Errorf("stands %q, want %q", got, s.stands)
	}
}

// answered spells answers as "seated 1, waiting 2, ok, room_full, 3": the last
// is how many were admitted.
func answered(answers []Answer) string {
	var all []string
	for _, a := range answers {
		words := []string{}
		switch {
		case a.Code != "":
			words = append(words, string(a.Code))
		case a.Type == CommandAdmit:
			words = append(words, itoa(a.Count))
		case a.State == "":
			words = append(words, "ok")
		}
		if a.Already {
			words = append(words, "already")
		}
		if a.State != "" {
			words = append(words, string(a.State))
		}
		if n := a.Seat + a.Position; n > 0 {
			words = append(words, itoa(n))
		}
		all = append(all, strings.Join(words, " "))
	}
	return strings.Join(all, ", ")
}

// told spells events as "joined ann seated 1, left ben removed": the sockets
// that come are left out.
func told(events []Event) string {
	var all []string
	for _, e := range events {
		if e.Type == EventConnected {
			continue
		}
		words := []string{string(e.Type)}
		for _, word := range []string{string(e.User), string(e.State), string(e.Reason)} {
			if word != "" && word != string(e.Type) {
				words = append(words, word)
			}
		}
		if e.Seat > 0 {
			words = append(words, itoa(e.Seat))
		}
		if !e.At.IsZero() {
			words = append(words, fmt.Sprint(e.At.Sub(bell)))
		}
		all = append(all, strings.Join(words, " "))
	}
	return strings.Join(all, ", ")
}

// stands spells who is where as "1 ann 2 ben | cat dan | eve": the seated, the
// waiting and the pending.
func stands(r *Room) string {
	var in [3][]string
	for _, p := range r.Roster() {
		switch p.State {
		case Seated:
			in[0] = append(in[0], itoa(p.Seat), string(p.User))
		case Waiting:
			in[1] = append(in[1], string(p.User))
		case Pending:
			in[2] = append(in[2], string(p.User))
		}
	}
	return strings.Join(in[0], " ") + " | " + strings.Join(in[1], " ") + " | " + strings.Join(in[2], " ")
}

func TestWaitlist(t *testing.T) {
	full := func(capacity int, people ...UserID) *Room {
		return roomWith(OptionsEdit{Waitlist: new(true)}, capacity, people...)
	}
	for name, s := range map[string]scene{
		"a free seat":           {full(2, "ann"), []Command{join("ben")}, "seated 2", "joined ben seated 2", "1 ann 2 ben |  | "},
		"full":                  {full(1, "ann"), []Command{join("ben")}, "waiting 1", "joined ben waiting", "1 ann | ben | "},
		"behind the others":     {full(1, "ann", "ben"), []Command{join("cat")}, "waiting 2", "joined cat waiting", "1 ann | ben cat | "},
		"waits already":         {full(1, "ann", "ben", "cat"), []Command{join("cat")}, "already waiting 2", "", "1 ann | ben cat | "},
		"waits, a socket":       {full(1, "ann", "ben"), []Command{joinOn("ben", "s2"), connect("ben", "s3", "i2")}, "already waiting 1, already waiting 1", "", "1 ann | ben | "},
		"banned":                {full(1, "ann"), []Command{ban("ben"), join("ben")}, "ok, banned", "banned ben", "1 ann |  | "},
		"banned while waiting":  {full(1, "ann", "ben"), []Command{ban("ben"), join("ben")}, "ok, banned", "left ben banned", "1 ann |  | "},
		"removed while waiting": {full(1, "ann", "ben", "cat"), []Command{remove("ben"), join("cat")}, "ok, already waiting 1", "left ben removed", "1 ann | cat | "},
		"leaves the line":       {full(1, "ann", "ben", "cat"), []Command{leave("ben"), join("ben")}, "ok, waiting 2", "left ben, joined ben waiting", "1 ann | cat ben | "},
		"the last of the line":  {full(1, "ann", "ben", "cat"), []Command{leave("cat"), join("cat")}, "ok, waiting 2", "left cat, joined cat waiting", "1 ann | ben cat | "},

		"someone leaves":            {full(2, "ann", "ben", "cat", "dan"), []Command{leave("ann")}, "ok", "left ann, seated cat 1", "1 cat 2 ben | dan | "},
		"someone is removed":        {full(1, "ann", "ben"), []Command{remove("ann")}, "ok", "left ann removed, seated ben 1", "1 ben |  | "},
		"someone is banned":         {full(1, "ann", "ben"), []Command{ban("ann")}, "ok", "left ann banned, seated ben 1", "1 ben |  | "},
		"all leave":                 {full(2, "ann", "ben", "cat", "dan", "eve"), []Command{leave("ben"), leave("ann")}, "ok, ok", "left ben, seated cat 2, left ann, seated dan 1", "1 dan 2 cat | eve | "},
		"a seat more":               {full(1, "ann", "ben", "cat"), []Command{update(seats(2))}, "ok", "changed, seated ben 2", "1 ann 2 ben | cat | "},
		"seats for all":             {full(1, "ann", "ben", "cat"), []Command{update(seats(9))}, "ok", "changed, seated ben 2, seated cat 3", "1 ann 2 ben 3 cat |  | "},
		"fewer seats":               {full(2, "ann", "ben", "cat"), []Command{update(seats(1)), leave("ann")}, "conflict, ok", "left ann, seated cat 1", "1 cat 2 ben |  | "},
		"is told of the seat":       {full(1, "ann", "ben"), []Command{leave("ann"), join("ben")}, "ok, already seated 1", "left ann, seated ben 1", "1 ben |  | "},
		"closed":                    {full(1, "ann", "ben"), []Command{byKim(CommandClose), leave("ann"), update(seats(2))}, "ok, ok, room_closed", "closed instructor", "1 ann | ben | "},
		"the first in line first":   {full(1, "ann", "ben"), []Command{leave("ann"), join("cat"), join("ann")}, "ok, waiting 1, waiting 2", "left ann, seated ben 1, joined cat waiting, joined ann waiting", "1 ben | cat ann | "},
		"the line was left, though": {full(1, "ann", "ben"), []Command{leave("ben"), leave("ann"), join("cat")}, "ok, ok, seated 1", "left ben, left ann, joined cat seated 1", "1 cat |  | "},

		"locked": {
			full(1, "ann", "ben", "cat"), []Command{locked(), join("dan"), join("cat"), leave("ann")},
			"ok, room_locked, already waiting 2, ok", "changed, left ann, seated ben 1", "1 ben | cat | ",
		},
		"turned off": {
			full(1, "ann", "ben", "cat"), []Command{waitlist(false), join("dan"), join("cat"), leave("ann"), join("dan")},
			"ok, room_full, already waiting 2, ok, room_full", "changed, left ann, seated ben 1", "1 ben | cat | ",
		},
		"turned off, nobody waits": {
			full(1, "ann", "ben"), []Command{waitlist(false), leave("ann"), leave("ben"), join("cat")},
			"ok, ok, ok, seated 1", "changed, left ann, seated ben 1, left ben, joined cat seated 1", "1 cat |  | ",
		},
	} {
		t.Run(name, s.check)
	}
}

func TestApproval(t *testing.T) {
	asks := func(capacity int, people ...UserID) *Room {
		return roomWith(OptionsEdit{Approval: new(true)}, capacity, people...)
	}
	lines := func(capacity int, people ...UserID) *Room {
		return after(asks(capacity, people...), waitlist(true))
	}
	for name, s := range map[string]scene{
		"asks":              {asks(2), []Command{join("ann"), join("ben")}, "pending, pending", "joined ann pending, joined ben pending", " |  | ann ben"},
		"asks again":        {asks(2, "ann"), []Command{join("ann"), connect("ann", "s2", "i1")}, "already pending, already pending", "", " |  | ann"},
		"asks, locked":      {asks(2), []Command{locked(), join("ann")}, "ok, room_locked", "changed", " |  | "},
		"asks, full":        {after(asks(1, "ann"), admit("ann")), []Command{join("ben")}, "pending", "joined ben pending", "1 ann |  | ben"},
		"had a seat before": {after(roomOf(2, "ann"), approval(true)), []Command{join("ann"), leave("ann"), join("ann")}, "already seated 1, ok, pending", "left ann, joined ann pending", " |  | ann"},

		"admitted":              {asks(2, "ann", "ben"), []Command{admit("ben")}, "1", "seated ben 1", "1 ben |  | ann"},
		"admitted twice":        {asks(2, "ann"), []Command{admit("ann"), admit("ann")}, "1, 1", "seated ann 1", "1 ann |  | "},
		"admitted, a stranger":  {asks(2), []Command{admit("ann")}, "not_found", "", " |  | "},
		"admitted, gone":        {asks(2, "ann"), []Command{leave("ann"), admit("ann")}, "ok, not_found", "left ann", " |  | "},
		"admitted, full":        {asks(1, "ann", "ben"), []Command{admit("ann"), admit("ben")}, "1, room_full", "seated ann 1", "1 ann |  | ben"},
		"admitted to the line":  {lines(1, "ann", "ben", "cat"), []Command{admit("ann"), admit("cat"), admit("ben"), admit("ben")}, "1, 1, 1, 1", "seated ann 1, admitted cat, admitted ben", "1 ann | cat ben | "},
		"all":                   {asks(3, "ann", "ben"), []Command{admitAll(), admitAll()}, "2, 0", "seated ann 1, seated ben 2", "1 ann 2 ben |  | "},
		"all, nobody asks":      {asks(3), []Command{admitAll()}, "0", "", " |  | "},
		"all, too many":         {asks(2, "ann", "ben", "cat"), []Command{admitAll(), admitAll()}, "2, 0", "seated ann 1, seated ben 2", "1 ann 2 ben |  | cat"},
		"all, too many, a line": {lines(1, "ann", "ben", "cat"), []Command{admitAll()}, "3", "seated ann 1, admitted ben, admitted cat", "1 ann | ben cat | "},
		"all, behind a line": {
			after(lines(1, "ann", "ben", "cat", "dan"), admit("dan"), admit("cat")), []Command{admitAll(), leave("dan")},
			"2, ok", "admitted ann, admitted ben, left dan, seated cat 1", "1 cat | ann ben | ",
		},

		"refused":             {asks(2, "ann"), []Command{remove("ann")}, "ok", "left ann removed", " |  | "},
		"refused, asks again": {asks(2, "ann", "ben"), []Command{remove("ann"), join("ann")}, "ok, pending", "left ann removed, joined ann pending", " |  | ben ann"},
		"refused for good":    {asks(2, "ann"), []Command{ban("ann"), join("ann"), admit("ann")}, "ok, banned, not_found", "left ann banned", " |  | "},
		"thinks better of it": {asks(2, "ann"), []Command{leave("ann")}, "ok", "left ann", " |  | "},

		"a seat is free":          {after(asks(1, "ann", "ben"), admit("ann")), []Command{leave("ann"), update(seats(2))}, "ok, ok", "left ann, changed", " |  | ben"},
		"a seat is free, a line":  {after(lines(1, "ann", "ben", "cat"), admit("ann"), admit("cat")), []Command{leave("ann")}, "ok", "left ann, seated cat 1", "1 cat |  | ben"},
		"turned off":              {asks(3, "ann", "ben"), []Command{approval(false), join("cat")}, "ok, seated 3", "changed, seated ann 1, seated ben 2, joined cat seated 3", "1 ann 2 ben 3 cat |  | "},
		"turned off, a line":      {lines(1, "ann", "ben", "cat"), []Command{approval(false), join("cat")}, "ok, already waiting 2", "changed, seated ann 1, admitted ben, admitted cat", "1 ann | ben cat | "},
		"turned off, full":        {asks(1, "ann", "ben", "cat"), []Command{approval(false), join("dan")}, "ok, room_full", "changed, seated ann 1", "1 ann |  | ben cat"},
		"turned off, full, admit": {asks(1, "ann", "ben"), []Command{approval(false), admit("ben"), admitAll()}, "ok, room_full, 0", "changed, seated ann 1", "1 ann |  | ben"},
		"turned off, closed":      {asks(2, "ann"), []Command{byKim(CommandClose), approval(false), admitAll()}, "ok, room_closed, room_closed", "closed instructor", " |  | ann"},
		"turned off and on":       {asks(1, "ann", "ben"), []Command{approval(false), approval(true), leave("ann")}, "ok, ok, ok", "changed, seated ann 1, changed, left ann", " |  | ben"},
		"left over, a seat": {
			after(asks(1, "ann", "ben", "cat"), approval(false)), []Command{leave("ann"), join("ann"), join("ben")},
			"ok, room_full, already seated 1", "left ann, seated ben 1", "1 ben |  | cat",
		},
		"left over, a line": {
			after(asks(1, "ann", "ben", "cat"), approval(false)), []Command{waitlist(true), join("dan")},
			"ok, waiting 3", "changed, admitted ben, admitted cat, joined dan waiting", "1 ann | ben cat dan | ",
		},
		"left over behind a line": {
			after(lines(1, "ann", "ben", "cat"), admit("ann"), admit("cat"), waitlist(false), approval(false)), []Command{leave("ann"), leave("cat")},
			"ok, ok", "left ann, seated cat 1, left cat, seated ben 1", "1 ben |  | ",
		},
		"both at once, a seat more": {
			after(lines(1, "ann", "ben", "cat"), admit("ann"), admit("cat"), waitlist(false), approval(false)), []Command{update(seats(3))},
			"ok", "changed, seated cat 2, seated ben 3", "1 ann 2 cat 3 ben |  | ",
		},
	} {
		t.Run(name, s.check)
	}
}

// What remains of those who waited or were pending.
func TestPersonInLine(t *testing.T) {
	minute := func(n int) time.Time { return bell.Add(time.Duration(n) * time.Minute) }
	r := roomWith(OptionsEdit{Waitlist: new(true), Approval: new(true)}, 1)
	for _, does := range [][]Command{{join("ann"), join("ben")}, {admit("ben"), admit("ann")}, {leave("ben")}, {remove("ann")}} {
		laterBy(10*time.Second, r, does...)
	}
	laterBy(20*time.Second, r, join("cat"))
	at := func(s int) time.Time { return minute(0).Add(time.Duration(s) * time.Second) }
	for _, want := range []*Person{
		{User: "ann", Name: "Name of ann", State: Removed, LastSeat: 1, JoinedAt: at(10), FirstJoinedAt: at(10), LeftAt: at(40), LeftFor: ReasonRemoved},
		{User: "ben", Name: "Name of ben", State: Left, LastSeat: 1, JoinedAt: at(10), FirstJoinedAt: at(10), LeftAt: at(30), LeftFor: ReasonLeft},
		{User: "cat", Name: "Name of cat", State: Pending, Place: 1, JoinedAt: minute(1), FirstJoinedAt: minute(1), OfflineAt: minute(1)},
	} {
		if got := r.Person(want.User); !samePerson(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

// Positions are ranks, whatever the places, and the roster is in order.
func TestPositions(t *testing.T) {
	r := after(roomWith(OptionsEdit{Waitlist: new(true)}, 1, "ann", "ben", "cat", "dan", "eve"), leave("cat"))
	want := map[UserID]int{"ann": 0, "ben": 1, "dan": 2, "eve": 3, "cat": 0}
	for u, position := range want {
		if got := r.Position(r.Person(u)); got != position {
			t.Errorf("%s is in position %d, want %d", u, got, position)
		}
	}
	for range 2 { // it can be ended at any time, and begun anew
		for position, p := range waiters(r) {
			if want[p.User] != position {
				t.Errorf("%s comes in position %d", p.User, position)
			}
			if position == 2 {
				break
			}
		}
	}
	if got := stands(r); got != "1 ann | ben dan eve | " {
		t.Errorf("stands %q", got)
	}
}
