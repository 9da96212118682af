package hub

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lectern-room/lectern/room"
)

const (
	// turnKept is how late one may come for a turn: a page that nobody looks at
	// is woken late, and a bad network takes some seconds to connect.
	turnKept = 10 * time.Second
	// turnSockets is how many sockets and calls a turn is good for: those of
	// two tabs, one of which is loaded anew.
	turnSockets = 3
	// mostTold is the longest wait that anyone is told, and comeSooner by how much
	// less some are told, so that they do not come back all at once. With turnKept
	// it is how soon a turn is another's for which nobody comes.
	mostTold   = 20 * time.Second
	comeSooner = 5 * time.Second
)

// An admission lets in so many sockets and calls a second, a second's worth at
// once, and gives everyone else a turn, one after another at that pace. A turn
// is the person's: who comes before it is told the same again, so that trying
// harder gains nothing and puts nobody off; and for a while it is good for the
// person's other tabs. Nobody is told to wait for longer than mostTold, and
// who then does not come has no turn any more: those behind move up. Until then
// others have the shares for which nobody comes, because another instance had a
// place. It is safe for concurrent use.
type admission struct {
	share time.Duration // of the time, one socket's; 0: there is no limit
	burst time.Duration // the shares that may be taken at once

	mu    sync.Mutex // guards all below
	taken time.Time  // until when the shares of those who came in last
	last  time.Time  // when the last one has a turn who was sent away
	late  time.Time  // when the last one has another who found no share left
	turns map[room.UserID]*turn
	line  []*turn // in order, with some that are over
}

// A turn is from when on a person may come in.
type turn struct {
	user room.UserID
	at   time.Time
	kept time.Time // until when
	good int       // for so many more
}

// newAdmission makes an admission of so many a second; 0: no limit.
func newAdmission(rate int) *admission {
	if rate <= 0 {
		return &admission{}
	}
	return &admission{share: time.Second / time.Duration(rate), burst: time.Second, turns: map[room.UserID]*turn{}}
}

// enter returns 0 if the person may come in now, else when to come, in whole
// milliseconds.
func (a *admission) enter(user room.UserID, now time.Time) (wait time.Duration) {
	if a.share == 0 {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if full := now.Add(-a.burst); a.taken.Before(full) {
		a.taken = full
	}
	t := a.turns[user]
	due := t != nil && !t.at.After(now)
	left := now.Sub(a.taken) - a.share
	if !due && (a.last.After(now) || a.late.After(now)) {
		left -= a.burst / 2 // for those whose turns come
	}
	if left >= 0 {
		a.taken = a.taken.Add(a.share)
		if t == nil {
			t = a.give(user, now)
		}
		a.use(t, now)
		return 0
	}
	switch {
	case t == nil:
		a.last = a.after(a.last, now)
		t = a.give(user, a.last)
	case due:
		a.late = a.after(a.late, now)
		t.at = a.late
	}
	if wait = t.at.Sub(now) + rand.N(a.share); wait > mostTold {
		wait = mostTold - rand.N(comeSooner)
	}
	t.kept = now.Add(wait + turnKept)
	return (wait + time.Millisecond).Truncate(time.Millisecond)
}

// after returns the next share's time after those that were given until last.
func (a *admission) after(last, now time.Time) time.Time {
	if last.Before(now) {
		last = now
	}
	return last.Add(a.share)
}

// give gives a person a turn. Where too many have one it is not noted, and who
// comes back has another: better than to take it from someone who waits.
func (a *admission) give(user room.UserID, at time.Time) *turn {
	t := &turn{user: user, at: at, good: turnSockets}
	if len(a.turns) < metered {
		a.turns[user] = t
		a.line = append(a.line, t)
	}
	return t
}

// use lets someone in by a turn, or before it.
func (a *admission) use(t *turn, now time.Time) {
	if t.good == turnSockets {
		t.at, t.kept = now, now.Add(turnKept)
	}
	if t.good--; t.good == 0 {
		t.kept = time.Time{}
		delete(a.turns, t.user)
	}
}

// sweep forgets the turns that are over, and has those behind move up.
func (a *admission) sweep(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next, line := now, a.line[:0]
	for _, t := range a.line {
		if t.kept.Before(now) {
			if a.turns[t.user] == t {
				delete(a.turns, t.user)
			}
			continue
		}
		line = append(line, t)
		if t.at.After(now) {
			next = next.Add(a.share)
			t.at = earlier(t.at, next)
		}
	}
	clear(a.line[len(line):])
	a.line, a.last = line, earlier(a.last, next)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// paced is the refusal of a call for which there is no place yet.
func paced(wait time.Duration) *room.Refusal {
	return &room.Refusal{Code: room.CodeUnavailable, Message: "more come than this instance lets in at a time: come back then", RetryAfter: wait}
}

// admit is enter for a person of this hub, who counts as paced if sent away.
func (h *Hub) admit(user room.UserID) (wait time.Duration) {
	if wait = h.admission.enter(user, time.Now()); wait > 0 {
		h.Metrics.paced.Inc()
	}
	return wait
}
