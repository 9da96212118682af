package room

import (
	"reflect"
	"testing"
	"time"
)

// What people see of a room as time goes by.
func TestTime(t *testing.T) {
	at := func(s int) time.Duration { return time.Duration(s) * time.Second }
	type step struct {
		at     time.Duration // after the bell
		does   Command
		online int // shown after it
	}
	tick := Command{Type: CommandTick}
	for name, steps := range map[string][]step{
		"offline 5 s after the socket went": {
			{at(0), joinOn("ann", "s1"), 1}, {at(10), disconnect("ann", "s1", time.Time{}), 1},
			{at(15) - time.Millisecond, tick, 1}, {at(15), tick, 0},
		},
		"offline 5 s after it truly went": {
			{at(0), joinOn("ann", "s1"), 1}, {at(10), disconnect("ann", "s1", bell.Add(at(7))), 1},
			{at(12) - time.Millisecond, tick, 1}, {at(12), tick, 0},
		},
		"a reload is not seen": {
			{at(0), joinOn("ann", "s1"), 1}, {at(10), disconnect("ann", "s1", time.Time{}), 1},
			{at(14), connect("ann", "s2", "i1"), 1}, {at(15), tick, 1}, {at(60), tick, 1},
		},
		"a second reload starts anew": {
			{at(0), joinOn("ann", "s1"), 1}, {at(10), disconnect("ann", "s1", time.Time{}), 1},
			{at(14), connect("ann", "s2", "i1"), 1}, {at(14), disconnect("ann", "s2", time.Time{}), 1},
			{at(18), tick, 1}, {at(19), tick, 0},
		},
		"another tab is still there": {
			{at(0), joinOn("ann", "s1"), 1}, {at(1), joinOn("ann", "s2"), 1},
			{at(10), disconnect("ann", "s1", time.Time{}), 1}, {at(60), tick, 1},
			{at(70), disconnect("ann", "s2", time.Time{}), 1}, {at(75), tick, 0},
		},
		"back after an hour": {
			{at(0), joinOn("ann", "s1"), 1}, {at(10), disconnect("ann", "s1", time.Time{}), 1},
			{at(3600), tick, 0}, {at(3601), connect("ann", "s2", "i1"), 1},
		},
		"without a socket": {{at(0), join("ann"), 0}, {at(1), connect("ann", "s1", "i1"), 1}},
		"leaving":          {{at(0), joinOn("ann", "s1"), 1}, {at(1), leave("ann"), 0}},
		"left within the 5 s": {
			{at(0), joinOn("ann", "s1"), 1}, {at(1), disconnect("ann", "s1", time.Time{}), 1},
			{at(2), leave("ann"), 0}, {at(3), joinOn("ann", "s2"), 1}, {at(60), tick, 1},
		},
		"removed": {{at(0), joinOn("ann", "s1"), 1}, {at(1), remove("ann"), 0}},
		"banned":  {{at(0), joinOn("ann", "s1"), 1}, {at(1), ban("ann"), 0}},
		"any batch shows who is offline": {
			{at(0), joinOn("ann", "s1"), 1}, {at(10), disconnect("ann", "s1", time.Time{}), 1}, {at(15), joinOn("ben", "s2"), 1},
		},
		"a dead instance, found at once": {
			{at(0), joinOn("ann", "s1"), 1}, {at(10), reap("i1", bell.Add(at(8))), 1}, {at(12), tick, 1}, {at(13), tick, 0},
		},
		"a dead instance, found late": {{at(0), joinOn("ann", "s1"), 1}, {at(100), reap("i1", bell.Add(at(8))), 0}},
		"closed":                      {{at(0), joinOn("ann", "s1"), 1}, {at(1), byKim(CommandClose), 0}, {at(60), tick, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			r := roomOf(9)
			for _, s := range steps {
				r.Apply(r.Batch([]Command{s.does}, bell.Add(s.at)).Entry)
				if r.Online != s.online {
					t.Errorf("%d shown online after %s at %v, want %d", r.Online, s.does.Type, s.at, s.online)
				}
			}
		})
	}
}

