package room

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"
)

// bell is when the rooms of these tests open.
var bell = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

const (
	theRoom = ID("01JROOM")
	theCode = "K7QF3MXD"
	newCode = "0000ZZZZ"
)

var kim = Caller{User: "kim", Name: "Kim", Role: Instructor}

// newRoom is a room that kim opened at the bell, without people.
func newRoom(capacity int) *Room {
	r := &Room{Header: Header{ID: theRoom}}
	open := Command{Type: CommandOpen, By: kim, Change: &Change{
		Title: new("Logic"), Capacity: new(capacity), Code: theCode,
	}}
	r.Apply(r.Batch([]Command{open}, bell).Entry)
	return r
}

// roomOf is a room whose people came in this order.
func roomOf(capacity int, people ...UserID) *Room {
	r := newRoom(capacity)
	for _, u := range people {
		after(r, join(u))
	}
	return r
}

// knowing is a room where so many people were, the last of them given by name.
func knowing(people int, last UserID) *Room {
	r := roomOf(2)
	r.set(last, &Person{User: last, Name: "Name of " + string(last), State: Left})
	for n := range people - 1 {
		u := UserID("was" + strconv.Itoa(n))
		r.set(u, &Person{User: u, State: Left})
	}
	return r
}

// after is the room after commands that must not be refused, at the time of
// its last entry.
func after(r *Room, commands ...Command) *Room { return laterBy(0, r, commands...) }

// laterBy is the room after one batch of commands, d after its last entry.
func laterBy(d time.Duration, r *Room, commands ...Command) *Room {
	for i := range commands {
		commands[i].ID = "c"
	}
	entry := r.Batch(commands, r.At.Add(d)).Entry
	for _, a := range entry.Answers {
		if a.Code != "" {
			panic("the preparation of a test was refused: " + string(a.Type) + ": " + string(a.Code))
		}
	}
	r.Apply(entry)
	return r
}

func student(u UserID) Caller { return Caller{User: u, Name: "Name of " + string(u), Role: Student} }

func join(u UserID) Command {
	return Command{Type: CommandJoin, By: student(u), Code: theCode}
}

// joinOn joins with a socket.
func joinOn(u UserID, s SessionID) Command {
	c := join(u)
	c.Session, c.Instance = s, "i1"
	return c
}

func joinWith(u UserID, code string, invite *Invitation) Command {
	return Command{Type: CommandJoin, By: student(u), Code: code, Invite: invite}
}

func invitation(id ID, renewals int) *Invitation { return &Invitation{Room: id, Renewals: renewals} }

func connect(u UserID, s SessionID, i InstanceID) Command {
	return Command{Type: CommandConnect, By: student(u), Session: s, Instance: i}
}

func disconnect(u UserID, s SessionID, at time.Time) Command {
	return Command{Type: CommandDisconnect, By: student(u), Session: s, At: at}
}

func leave(u UserID) Command { return Command{Type: CommandLeave, By: student(u)} }

func reap(i InstanceID, at time.Time) Command {
	return Command{Type: CommandReap, Instance: i, At: at}
}

// byKim is a command of the room's instructor.
func byKim(t CommandType) Command { return Command{Type: t, By: kim} }

func remove(u UserID) Command { return Command{Type: CommandRemove, By: kim, User: u} }

func ban(u UserID) Command { return Command{Type: CommandRemove, By: kim, User: u, Ban: true} }

func unban(u UserID) Command { return Command{Type: CommandUnban, By: kim, User: u} }

func update(c Change) Command { return Command{Type: CommandUpdate, By: kim, Change: &c} }

func seats(n int) Change { return Change{Capacity: &n} }

func options(e OptionsEdit) Change { return Change{Options: &e} }

func as(by Caller, c Command) Command {
	c.By = by
	return c
}

// joined is that someone got a seat without a socket.
func joined(u UserID, seat int) Event {
	return Event{Type: EventJoined, User: u, Name: "Name of " + string(u), Guest: student(u).Guest(), State: Seated, Seat: seat, Offline: true}
}

