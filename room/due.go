package room

import (
	"cmp"
	"slices"
	"time"
)

// due returns what happens by itself up to now; after that has happened, it
// may return more.
func (r *Room) due(now time.Time) []Event {
	switch {
	case r.DueAt.IsZero() || now.Before(r.DueAt) || r.Status == Closed:
		return nil
	case r.Status == Scheduled && now.Before(r.Options.StartsAt.Time):
		return nil
	case r.Status == Scheduled:
		return []Event{{Type: EventStarted, At: later(r.Options.StartsAt.Time, r.At)}}
	case !now.Before(r.ClosesAt()):
		return []Event{{Type: EventClosed, Reason: ReasonExpired, At: later(r.ClosesAt(), r.At)}}
	}
	return r.dueAbsences(now)
}

// dueAbsences returns what becomes of those who have been away for too long,
// in the order in which it is due.
func (r *Room) dueAbsences(now time.Time) []Event {
	var gone []*Person
	for u := range r.absent {
		if due := r.dueOf(r.people[u]); !due.IsZero() && !now.Before(due) {
			gone = append(gone, r.people[u])
		}
	}
	slices.SortFunc(gone, func(a, b *Person) int {
		return cmp.Or(r.dueOf(a).Compare(r.dueOf(b)), cmp.Compare(a.User, b.User))
	})
	var events []Event
	for _, p := range gone {
		if p.AwayAt.IsZero() {
			events = append(events, Event{Type: EventLeft, User: p.User, Reason: ReasonLapsed})
		} else {
			events = append(events, Event{Type: EventOffline, User: p.User})
		}
	}
	return events
}

// dueOf is when something happens to p by itself, zero if nothing does: who is
// away is shown offline, and who has been offline for long loses the place.
func (r *Room) dueOf(p *Person) time.Time {
	switch {
	case !p.State.Member() || r.Status == Closed:
		return time.Time{}
	case !p.AwayAt.IsZero():
		return p.AwayAt.Add(OfflineAfter)
	case p.OfflineAt.IsZero():
		return time.Time{}
	case p.State != Seated:
		return p.OfflineAt.Add(LapseAfter)
	case r.Options.SeatHoldSeconds > 0:
		return p.OfflineAt.Add(time.Duration(r.Options.SeatHoldSeconds) * time.Second)
	}
	return time.Time{}
}

// nextDue finds when something will be due; between entries DueAt is only
// brought forward, so that an entry costs no walk through the absent.
func (r *Room) nextDue() time.Time {
	if r.Status == Scheduled {
		return r.Options.StartsAt.Time
	}
	next := r.ClosesAt()
	for u := range r.absent {
		if due := r.dueOf(r.people[u]); !due.IsZero() {
			next = earlier(next, due)
		}
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
