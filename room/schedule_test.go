package room

import (
	"testing"
	"time"
)

// scheduled is a room that opens some time after the bell, and closes an hour
// later.
func scheduled(after time.Duration) *Room {
	r := &Room{Header: Header{ID: theRoom}}
	r.Apply(r.Batch([]Command{{Type: CommandOpen, By: kim, Change: &Change{
		Title: new("Logic"), Capacity: new(2), Code: theCode,
		Options: &OptionsEdit{StartsAt: &Timestamp{bell.Add(after)}, MaxMinutes: new(60)},
	}}}, bell).Entry)
	return r
}

// startsAt moves the start to some time after the bell.
func startsAt(after time.Duration) Command {
	return update(options(OptionsEdit{StartsAt: &Timestamp{bell.Add(after)}}))
}

// Until it starts, a room is there but nobody comes in.
func TestScheduled(t *testing.T) {
	atOnce := update(options(OptionsEdit{StartsAt: new(Timestamp)}))
	opened := func() *Room { return after(scheduled(time.Hour), byKim(CommandStart)) }
	started := Event{Type: EventStarted}
	for name, v := range map[string]verdict{
		"join":              {room: scheduled(time.Hour), does: join("ann"), err: ErrNotStarted},
		"join, invited":     {room: scheduled(time.Hour), does: joinWith("ann", "", invitation(theRoom, 0)), err: ErrNotStarted},
		"join, wrong code":  {room: scheduled(time.Hour), does: joinWith("ann", newCode, nil), err: ErrNotFound},
		"join, banned":      {room: after(scheduled(time.Hour), ban("ann")), does: join("ann"), err: ErrBanned},
		"join, locked":      {room: after(scheduled(time.Hour), locked()), does: join("ann"), err: ErrNotStarted},
		"join, no guests":   {room: after(scheduled(time.Hour), update(options(OptionsEdit{Guests: new(false)}))), does: join("guest:1"), err: ErrNoGuests},
		"join, closed":      {room: after(scheduled(time.Hour), byKim(CommandClose)), does: join("ann"), err: ErrNotFound},
		"connect":           {room: scheduled(time.Hour), does: connect("ann", "s1", "i1"), err: ErrNotFound},
		"leave":             {room: scheduled(time.Hour), does: leave("ann")},
		"ban":               {room: scheduled(time.Hour), does: ban("ann"), events: []Event{{Type: EventBanned, User: "ann"}}},
		"admit":             {room: scheduled(time.Hour), does: admit("ann"), err: ErrNotFound},
		"admit all":         {room: scheduled(time.Hour), does: admitAll()},
		"more seats":        {room: scheduled(time.Hour), does: update(seats(9)), events: []Event{changed(seats(9))}},
		"start":             {room: scheduled(time.Hour), does: byKim(CommandStart), events: []Event{started}},
		"start, a student":  {room: scheduled(time.Hour), does: as(student("kim"), byKim(CommandStart)), err: ErrForbidden},
		"start, started":    {room: opened(), does: byKim(CommandStart)},
		"start, closed":     {room: after(scheduled(time.Hour), byKim(CommandClose)), does: byKim(CommandStart), err: ErrClosed},
		"close":             {room: scheduled(time.Hour), does: byKim(CommandClose), events: []Event{{Type: EventClosed, Reason: ReasonInstructor}}},
		"later":             {room: scheduled(time.Hour), does: startsAt(2 * time.Hour), events: []Event{changed(*startsAt(2 * time.Hour).Change)}},
		"as it is":          {room: scheduled(time.Hour), does: startsAt(time.Hour)},
		"later, started":    {room: opened(), does: startsAt(2 * time.Hour), err: ErrStarted},
		"at once, started":  {room: opened(), does: atOnce, err: ErrStarted},
		"as it is, started": {room: opened(), does: startsAt(time.Hour)},
		"never scheduled":   {room: roomOf(2), does: startsAt(time.Hour), err: ErrStarted},
		"later, closed":     {room: after(scheduled(time.Hour), byKim(CommandClose)), does: startsAt(2 * time.Hour), err: ErrClosed},
		"join, started":     {room: opened(), does: join("ann"), events: []Event{joined("ann", 1)}},
	} {
		t.Run(name, v.check)
	}
}