// withSocket is what joined is for someone who comes with a socket.
func withSocket(joined Event) Event {
	joined.Offline = false
	return joined
}

func connected(u UserID, s SessionID, i InstanceID) Event {
	return Event{Type: EventConnected, User: u, Session: s, Instance: i}
}

// online is a connected event of someone who was not shown online before.
func online(e Event) Event {
	e.Online = true
	return e
}

func disconnected(u UserID, s SessionID, at time.Time) Event {
	return Event{Type: EventDisconnected, User: u, Session: s, At: at}
}

func left(u UserID, why Reason) Event { return Event{Type: EventLeft, User: u, Reason: why} }

func changed(c Change) Event { return Event{Type: EventChanged, Change: &c} }

// A verdict is what a command in a situation must lead to.
type verdict struct {
	room   *Room
	does   Command
	events []Event // none: it had been so already
	err    *Refusal
}

// check decides the command, and decides it again after what happened: the
// second time nothing changes and a refusal stays one.
func (v verdict) check(t *testing.T) {
	at := v.room.At.Add(time.Minute)
	for _, want := range [][]Event{v.events, nil} {
		events, err := v.room.Decide(v.does, at)
		checkRefusal(t, err, v.err)
		if !slices.EqualFunc(events, want, func(a, b Event) bool { return reflect.DeepEqual(a, b) }) {
			t.Errorf("got %s, want %s", inJSON(events), inJSON(want))
		}
		v.room.Apply(Entry{Room: v.room.ID, Version: v.room.Version + 1, At: at, Events: events})
	}
}

