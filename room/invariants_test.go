package room

import (
	"cmp"
	"iter"
	"slices"
)

// checkRoom checks what always holds.
func (g *game) checkRoom(before *Room) {
	r := g.room
	if r.Version != before.Version+1 || r.At.Before(before.At) || r.At.Nanosecond()%1e6 != 0 {
		g.Fatalf("version %d at %v after %d at %v", r.Version, r.At, before.Version, before.At)
	}
	counts := Header{}
	seats, places := map[int]UserID{}, map[int64]UserID{}
	for p := range r.People() {
		g.checkPerson(p)
		if seats[p.Seat] != "" || places[p.Place] != "" {
			g.Fatalf("in the place of %q or %q: %+v", seats[p.Seat], places[p.Place], *p)
		}
		if p.Seat > 0 {
			seats[p.Seat] = p.User
		}
		if p.Place > 0 {
			places[p.Place] = p.User
		}
		count(&counts, p)
	}
	if counts.Taken != r.Taken || counts.Waiting != r.Waiting || counts.Pending != r.Pending || counts.Online != r.Online {
		g.Fatalf("people count as %+v\nin %+v", counts, r.Header)
	}
	g.checkLife()
	g.checkPlaces()
}

func count(h *Header, p *Person) {
	switch p.State {
	case Seated:
		h.Taken++
	case Waiting:
		h.Waiting++
	case Pending:
		h.Pending++
	}
	if p.Online {
		h.Online++
	}
}

func (g *game) checkPerson(p *Person) {
	waits := p.State == Waiting || p.State == Pending
	if (p.State == Seated) != (p.Seat > 0) || waits != (p.Place > 0) || p.Seat > 0 && p.LastSeat != p.Seat {
		g.Fatalf("in two places, or in none: %+v", *p)
	}
	// Shown online: has a socket, or had one a moment ago.
	if p.Online != (len(p.Sessions) > 0 || !p.AwayAt.IsZero()) || len(p.Sessions) > 0 && !p.AwayAt.IsZero() {
		g.Fatalf("shown online: %+v", *p)
	}
	if p.Online && (!p.State.Member() || !p.OfflineAt.IsZero()) || !p.State.Member() && !p.OfflineAt.IsZero() {
		g.Fatalf("shown online or offline: %+v", *p)
	}
	if g.room.Status != Closed && p.State.Member() && p.Online == !p.OfflineAt.IsZero() {
		g.Fatalf("offline since %v: %+v", p.OfflineAt, *p)
	}
	if (p.LeftFor == "") != p.LeftAt.IsZero() || (p.State == Banned) == p.BannedAt.IsZero() {
		g.Fatalf("left or banned: %+v", *p)
	}
}

// checkLife checks the room's times.
func (g *game) checkLife() {
	r, ok := g.room, false
	switch r.Status {
	case Scheduled:
		ok = r.OpenedAt.IsZero() && r.ClosedAt.IsZero() && r.Options.StartsAt.After(r.At) && r.Taken+r.Waiting+r.Pending == 0
	case Open:
		ok = !r.OpenedAt.IsZero() && !r.OpenedAt.After(r.At) && r.ClosedAt.IsZero()
	case Closed:
		ok = !r.ClosedAt.IsZero() && !r.ClosedAt.After(r.At) && r.Online == 0
	}
	if !ok {
		g.Fatalf("%s: %+v", r.Status, r.Header)
	}
	if due := g.client.due(); r.DueAt.IsZero() != (r.Status == Closed) || r.DueAt.After(due) {
		g.Fatalf("due at %v, looked at again at %v", due, r.DueAt)
	}
}

// checkPlaces checks that nobody waits for what is free.
func (g *game) checkPlaces() {
	r, rank := g.room, 0
	for i, p := range waiters(r) {
		if rank++; i != rank || r.Position(p) != rank || p.State != Waiting || r.Member(p.User) != p {
			g.Fatalf("in position %d: %+v", i, *p)
		}
	}
	if !slices.IsSortedFunc(r.Roster(), inRoster) {
		g.Fatalf("out of order: %s", stands(r))
	}
	if rank != r.Waiting || r.Taken > r.Capacity {
		g.Fatalf("%d wait, %d have seats: %+v", rank, r.Taken, r.Header)
	}
	free := r.Status == Open && r.Taken < r.Capacity
	if free && r.Waiting > 0 {
		g.Fatalf("wait though a seat is free: %+v", r.Header)
	}
	if r.Status == Open && !r.Options.Approval && r.Pending > 0 && (free || r.Options.Waitlist) {
		g.Fatalf("pending though nobody admits: %+v", r.Header)
	}
}

// inRoster is the order of the roster: the seated, the waiting, the pending.
func inRoster(a, b *Person) int {
	kinds := []State{Seated, Waiting, Pending}
	return cmp.Or(
		cmp.Compare(slices.Index(kinds, a.State), slices.Index(kinds, b.State)),
		cmp.Compare(a.Seat, b.Seat), cmp.Compare(a.Place, b.Place),
	)
}

// waiters ranges over the waiting in order, with their positions.
func waiters(r *Room) iter.Seq2[int, *Person] {
	return func(yield func(int, *Person) bool) {
		for i, s := range r.line {
			if !yield(i+1, r.people[s.user]) {
				return
			}
		}
	}
}
