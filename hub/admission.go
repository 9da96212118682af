package hub

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lectern-room/lectern/room"
)

// turnKept is how late one may come for a turn: a page that nobody looks at is
// woken late, and a bad network takes some seconds to connect.
const turnKept = 10 * time.Second

// An admission lets in so many people a second, a second's worth at once, and
// gives everyone else a turn, one after another at that pace. A turn is the
// person's: who comes before it is told the same again, so that trying harder
// gains nothing and puts nobody off. Where people do not come for their turns,
// because another instance had a place, others have them. It is safe for
// concurrent use.
type admission struct {
	share time.Duration // of the time, one person's; 0: there is no limit
	burst time.Duration // the shares that may be taken at once

	mu    sync.Mutex // guards all below
	taken time.Time  // until when the shares of those who came in last
	last  time.Time  // when the last one has a turn who was sent away
	turns map[room.UserID]time.Time
}

// newAdmission makes an admission of so many people a second; 0: no limit.
func newAdmission(rate int) *admission {
	if rate <= 0 {
		return &admission{}
	}
	return &admission{share: time.Second / time.Duration(rate), burst: time.Second, turns: map[room.UserID]time.Time{}}
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
	turn, has := a.turns[user]
	due := has && !turn.After(now)
	left := now.Sub(a.taken) - a.share
	if !due && a.last.After(now) {
		left -= a.burst / 2 // for those whose turns come
	}
	if left >= 0 {
		a.taken = a.taken.Add(a.share)
		delete(a.turns, user)
		return 0
	}
	if !has || due {
		turn = a.give(user, now)
	}
	return (turn.Sub(now) + rand.N(a.share) + time.Millisecond).Truncate(time.Millisecond)
}

// give gives a person the next turn.
func (a *admission) give(user room.UserID, now time.Time) time.Time {
	if a.last.Before(now) {
		a.last = now
	}
	a.last = a.last.Add(a.share)
	if len(a.turns) >= metered {
		for other := range a.turns {
			delete(a.turns, other) // who then has another
			break
		}
	}
	a.turns[user] = a.last
	return a.last
}

// sweep forgets the turns for which nobody came.
func (a *admission) sweep(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for user, turn := range a.turns {
		if now.Sub(turn) > turnKept {
			delete(a.turns, user)
		}
	}
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