func checkRefusal(t *testing.T, err error, want *Refusal) {
	t.Helper()
	if want == nil {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Code != want.Code || refusal.Field != want.Field {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func inJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestJoin(t *testing.T) {
	locked := update(options(OptionsEdit{Locked: new(true)}))
	noGuests := update(options(OptionsEdit{Guests: new(false)}))
	renewed := update(Change{Code: newCode})
	renamed := join("ann")
	renamed.By.Name = "Anna"
	for name, v := range map[string]verdict{
		"first seat":               {room: roomOf(2), does: join("ann"), events: []Event{joined("ann", 1)}},
		"last seat":                {room: roomOf(2, "ann"), does: join("ben"), events: []Event{joined("ben", 2)}},
		"with a socket":            {room: roomOf(2), does: joinOn("ann", "s1"), events: []Event{withSocket(joined("ann", 1)), online(connected("ann", "s1", "i1"))}},
		"a guest":                  {room: roomOf(2), does: join("guest:1"), events: []Event{joined("guest:1", 1)}},
		"full":                     {room: roomOf(1, "ann"), does: join("ben"), err: ErrFull},
		"full, has a seat":         {room: roomOf(1, "ann"), does: join("ann")},
		"lowest of two free seats": {room: after(roomOf(4, "ann", "ben", "cat"), leave("cat"), leave("ann")), does: join("dan"), events: []Event{joined("dan", 1)}},
		"a seat in the middle":     {room: after(roomOf(3, "ann", "ben", "cat"), remove("ben")), does: join("dan"), events: []Event{joined("dan", 2)}},
		"seat of someone banned":   {room: after(roomOf(1, "ann"), ban("ann")), does: join("ben"), events: []Event{joined("ben", 1)}},
		"left before":              {room: after(roomOf(3, "ann", "ben"), leave("ann"), join("cat")), does: join("ann"), events: []Event{joined("ann", 3)}},
		"removed before":           {room: after(roomOf(3, "ann"), remove("ann")), does: join("ann"), events: []Event{joined("ann", 1)}},
		"unbanned":                 {room: after(roomOf(3, "ann"), ban("ann"), unban("ann")), does: join("ann"), events: []Event{joined("ann", 1)}},
		"fewer seats, all taken":   {room: after(roomOf(3, "ann", "ben"), leave("ann"), update(seats(1))), does: join("cat"), err: ErrFull},
		"fewer seats, a high one taken": {
			room: after(roomOf(3, "ann", "ben", "cat"), leave("ann"), leave("ben"), update(seats(2))),
			does: join("dan"), events: []Event{joined("dan", 1)},
		},
		"more seats": {room: after(roomOf(1, "ann"), update(seats(2))), does: join("ben"), events: []Event{joined("ben", 2)}},

		"second socket":     {room: after(roomOf(1), joinOn("ann", "s1")), does: joinOn("ann", "s2"), events: []Event{connected("ann", "s2", "i1")}},
		"same socket":       {room: after(roomOf(1), joinOn("ann", "s1")), does: joinOn("ann", "s1")},
		"under a new name":  {room: roomOf(1, "ann"), does: renamed, events: []Event{{Type: EventRenamed, User: "ann", Name: "Anna"}}},
		"by its id, a seat": {room: roomOf(1, "ann"), does: joinWith("ann", "", nil)},

		"wrong code":               {room: roomOf(2), does: joinWith("ann", newCode, nil), err: ErrNotFound},
		"wrong code, has a seat":   {room: roomOf(2, "ann"), does: joinWith("ann", newCode, nil)},
		"renewed code":             {room: after(roomOf(2), renewed), does: joinWith("ann", newCode, nil), events: []Event{joined("ann", 1)}},
		"old code":                 {room: after(roomOf(2), renewed), does: join("ann"), err: ErrNotFound},
		"by its id":                {room: roomOf(2), does: joinWith("ann", "", nil), err: ErrNotFound},
		"by its id, left before":   {room: after(roomOf(2, "ann"), leave("ann")), does: joinWith("ann", "", nil), err: ErrNotFound},
		"invited":                  {room: roomOf(2), does: joinWith("ann", "", invitation(theRoom, 0)), events: []Event{joined("ann", 1)}},
		"invited after a renewal":  {room: after(roomOf(2), renewed), does: joinWith("ann", "", invitation(theRoom, 1)), events: []Event{joined("ann", 1)}},
		"invited before a renewal": {room: after(roomOf(2), renewed), does: joinWith("ann", "", invitation(theRoom, 0)), err: ErrNotFound},
		"invited elsewhere":        {room: roomOf(2), does: joinWith("ann", "", invitation("other", 0)), err: ErrNotFound},
		"invited, wrong code":      {room: roomOf(2), does: joinWith("ann", newCode, invitation(theRoom, 0)), err: ErrNotFound},
		"invited, full":            {room: roomOf(1, "ben"), does: joinWith("ann", "", invitation(theRoom, 0)), err: ErrFull},
		"invited, locked":          {room: after(roomOf(2), locked), does: joinWith("ann", "", invitation(theRoom, 0)), err: ErrLocked},
		"invited, banned":          {room: after(roomOf(2), ban("ann")), does: joinWith("ann", "", invitation(theRoom, 0)), err: ErrBanned},

		"locked":                     {room: after(roomOf(2), locked), does: join("ann"), err: ErrLocked},
		"locked, has a seat":         {room: after(roomOf(2, "ann"), locked), does: joinOn("ann", "s1"), events: []Event{online(connected("ann", "s1", "i1"))}},
		"unlocked":                   {room: after(roomOf(2), locked, update(options(OptionsEdit{Locked: new(false)}))), does: join("ann"), events: []Event{joined("ann", 1)}},
		"no guests":                  {room: after(roomOf(2), noGuests), does: join("guest:1"), err: ErrNoGuests},
		"no guests, has a seat":      {room: after(roomOf(2, "guest:1"), noGuests), does: join("guest:1")},
		"no guests, not one":         {room: after(roomOf(2), noGuests), does: join("ann"), events: []Event{joined("ann", 1)}},
		"banned":                     {room: after(roomOf(2, "ann"), ban("ann")), does: join("ann"), err: ErrBanned},
		"banned, never a member":     {room: after(roomOf(2), ban("ann")), does: join("ann"), err: ErrBanned},
		"banned, does not know more": {room: after(roomOf(2, "ann"), ban("ann")), does: joinWith("ann", newCode, nil), err: ErrNotFound},
		"too many were there":        {room: knowing(maxKnown, "ann"), does: join("ben"), err: ErrFull},
		"too many, was there":        {room: knowing(maxKnown, "ann"), does: join("ann"), events: []Event{joined("ann", 1)}},
		"one fewer":                  {room: knowing(maxKnown-1, "ann"), does: join("ben"), events: []Event{joined("ben", 1)}},
		"the instructor":             {room: roomOf(2), does: as(kim, join("kim")), err: ErrNotStudent},
		"another instructor":         {room: roomOf(2), does: as(Caller{User: "lee", Role: Instructor}, join("lee")), err: ErrNotStudent},
		"closed":                     {room: after(roomOf(2), byKim(CommandClose)), does: join("ann"), err: ErrNotFound},
		"closed, had a seat":         {room: after(roomOf(2, "ann"), byKim(CommandClose)), does: join("ann"), err: ErrNotFound},
		"closed, seat, by its id":    {room: after(roomOf(2, "ann"), byKim(CommandClose)), does: joinWith("ann", "", nil), err: ErrClosed},
		"closed, invited":            {room: after(roomOf(2), byKim(CommandClose)), does: joinWith("ann", "", invitation(theRoom, 0)), err: ErrClosed},
		"closed, by its id":          {room: after(roomOf(2), byKim(CommandClose)), does: joinWith("ann", "", nil), err: ErrNotFound},
	} {
		t.Run(name, v.check)
	}
}

func TestConnect(t *testing.T) {
	renamed := connect("ann", "s1", "i1")
	renamed.By.Name = "Anna"
	for name, v := range map[string]verdict{
		"a member":        {room: roomOf(2, "ann"), does: connect("ann", "s1", "i1"), events: []Event{online(connected("ann", "s1", "i1"))}},
		"second socket":   {room: after(roomOf(2), joinOn("ann", "s1")), does: connect("ann", "s2", "i2"), events: []Event{connected("ann", "s2", "i2")}},
		"same socket":     {room: after(roomOf(2), joinOn("ann", "s1")), does: connect("ann", "s1", "i1")},
		"a reload":        {room: after(roomOf(2), joinOn("ann", "s1"), disconnect("ann", "s1", time.Time{})), does: connect("ann", "s2", "i1"), events: []Event{connected("ann", "s2", "i1")}},
		"back later":      {room: laterBy(time.Minute, after(roomOf(2), joinOn("ann", "s1"), disconnect("ann", "s1", time.Time{}))), does: connect("ann", "s2", "i1"), events: []Event{online(connected("ann", "s2", "i1"))}},
		"no socket":       {room: roomOf(2, "ann"), does: connect("ann", "", "")},
		"new name":        {room: roomOf(2, "ann"), does: renamed, events: []Event{{Type: EventRenamed, User: "ann", Name: "Anna"}, online(connected("ann", "s1", "i1"))}},
		"full and locked": {room: after(roomOf(1, "ann"), update(options(OptionsEdit{Locked: new(true)}))), does: connect("ann", "s1", "i1"), events: []Event{online(connected("ann", "s1", "i1"))}},
		"a stranger":      {room: roomOf(2), does: connect("ann", "s1", "i1"), err: ErrNotFound},
		"left before":     {room: after(roomOf(2, "ann"), leave("ann")), does: connect("ann", "s1", "i1"), err: ErrNotFound},
		"removed before":  {room: after(roomOf(2, "ann"), remove("ann")), does: connect("ann", "s1", "i1"), err: ErrNotFound},
		"banned":          {room: after(roomOf(2, "ann"), ban("ann")), does: connect("ann", "s1", "i1"), err: ErrBanned},
		"the instructor":  {room: roomOf(2), does: as(kim, connect("kim", "s1", "i1")), err: ErrNotStudent},
		"closed":          {room: after(roomOf(2, "ann"), byKim(CommandClose)), does: connect("ann", "s1", "i1"), err: ErrClosed},
		"closed, unknown": {room: after(roomOf(2), byKim(CommandClose)), does: connect("ann", "s1", "i1"), err: ErrNotFound},
	} {
		t.Run(name, v.check)
	}
}

func TestDisconnect(t *testing.T) {
	now := bell.Add(time.Minute) // see verdict.check
	on := func() *Room { return after(roomOf(2), joinOn("ann", "s1")) }
	for name, v := range map[string]verdict{
		"now":             {room: on(), does: disconnect("ann", "s1", time.Time{}), events: []Event{disconnected("ann", "s1", now)}},
		"a while ago":     {room: on(), does: disconnect("ann", "s1", bell.Add(1500*time.Microsecond)), events: []Event{disconnected("ann", "s1", bell.Add(time.Millisecond))}},
		"in the future":   {room: on(), does: disconnect("ann", "s1", now.Add(time.Hour)), events: []Event{disconnected("ann", "s1", now)}},
		"before it came":  {room: on(), does: disconnect("ann", "s1", bell.Add(-time.Hour)), events: []Event{disconnected("ann", "s1", bell)}},
		"in another zone": {room: on(), does: disconnect("ann", "s1", bell.In(time.FixedZone("KST", 9*3600))), events: []Event{disconnected("ann", "s1", bell)}},
		"another socket":  {room: on(), does: disconnect("ann", "s2", time.Time{})},
		"no socket":       {room: on(), does: disconnect("ann", "", time.Time{})},
		"another person":  {room: on(), does: disconnect("ben", "s1", time.Time{})},
		"gone already":    {room: after(on(), disconnect("ann", "s1", time.Time{})), does: disconnect("ann", "s1", time.Time{})},
		"left":            {room: after(on(), leave("ann")), does: disconnect("ann", "s1", time.Time{})},
		"removed":         {room: after(on(), remove("ann")), does: disconnect("ann", "s1", time.Time{})},
		"closed":          {room: after(on(), byKim(CommandClose)), does: disconnect("ann", "s1", time.Time{})},
	} {
		t.Run(name, v.check)
	}
}

func TestReap(t *testing.T) {
	now, beat := bell.Add(time.Minute), bell.Add(40*time.Second)
	on := func() *Room {
		return after(roomOf(3), joinOn("ben", "s3"), joinOn("ann", "s1"), connect("ann", "s2", "i2"), connect("ben", "s4", "i1"), join("cat"))
	}
	for name, v := range map[string]verdict{
		"its sessions alone": {room: on(), does: reap("i1", beat), events: []Event{disconnected("ben", "s3", beat), disconnected("ben", "s4", beat), disconnected("ann", "s1", beat)}},
		"before they came":   {room: on(), does: reap("i2", bell.Add(-time.Second)), events: []Event{disconnected("ann", "s2", bell)}},
		"another instance":   {room: on(), does: reap("i2", beat), events: []Event{disconnected("ann", "s2", beat)}},
		"in the future":      {room: on(), does: reap("i2", now.Add(time.Second)), events: []Event{disconnected("ann", "s2", now)}},
		"nobody's":           {room: on(), does: reap("i3", beat)},
		"closed":             {room: after(on(), byKim(CommandClose)), does: reap("i1", beat)},
	} {
		t.Run(name, v.check)
	}
}

func TestLeave(t *testing.T) {
	named := leave("ann")
	named.ID = "c7"
	for name, v := range map[string]verdict{
		"a member":      {room: roomOf(2, "ann"), does: leave("ann"), events: []Event{left("ann", ReasonLeft)}},
		"with sockets":  {room: after(roomOf(2), joinOn("ann", "s1"), joinOn("ann", "s2")), does: leave("ann"), events: []Event{left("ann", ReasonLeft)}},
		"says by which": {room: roomOf(2, "ann"), does: named, events: []Event{{Type: EventLeft, User: "ann", Reason: ReasonLeft, Command: "c7"}}},
		"a stranger":    {room: roomOf(2, "ben"), does: leave("ann")},
		"left before":   {room: after(roomOf(2, "ann"), leave("ann")), does: leave("ann")},
		"banned":        {room: after(roomOf(2, "ann"), ban("ann")), does: leave("ann")},
		"closed":        {room: after(roomOf(2, "ann"), byKim(CommandClose)), does: leave("ann")},
	} {
		t.Run(name, v.check)
	}
}

func TestUpdate(t *testing.T) {
	everyone := RosterEveryone
	all := Change{Title: new("Sets"), Capacity: new(5), Options: &OptionsEdit{
		Locked: new(true), Guests: new(false), Roster: &everyone, MaxMinutes: new(60),
	}}
	some := Change{Title: new("Logic"), Capacity: new(3), Options: &OptionsEdit{Guests: new(true)}}
	for name, v := range map[string]verdict{
		"everything":         {room: roomOf(2), does: update(all), events: []Event{changed(all)}},
		"what is so already": {room: roomOf(2), does: update(some), events: []Event{changed(seats(3))}},
		"nothing":            {room: roomOf(2), does: update(Change{})},
		"no options":         {room: roomOf(2), does: update(options(OptionsEdit{}))},
		"more seats":         {room: roomOf(2, "ann", "ben"), does: update(seats(3)), events: []Event{changed(seats(3))}},
		"as many as taken":   {room: roomOf(3, "ann", "ben"), does: update(seats(2)), events: []Event{changed(seats(2))}},
		"fewer than taken":   {room: roomOf(3, "ann", "ben"), does: update(seats(1)), err: ErrConflict},
		"fewer, title too":   {room: roomOf(3, "ann", "ben"), does: update(Change{Title: new("Sets"), Capacity: new(1)}), err: ErrConflict},
		"a seat was given up": {
			room: after(roomOf(3, "ann", "ben"), leave("ann")),
			does: update(seats(1)), events: []Event{changed(seats(1))},
		},
		"closed":             {room: after(roomOf(2), byKim(CommandClose)), does: update(all), err: ErrClosed},
		"a student":          {room: roomOf(2, "ann"), does: as(student("ann"), update(all)), err: ErrForbidden},
		"a student so named": {room: roomOf(2), does: as(student("kim"), update(all)), err: ErrForbidden},
		"another instructor": {room: roomOf(2), does: as(Caller{User: "lee", Role: Instructor}, update(all)), err: ErrForbidden},
	} {
		t.Run(name, v.check)
	}
}

// A new code is the one change that is made each time it is asked for.
func TestUpdateCode(t *testing.T) {
	r := roomOf(2)
	for n, code := range []string{newCode, theCode, theCode} {
		after(r, update(Change{Code: code}))
		if r.Code != code || r.Renewals != n+1 {
			t.Errorf("code %s after %d renewals, want %s after %d", r.Code, r.Renewals, code, n+1)
		}
	}
}

func TestLead(t *testing.T) {
	admit := func(u UserID, all bool) Command {
		return Command{Type: CommandAdmit, By: kim, User: u, All: all}
	}
	banned := Event{Type: EventBanned, User: "ann"}
	closed := func() *Room { return after(roomOf(2, "ann"), byKim(CommandClose)) }
	for name, v := range map[string]verdict{
		"start":               {room: roomOf(2), does: byKim(CommandStart)},
		"start, closed":       {room: closed(), does: byKim(CommandStart), err: ErrClosed},
		"admit, seated":       {room: roomOf(2, "ann"), does: admit("ann", false)},
		"admit, a stranger":   {room: roomOf(2), does: admit("ann", false), err: ErrNotFound},
		"admit, left before":  {room: after(roomOf(2, "ann"), leave("ann")), does: admit("ann", false), err: ErrNotFound},
		"admit all":           {room: roomOf(2, "ann"), does: admit("", true)},
		"admit, closed":       {room: closed(), does: admit("", true), err: ErrClosed},
		"remove":              {room: roomOf(2, "ann"), does: remove("ann"), events: []Event{left("ann", ReasonRemoved)}},
		"remove, a stranger":  {room: roomOf(2), does: remove("ann")},
		"remove, left before": {room: after(roomOf(2, "ann"), leave("ann")), does: remove("ann")},
		"remove, banned":      {room: after(roomOf(2, "ann"), ban("ann")), does: remove("ann")},
		"remove, closed":      {room: closed(), does: remove("ann"), err: ErrClosed},
		"ban":                 {room: roomOf(2, "ann"), does: ban("ann"), events: []Event{left("ann", ReasonBanned)}},
		"ban, a stranger":     {room: roomOf(2), does: ban("ann"), events: []Event{banned}},
		"ban, left before":    {room: after(roomOf(2, "ann"), leave("ann")), does: ban("ann"), events: []Event{banned}},
		"ban, removed before": {room: after(roomOf(2, "ann"), remove("ann")), does: ban("ann"), events: []Event{banned}},
		"ban, closed":         {room: closed(), does: ban("ann"), err: ErrClosed},
		"unban":               {room: after(roomOf(2), ban("ann")), does: unban("ann"), events: []Event{{Type: EventUnbanned, User: "ann"}}},
		"unban, not banned":   {room: roomOf(2, "ann"), does: unban("ann")},
		"unban, a stranger":   {room: roomOf(2), does: unban("ann")},
		"unban, closed":       {room: after(roomOf(2), ban("ann"), byKim(CommandClose)), does: unban("ann"), events: []Event{{Type: EventUnbanned, User: "ann"}}},
		"close":               {room: roomOf(2, "ann"), does: byKim(CommandClose), events: []Event{{Type: EventClosed, Reason: ReasonInstructor}}},
		"close, closed":       {room: closed(), does: byKim(CommandClose)},
		"open, open already":  {room: roomOf(2), does: Command{Type: CommandOpen, By: kim, Change: &Change{Title: new("Sets")}}},
		"tick, nothing due":   {room: roomOf(2), does: Command{Type: CommandTick}},
		"no such command":     {room: roomOf(2), does: byKim("sing"), err: BadField("type", "")},
	} {
		t.Run(name, v.check)
		if v.does.By == kim && v.does.Type != CommandOpen {
			v.err, v.events = ErrForbidden, nil
			for who, by := range map[string]Caller{
				"student": student("ann"), "namesake": student("kim"), "other": {User: "lee", Role: Instructor}, "nobody": {},
			} {
				v.does = as(by, v.does)
				t.Run(name+", by "+who, v.check)
			}
		}
	}
}

// Within one batch each command finds what those before it did.
func TestBatch(t *testing.T) {
	r := roomOf(2, "ann")
	commands := []Command{
		join("ben"), join("cat"), leave("ann"), join("cat"), join("cat"), update(seats(1)), ban("ben"), join("ben"), byKim("sing"), {Type: CommandTick},
	}
	for i := range commands {
		commands[i].ID = CommandID(itoa(i))
	}
	commands[len(commands)-1].ID = "" // nobody asked for it, so nobody is answered

	step := r.Batch(commands, bell.Add(time.Minute))
	want := []Answer{
		{Command: "0", Type: CommandJoin, User: "ben", State: Seated, Seat: 2},
		{Command: "1", Type: CommandJoin, User: "cat", Code: CodeRoomFull},
		{Command: "2", Type: CommandLeave, User: "ann"},
		{Command: "3", Type: CommandJoin, User: "cat", State: Seated, Seat: 1},
		{Command: "4", Type: CommandJoin, User: "cat", State: Seated, Seat: 1, Already: true},
		{Command: "5", Type: CommandUpdate, User: "kim", Code: CodeConflict, Field: "capacity"},
		{Command: "6", Type: CommandRemove, User: "kim"},
		{Command: "7", Type: CommandJoin, User: "ben", Code: CodeBanned},
		{Command: "8", Type: "sing", User: "kim", Code: CodeBadRequest, Field: "type"},
	}
	if !reflect.DeepEqual(step.Entry.Answers, want) {
		t.Errorf("got %s\nwant %s", inJSON(step.Entry.Answers), inJSON(want))
	}
	var people []UserID
	for _, p := range step.People {
		people = append(people, p.User)
	}
	if want := []UserID{"ann", "ben", "cat"}; !slices.Equal(people, want) {
		t.Errorf("touched %v, want %v", people, want)
	}
	if step.Room.Taken != 1 || step.Room.Version != 3 || r.Taken != 1 || r.Version != 2 || r.Member("cat") != nil {
		t.Errorf("step: %d taken at %d; room: %d taken at %d", step.Room.Taken, step.Room.Version, r.Taken, r.Version)
	}
}

// A batch in which nothing happens is a version of its own.
func TestBatchOfNothing(t *testing.T) {
	r := roomOf(2, "ann")
	step := r.Batch([]Command{{ID: "1", Type: CommandLeave, By: student("ben")}}, bell.Add(-time.Hour))
	want := Entry{Room: theRoom, Version: 3, At: bell, Answers: []Answer{{Command: "1", Type: CommandLeave, User: "ben"}}}
	if !reflect.DeepEqual(step.Entry, want) || len(step.People) > 0 {
		t.Errorf("got %s for %d people, want %s", inJSON(step.Entry), len(step.People), inJSON(want))
	}
}

// What remains of people who have been in a room.
func TestPerson(t *testing.T) {
	minute := func(n int) time.Time { return bell.Add(time.Duration(n) * time.Minute) }
	r := roomOf(9, "ben")
	for _, c := range []Command{joinOn("ann", "s1"), remove("ann"), joinOn("ann", "s2"), ban("ann"), unban("ann"), ban("eve"), unban("eve")} {
		laterBy(time.Minute, r, c)
	}
	for _, want := range []*Person{
		{User: "ann", Name: "Name of ann", State: Removed, LastSeat: 2, FirstJoinedAt: minute(1), JoinedAt: minute(3), LeftAt: minute(4), LeftFor: ReasonBanned},
		{User: "eve", Name: "eve", State: Removed},
		{User: "ben", Name: "Name of ben", State: Seated, Seat: 1, LastSeat: 1, FirstJoinedAt: bell, JoinedAt: bell, OfflineAt: bell},
	} {
		if got := r.Person(want.User); len(got.Sessions) > 0 || !reflect.DeepEqual(trimmed(got), want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	if r.Person("nobody") != nil || r.Member("ann") != nil || r.Member("ben") == nil {
		t.Error("a member is someone who has a place")
	}
}

// trimmed is p with no sessions as nil, so that it can be compared.
func trimmed(p *Person) *Person {
	q := *p
	if len(q.Sessions) == 0 {
		q.Sessions = nil
	}
	return &q
}

func TestMayWatch(t *testing.T) {
	shown := RosterEveryone
	everyone := func() *Room { return after(roomOf(2, "ann"), update(options(OptionsEdit{Roster: &shown}))) }
	for name, tt := range map[string]struct {
		room *Room
		by   Caller
		may  bool
	}{
		"the instructor":           {roomOf(2, "ann"), kim, true},
		"the instructor, closed":   {after(roomOf(2, "ann"), byKim(CommandClose)), kim, true},
		"another instructor":       {everyone(), Caller{User: "lee", Role: Instructor}, false},
		"a student so named":       {everyone(), student("kim"), false},
		"seated":                   {roomOf(2, "ann"), student("ann"), false},
		"seated, shown to all":     {everyone(), student("ann"), true},
		"a stranger, shown to all": {everyone(), student("ben"), false},
		"left, shown to all":       {after(everyone(), leave("ann")), student("ann"), false},
		"shown to all, closed":     {after(everyone(), byKim(CommandClose)), student("ann"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.room.MayWatch(tt.by) != tt.may {
				t.Errorf("may watch: %v", !tt.may)
			}
		})
	}
}