// However late a room is looked at, it closed when it was to close.
func TestExpiry(t *testing.T) {
	minutes := func(n int) Command { return update(options(OptionsEdit{MaxMinutes: &n})) }
	on := func() *Room { return after(roomOf(2), joinOn("ann", "s1")) }
	for name, tt := range map[string]struct {
		room     *Room
		looks    time.Duration // after the bell
		closedAt time.Duration // 0: is open still
	}{
		"a millisecond before":     {room: on(), looks: 12*time.Hour - time.Millisecond},
		"to the millisecond":       {room: on(), looks: 12 * time.Hour, closedAt: 12 * time.Hour},
		"a day late":               {room: on(), looks: 36 * time.Hour, closedAt: 12 * time.Hour},
		"shortened":                {room: after(on(), minutes(60)), looks: 2 * time.Hour, closedAt: time.Hour},
		"shortened into the past":  {room: laterBy(90*time.Minute, on(), minutes(60)), looks: 3 * time.Hour, closedAt: 90 * time.Minute},
		"lengthened":               {room: after(on(), minutes(1440)), looks: 23 * time.Hour},
		"lengthened, and then due": {room: after(on(), minutes(1440)), looks: 25 * time.Hour, closedAt: 24 * time.Hour},
		"shortened and lengthened": {room: after(on(), minutes(60), minutes(720)), looks: 11 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			r := tt.room
			r.Apply(r.Batch([]Command{{Type: CommandTick}}, bell.Add(tt.looks)).Entry)
			if tt.closedAt == 0 {
				if r.Status != Open || r.DueAt != r.ClosesAt() {
					t.Errorf("status %s, due at %v, closes at %v", r.Status, r.DueAt, r.ClosesAt())
				}
				return
			}
			if r.Status != Closed || !r.ClosedAt.Equal(bell.Add(tt.closedAt)) || !r.DueAt.IsZero() {
				t.Errorf("status %s, closed at %v, due at %v", r.Status, r.ClosedAt, r.DueAt)
			}
			if p := r.Person("ann"); r.Taken != 1 || r.Online != 0 || p.Seat != 1 || len(p.Sessions) != 0 || p.Online {
				t.Errorf("taken %d, online %d, ann %+v", r.Taken, r.Online, p)
			}
		})
	}
}

// The last beat of an instance lies before what became due while nobody
// looked: it is recorded first.
func TestPastBeforeDue(t *testing.T) {
	r := after(roomOf(2), joinOn("ann", "s1"))
	gone, closes := bell.Add(time.Hour), bell.Add(12*time.Hour)
	for name, tt := range map[string]struct {
		past  Command
		ended time.Time
	}{
		"an instance died":       {reap("i1", gone), gone},
		"a socket went":          {disconnect("ann", "s1", gone), gone},
		"a socket went too late": {disconnect("ann", "s1", closes.Add(time.Hour)), closes},
	} {
		t.Run(name, func(t *testing.T) {
			step := r.Batch([]Command{tt.past, join("ben")}, bell.Add(20*time.Hour))
			want := []Event{disconnected("ann", "s1", tt.ended), {Type: EventClosed, Reason: ReasonExpired, At: closes}}
			if !reflect.DeepEqual(step.Entry.Events, want) {
				t.Errorf("got %s, want %s", inJSON(step.Entry.Events), inJSON(want))
			}
		})
	}
}

// A moment is what happens in a room some time after the bell.
type moment struct {
	at   time.Duration // after the bell
	does []Command     // none: it is looked at
	told string
}

// A course is a room as time goes by.
type course struct {
	room    *Room
	moments []moment
	stands  string // at the end
}

func (c course) check(t *testing.T) {
	for _, m := range c.moments {
		entry := c.room.Batch(m.does, bell.Add(m.at)).Entry
		c.room.Apply(entry)
		if got := told(entry.Events); got != m.told {
			t.Errorf("at %v happened %q, want %q", m.at, got, m.told)
		}
		if due := c.room.DueAt; !due.IsZero() && !due.After(entry.At) {
			t.Errorf("at %v still due: %v", m.at, due.Sub(bell))
		}
	}
	if got := stands(c.room); got != c.stands {
		t.Errorf("stands %q, want %q", got, c.stands)
	}
}