// A room opens by itself at the time set, however late it is looked at, and
// what it is open for counts from then.
func TestSchedule(t *testing.T) {
	const hour = time.Hour
	atOnce := update(options(OptionsEdit{StartsAt: new(Timestamp)}))
	longer := update(options(OptionsEdit{MaxMinutes: new(120)}))
	ask := func(c ...Command) []Command { return c }
	for name, c := range map[string]course{
		"by itself":            {scheduled(hour), []moment{{hour - ms, nil, ""}, {hour, nil, "started 1h0m0s"}, {2*hour - ms, nil, ""}, {2 * hour, nil, "closed expired 2h0m0s"}}, " |  | "},
		"late":                 {scheduled(hour), []moment{{90 * time.Minute, nil, "started 1h0m0s"}, {3 * hour, nil, "closed expired 2h0m0s"}}, " |  | "},
		"too late":             {scheduled(hour), []moment{{9 * hour, ask(join("ann"), byKim(CommandStart)), "started 1h0m0s, closed expired 2h0m0s"}}, " |  | "},
		"with whoever comes":   {scheduled(hour), []moment{{hour, ask(join("ann")), "started 1h0m0s, joined ann seated 1"}}, "1 ann |  | "},
		"by request":           {scheduled(hour), []moment{{time.Minute, ask(join("ann"), byKim(CommandStart), join("ben")), "started, joined ben seated 1"}, {hour, nil, ""}, {61 * time.Minute, nil, "closed expired 1h1m0s"}}, "1 ben |  | "},
		"later":                {scheduled(hour), []moment{{time.Minute, ask(startsAt(2 * hour)), "changed"}, {hour, nil, ""}, {2 * hour, nil, "started 2h0m0s"}, {3 * hour, nil, "closed expired 3h0m0s"}}, " |  | "},
		"earlier":              {scheduled(hour), []moment{{time.Minute, ask(startsAt(2 * time.Minute)), "changed"}, {2 * time.Minute, nil, "started 2m0s"}}, " |  | "},
		"at once":              {scheduled(hour), []moment{{time.Minute, ask(atOnce, join("ann")), "changed, started, joined ann seated 1"}, {61 * time.Minute, nil, "closed expired 1h1m0s"}}, "1 ann |  | "},
		"in the past":          {scheduled(hour), []moment{{time.Minute, ask(startsAt(-hour), join("ann")), "changed, started, joined ann seated 1"}, {61 * time.Minute, nil, "closed expired 1h1m0s"}}, "1 ann |  | "},
		"just now":             {scheduled(hour), []moment{{time.Minute, ask(startsAt(time.Minute)), "changed, started"}}, " |  | "},
		"later, but too late":  {scheduled(hour), []moment{{hour, ask(startsAt(2 * hour)), "started 1h0m0s"}}, " |  | "},
		"was late, then moved": {after(scheduled(hour), startsAt(-hour)), []moment{{hour, nil, "closed expired 1h0m0s"}}, " |  | "},
		"opened in the past":   {scheduled(-hour), []moment{{0, ask(join("ann")), "joined ann seated 1"}, {hour, nil, "closed expired 1h0m0s"}}, "1 ann |  | "},
		"open for longer":      {scheduled(hour), []moment{{hour, ask(longer), "started 1h0m0s, changed"}, {2 * hour, nil, ""}, {3 * hour, nil, "closed expired 3h0m0s"}}, " |  | "},
		"longer beforehand":    {scheduled(hour), []moment{{0, ask(longer), "changed"}, {hour, nil, "started 1h0m0s"}, {3 * hour, nil, "closed expired 3h0m0s"}}, " |  | "},
		"closed before":        {scheduled(hour), []moment{{0, ask(byKim(CommandClose)), "closed instructor"}, {hour, nil, ""}}, " |  | "},
		"banned before":        {scheduled(hour), []moment{{0, ask(ban("ann")), "banned ann"}, {hour, ask(join("ann"), join("ben")), "started 1h0m0s, joined ben seated 1"}}, "1 ben |  | "},
	} {
		t.Run(name, c.check)
	}
}

// What is told of a room that is not open yet.
func TestScheduledHeader(t *testing.T) {
	r := scheduled(time.Hour)
	if r.Status != Scheduled || !r.OpenedAt.IsZero() || r.DueAt != bell.Add(time.Hour) || r.ClosesAt() != bell.Add(2*time.Hour) {
		t.Errorf("scheduled: %+v, closes at %v", r.Header, r.ClosesAt())
	}
	laterBy(time.Minute, r, startsAt(3*time.Hour))
	if r.Status != Scheduled || r.DueAt != bell.Add(3*time.Hour) || r.ClosesAt() != bell.Add(4*time.Hour) {
		t.Errorf("moved: %+v, closes at %v", r.Header, r.ClosesAt())
	}
	laterBy(time.Minute, r, byKim(CommandStart))
	if now := bell.Add(2 * time.Minute); r.Status != Open || r.OpenedAt != now || r.DueAt != now.Add(time.Hour) || r.ClosesAt() != now.Add(time.Hour) {
		t.Errorf("started: %+v, closes at %v", r.Header, r.ClosesAt())
	}
	late := scheduled(time.Hour)
	late.Apply(late.Batch(nil, bell.Add(70*time.Minute)).Entry)
	if late.OpenedAt != bell.Add(time.Hour) || late.DueAt != bell.Add(2*time.Hour) {
		t.Errorf("started late: %+v", late.Header)
	}
	gone := laterBy(time.Minute, scheduled(time.Hour), byKim(CommandClose))
	if gone.Status != Closed || !gone.OpenedAt.IsZero() || gone.ClosedAt != bell.Add(time.Minute) || !gone.DueAt.IsZero() {
		t.Errorf("closed: %+v", gone.Header)
	}
}
