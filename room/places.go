package room

import (
	"cmp"
	"slices"
	"time"
)

// A line is people in the order of their places.
type line []spot

type spot struct {
	place int64
	user  UserID
}

func byPlace(a, b *Person) int { return cmp.Compare(a.Place, b.Place) }

// find returns the index of the place, or where it would be.
func (l line) find(place int64) (int, bool) {
	return slices.BinarySearchFunc(l, place, func(s spot, place int64) int { return cmp.Compare(s.place, place) })
}

func (l *line) put(p *Person) {
	if l == nil {
		return
	}
	i, _ := l.find(p.Place)
	*l = slices.Insert(*l, i, spot{p.Place, p.User})
}

func (l *line) drop(place int64) {
	if l == nil {
		return
	}
	switch i, ok := l.find(place); {
	case !ok:
	case i == 0: // who is first leaves most often
		*l = (*l)[1:]
	default:
		*l = slices.Delete(*l, i, i+1)
	}
}

// lineOf returns the line in which people of a state are, nil if in none.
func (r *Room) lineOf(s State) *line {
	switch s {
	case Waiting:
		return &r.line
	case Pending:
		return &r.lobby
	}
	return nil
}

// nextPlace is the place behind everyone's.
func (r *Room) nextPlace() int64 {
	var last int64
	for _, l := range [...]line{r.line, r.lobby} {
		if len(l) > 0 {
			last = max(last, l[len(l)-1].place)
		}
	}
	return last + 1
}

// Position returns the rank of p among the waiting, from 1; 0 if p does not
// wait.
func (r *Room) Position(p *Person) int {
	if p.State != Waiting {
		return 0
	}
	i, _ := r.line.find(p.Place)
	return i + 1
}

// follows returns what follows at once from what has just happened: that a
// scheduled room opens, that freed seats are given to those who wait, and that
// without approval nobody is left pending for whom there is room.
func (r *Room) follows(now time.Time) []Event {
	switch {
	case r.Status == Scheduled && !now.Before(r.Options.StartsAt.Time):
		return []Event{{Type: EventStarted}}
	case r.Status != Open:
		return nil
	case len(r.line) > 0 && r.Taken < r.Capacity:
		return r.advanceLine()
	case !r.Options.Approval:
		return r.letIn(r.lobby)
	}
	return nil
}

// advanceLine returns how those who have waited longest get the free seats.
func (r *Room) advanceLine() []Event {
	var events []Event
	seat := 0
	for _, s := range r.line[:min(len(r.line), r.Capacity-r.Taken)] {
		seat = r.freeSeat(seat)
		events = append(events, Event{Type: EventSeated, User: s.user, Seat: seat})
	}
	return events
}

// letIn returns how pending people are admitted, in order, for as many as
// there is room: to the free seats and then, if the room has a waiting list,
// to its end.
func (r *Room) letIn(lobby line) []Event {
	var events []Event
	seat, place := 0, r.nextPlace()
	for i, s := range lobby {
		switch {
		case r.Taken+i < r.Capacity:
			seat = r.freeSeat(seat)
			events = append(events, Event{Type: EventSeated, User: s.user, Seat: seat})
		case r.Options.Waitlist:
			events = append(events, Event{Type: EventAdmitted, User: s.user, Place: place})
			place++
		default:
			return events
		}
	}
	return events
}

// freeSeat returns the number of the lowest free seat above another.
func (r *Room) freeSeat(above int) int {
	for r.free < len(r.seats) && r.seats[r.free] != "" {
		r.free++
	}
	i := max(r.free, above)
	for i < len(r.seats) && r.seats[i] != "" {
		i++
	}
	return i + 1
}
