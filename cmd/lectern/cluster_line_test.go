package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// lineSeats are taken when lineWaiting people come, one after another.
	lineSeats   = 12
	lineWaiting = 100
	// lineChanges happen at random times, lineApart from each other on
	// average.
	lineChanges = 40
	lineApart   = 700 * time.Millisecond
	// lineHold is how long a seat is kept for someone offline.
	lineHold = 2 * time.Second
	// tornFor is how long someone in the line is away who keeps the place: one
	// is shown offline by then.
	tornFor = 8 * time.Second
	// lostAfter is when a place in the line is given up: 30 s after one is shown
	// offline.
	lostAfter = shownOffline + 30*time.Second
	// toldWithin is 1 s, and room for a busy machine.
	toldWithin = 5 * time.Second
)

// A queue is a full room on three instances and the people who wait for it.
type queue struct {
	*cluster
	lecture *lecture
	rand    *rand.Rand
	seats   int
	asked   []room.UserID // in order of asking
	waiters map[room.UserID]*waiter
	freed   int // seats, so far
}

// A waiter is someone who asked for a seat, on one tab after another.
type waiter struct {
	*tab    // the last
	tabs    []*tab
	replies []hearing // to those who wait
	away    []span    // without a tab, or a place
}

func (w *waiter) sitDown(t *tab) { w.tab, w.tabs = t, append(w.tabs, t) }

// goes notes that the waiter is away from now on.
func (w *waiter) goes() {
	now := time.Now()
	w.away = append(w.away, span{now, now.Add(patience)})
}

// heard returns all that the waiter was told of the place, in order.
func (w *waiter) heard() []hearing {
	heard := slices.Clone(w.replies)
	for _, t := range w.tabs {
		heard = append(heard, t.told("your_place")...)
	}
	slices.SortFunc(heard, func(a, b hearing) int { return a.at.Compare(b.at) })
	return heard
}

// TestWaitingLine: whoever has waited longest gets the next seat, however it
// comes to be free and wherever, and everyone is told at once.
func TestWaitingLine(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	q := &queue{cluster: newCluster(t, 3), rand: rand.New(rand.NewPCG(seed, 0)), seats: lineSeats, waiters: map[room.UserID]*waiter{}}
	q.lecture = q.instances[0].openAs("t", `{"title":"Physics 1","capacity":%d,"options":{"waitlist":true,"seat_hold_seconds":%d}}`,
		lineSeats, int(lineHold.Seconds()))
	watchers := q.watch(q.lecture)
	for n := range lineSeats + lineWaiting {
		q.comes(n)
	}
	torn, lost := q.asked[lineSeats+80], q.asked[lineSeats+85]
	gone := q.tear(lost)
	q.tear(torn)
	back := time.Now().Add(tornFor)
	for range lineChanges {
		during(time.Duration(q.rand.Int64N(int64(2 * lineApart))))
		if !back.IsZero() && time.Now().After(back) {
			q.comesBack(torn)
			back = time.Time{}
		}
		q.change()
	}
	eventually(t, func() string {
		if given := q.given(); given < q.freed {
			return fmt.Sprintf("%d seats are free, %d are given", q.freed, given)
		}
		return ""
	})
	q.losesPlace(lost, gone) // nobody moves up any more
	during(2 * tolerance)    // everyone has been told
	right := q.converge(q.lecture, watchers, time.Now())
	q.check()
	if !t.Failed() {
		roomtest.Proved(t, "%d waited for one of %d seats on three instances, of which %d became free: 0 went to anyone but who had waited longest; the watchers were right after %v; seed %d",
			lineWaiting, lineSeats, q.freed, right, seed)
	}
}

// comes has the next person ask for a seat.
func (q *queue) comes(n int) {
	q.t.Helper()
	user := room.UserID(fmt.Sprintf("s%d", n))
	w := &waiter{}
	w.sitDown(q.mustTab(user, room.Student, q.instances[n%len(q.instances)]))
	h, err := w.ask(`{"type":"join","code":%q}`, q.lecture.code)
	right := h.Type == "joined" && h.Seat == n+1
	if n >= lineSeats {
		right = h.Type == "waiting_for_seat" && h.State == room.Waiting && h.Position == n-lineSeats+1
		w.replies = []hearing{h}
	}
	if err != nil || h.Already || !right {
		q.t.Fatalf("number %d was answered %s, %v", n+1, h.raw, err)
	}
	q.asked = append(q.asked, user)
	q.waiters[user] = w
}