// gone is that someone's only socket, of roomWith, goes.
func gone(u UserID) []Command { return []Command{disconnect(u, SessionID(u), time.Time{})} }

func hold(seconds int) Command { return update(options(OptionsEdit{SeatHoldSeconds: &seconds})) }

const ms = time.Millisecond

// Who waits, or is pending, and is offline loses the place.
func TestLapse(t *testing.T) {
	line := func() *Room { return roomWith(OptionsEdit{Waitlist: new(true)}, 1, "ann", "ben", "cat") }
	lobby := func() *Room { return roomWith(OptionsEdit{Approval: new(true)}, 1, "ann", "ben") }
	back := []Command{connect("ben", "s2", "i1")}
	wentBen := moment{0, gone("ben"), "disconnected ben 0s"}
	for name, c := range map[string]course{
		"waiting": {line(), []moment{
			wentBen, {5 * time.Second, nil, "offline ben"},
			{35*time.Second - ms, nil, ""}, {35 * time.Second, nil, "left ben place_lapsed"}, {time.Hour, nil, ""},
		}, "1 ann | cat | "},
		"pending": {lobby(), []moment{
			wentBen, {5 * time.Second, nil, "offline ben"},
			{35*time.Second - ms, nil, ""}, {35 * time.Second, nil, "left ben place_lapsed"}, {time.Hour, nil, ""},
		}, " |  | ann"},
		"back in time": {line(), []moment{
			wentBen, {5 * time.Second, nil, "offline ben"}, {35*time.Second - ms, back, ""}, {time.Hour, nil, ""},
		}, "1 ann | ben cat | "},
		"back before it was seen": {line(), []moment{wentBen, {5*time.Second - ms, back, ""}, {time.Hour, nil, ""}}, "1 ann | ben cat | "},
		"back too late": {line(), []moment{
			wentBen, {5 * time.Second, nil, "offline ben"}, {35 * time.Second, back, "left ben place_lapsed"},
		}, "1 ann | cat | "},
		"back too late, asks anew": {line(), []moment{
			wentBen, {5 * time.Second, nil, "offline ben"},
			{35 * time.Second, []Command{joinOn("ben", "s2")}, "left ben place_lapsed, joined ben waiting"}, {time.Hour, nil, ""},
		}, "1 ann | cat ben | "},
		"counts from when it was seen": {line(), []moment{
			wentBen, {time.Minute, nil, "offline ben"}, {90*time.Second - ms, nil, ""}, {90 * time.Second, nil, "left ben place_lapsed"},
		}, "1 ann | cat | "},
		"the first before a seat is free": {line(), []moment{
			wentBen, {5 * time.Second, nil, "offline ben"},
			{35 * time.Second, []Command{leave("ann")}, "left ben place_lapsed, left ann, seated cat 1"},
		}, "1 cat |  | "},
		"seated in time": {line(), []moment{
			wentBen, {5 * time.Second, nil, "offline ben"}, {34 * time.Second, []Command{leave("ann")}, "left ann, seated ben 1"}, {time.Hour, nil, ""},
		}, "1 ben | cat | "},
		"admitted to the line": {after(lobby(), admit("ann"), waitlist(true)), []moment{
			wentBen, {5 * time.Second, nil, "offline ben"}, {34 * time.Second, []Command{admit("ben")}, "admitted ben"},
			{35 * time.Second, nil, "left ben place_lapsed"},
		}, "1 ann |  | "},
		"came without a socket": {line(), []moment{
			{0, []Command{join("dan"), join("eve")}, "joined dan waiting, joined eve waiting"},
			{time.Second, []Command{connect("eve", "s2", "i1")}, ""},
			{30*time.Second - ms, nil, ""}, {30 * time.Second, nil, "left dan place_lapsed"}, {time.Hour, nil, ""},
		}, "1 ann | ben cat eve | "},
		"several, and the rest moves up": {line(), []moment{
			{0, append(gone("ben"), gone("cat")...), "disconnected ben 0s, disconnected cat 0s"}, {5 * time.Second, nil, "offline ben, offline cat"},
			{35 * time.Second, []Command{join("dan")}, "left ben place_lapsed, left cat place_lapsed, joined dan waiting"},
		}, "1 ann | dan | "},
		"seated": {line(), []moment{
			{0, gone("ann"), "disconnected ann 0s"}, {5 * time.Second, nil, "offline ann"}, {time.Hour, nil, ""},
		}, "1 ann | ben cat | "},
		"closed": {line(), []moment{
			wentBen, {5 * time.Second, nil, "offline ben"}, {6 * time.Second, []Command{byKim(CommandClose)}, "closed instructor"}, {time.Hour, nil, ""},
		}, "1 ann | ben cat | "},
	} {
		t.Run(name, c.check)
	}
}