// tear cuts off someone who waits.
func (q *queue) tear(user room.UserID) time.Time {
	w := q.waiters[user]
	w.cut()
	w.goes()
	return time.Now()
}

// again has someone join with another instance.
func (q *queue) again(user room.UserID, request string, which any) hearing {
	q.t.Helper()
	w := q.waiters[user]
	at := slices.Index(q.instances, w.at)
	w.sitDown(q.mustTab(user, room.Student, q.instances[(at+1)%len(q.instances)]))
	h := w.must("waiting_for_seat", request, which)
	w.replies = append(w.replies, h)
	w.away[len(w.away)-1].to = h.at
	return h
}

// comesBack has someone come back who has kept the place; check tells whether
// it was the right one.
func (q *queue) comesBack(user room.UserID) {
	q.t.Helper()
	if h := q.again(user, `{"type":"join","room_id":%q}`, q.lecture.id); !h.Already || h.Position == 0 {
		q.t.Errorf("after %v: %s", tornFor, h.raw)
	}
	if len(q.happened(q.lecture.id, func(e room.Event) bool { return e.Type == room.EventOffline && e.User == user })) != 1 {
		q.t.Errorf("%s was away for %v and not shown offline", user, tornFor)
	}
}

// losesPlace waits until someone who has gone loses the place, and has the
// same person come again, at the end of the line.
func (q *queue) losesPlace(user room.UserID, gone time.Time) {
	q.t.Helper()
	var lost []happening
	eventually(q.t, func() string {
		lost = q.happened(q.lecture.id, func(e room.Event) bool {
			return e.Type == room.EventLeft && e.User == user && e.Reason == room.ReasonLapsed
		})
		if len(lost) == 0 {
			return "a place of someone who has gone for good is kept"
		}
		return ""
	})
	after := lost[0].entered.Sub(gone)
	q.t.Logf("a place in the line was given up %v after the last socket went", after)
	if after < lostAfter-tolerance || after > lostAfter+toldWithin {
		q.t.Errorf("that was to be after %v", lostAfter)
	}
	r, _, err := q.rooms.Load(q.t.Context(), q.lecture.id, time.Now())
	if err != nil {
		q.t.Fatal(err)
	}
	if h := q.again(user, `{"type":"join","code":%q}`, q.lecture.code); h.Already || h.Position != r.Waiting+1 {
		q.t.Errorf("came anew behind %d others and was answered %s", r.Waiting, h.raw)
	}
}

// change does one thing after which others move up.
func (q *queue) change() {
	q.t.Helper()
	seated, waiting := q.members()
	with := q.instances[q.rand.IntN(len(q.instances))]
	user := seated[q.rand.IntN(len(seated))]
	q.freed++
	switch q.rand.IntN(5) {
	case 0:
		q.leaves(user)
	case 1:
		q.call(with, http.MethodDelete, "/members/"+string(user), "")
		q.waiters[user].goes()
	case 2: // the seat is free once it is not held any more
		q.tear(user)
	case 3:
		q.seats++
		q.call(with, http.MethodPatch, "", fmt.Sprintf(`{"capacity":%d}`, q.seats))
	case 4: // someone loses patience
		q.leaves(waiting[q.rand.IntN(len(waiting)/2)])
		q.freed--
	}
}

func (q *queue) leaves(user room.UserID) {
	q.t.Helper()
	q.waiters[user].must("left", `{"type":"leave"}`)
	q.waiters[user].goes()
}

// members returns who has a seat and a tab, and who waits.
func (q *queue) members() (seated, waiting []room.UserID) {
	entries, _ := q.truth(q.lecture.id)
	for _, e := range entries {
		switch {
		case e.State == room.Waiting && e.Online:
			waiting = append(waiting, e.User)
		case e.State == room.Seated && !q.waiters[e.User].leaving.Load():
			seated = append(seated, e.User)
		}
	}
	return seated, waiting
}

func (q *queue) call(with *instance, method, path, body string) {
	q.t.Helper()
	err := with.call(q.t.Context(), q.lecture.passport, method, "/v1/rooms/"+string(q.lecture.id)+path, body, nil)
	if err != nil {
		q.t.Fatal(err)
	}
}

// given returns how many of those who waited were given seats.
func (q *queue) given() int {
	q.t.Helper()
	return len(q.happened(q.lecture.id, func(e room.Event) bool { return e.Type == room.EventSeated }))
}