// A seat is kept for so long for someone who is offline.
func TestSeatHold(t *testing.T) {
	held := func(seconds int) *Room {
		return roomWith(OptionsEdit{Waitlist: new(true), SeatHoldSeconds: &seconds}, 1, "ann", "ben", "cat")
	}
	wentAnn := []moment{{0, gone("ann"), "disconnected ann 0s"}, {5 * time.Second, nil, "offline ann"}}
	away := func(r *Room, stands string, then ...moment) course {
		return course{r, append(wentAnn[:2:2], then...), stands}
	}
	for name, c := range map[string]course{
		"given up": away(held(60), "1 ben | cat | ",
			moment{65*time.Second - ms, nil, ""}, moment{65 * time.Second, nil, "left ann place_lapsed, seated ben 1"}, moment{time.Hour, nil, ""}),
		"back in time": away(held(60), "1 ann | ben cat | ",
			moment{65*time.Second - ms, []Command{connect("ann", "s2", "i1")}, ""}, moment{time.Hour, nil, ""}),
		"back too late": away(held(60), "1 ben | cat ann | ",
			moment{65 * time.Second, []Command{joinOn("ann", "s2")}, "left ann place_lapsed, seated ben 1, joined ann waiting"}),
		"shortened": away(held(60), "1 ben | cat | ",
			moment{20 * time.Second, []Command{hold(16)}, "changed"}, moment{21 * time.Second, nil, "left ann place_lapsed, seated ben 1"}),
		"lengthened": away(held(60), "1 ben | cat | ",
			moment{20 * time.Second, []Command{hold(90)}, "changed"}, moment{95*time.Second - ms, nil, ""},
			moment{95 * time.Second, nil, "left ann place_lapsed, seated ben 1"}),
		"turned off": away(held(60), "1 ann | ben cat | ",
			moment{20 * time.Second, []Command{hold(0)}, "changed"}, moment{time.Hour, nil, ""}),
		"turned on": away(held(0), "1 ben | cat | ",
			moment{20 * time.Second, []Command{hold(16)}, "changed"}, moment{21 * time.Second, nil, "left ann place_lapsed, seated ben 1"}),
		"locked": away(after(held(60), locked()), "1 ben | cat | ", moment{65 * time.Second, nil, "left ann place_lapsed, seated ben 1"}),
		"for as long as it waited offline": away(held(10), "1 cat |  | ",
			moment{6 * time.Second, gone("ben"), "disconnected ben 6s"}, moment{11 * time.Second, nil, "offline ben"},
			moment{15 * time.Second, nil, "left ann place_lapsed, seated ben 1"}, moment{21 * time.Second, nil, "left ben place_lapsed, seated cat 1"}),
		"one after the other at once": away(held(10), "1 cat |  | ",
			moment{5 * time.Second, gone("ben"), "disconnected ben 5s"}, moment{10 * time.Second, nil, "offline ben"},
			moment{20 * time.Second, nil, "left ann place_lapsed, seated ben 1, left ben place_lapsed, seated cat 1"}),
		"came without a socket": {roomWith(OptionsEdit{SeatHoldSeconds: new(10)}, 2, "ann"), []moment{
			{0, []Command{join("ben")}, "joined ben seated 2"}, {10*time.Second - ms, nil, ""}, {10 * time.Second, nil, "left ben place_lapsed"},
		}, "1 ann |  | "},
	} {
		t.Run(name, c.check)
	}
}
