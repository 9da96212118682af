package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lectern-room/lectern/room"
)

const (
	// justBefore is when instances die before something is due.
	justBefore = 300 * time.Millisecond
	// soon and nextSoon are when something is due with all instances alive,
	// and with one.
	soon     = 4 * time.Second
	nextSoon = soon + 2*time.Second
)

// A timetable is three rooms on three instances. The first is looked at on
// all of them, the second too, but two instances die before anything is due
// there; the third is known to nobody but one of those two.
type timetable struct {
	*cluster
	all, dying, unseen *appointment
}

// An appointment is a room that opens and closes by itself.
type appointment struct {
	*lecture
	leader        room.UserID
	opens, closes time.Time
	desks         []*tab // of the instructor's, who watches
	pupils        []*tab
}

// TestSchedule: a room opens and closes at the planned times, once, whatever
// becomes of the instances and their clocks, and everyone there is told.
func TestSchedule(t *testing.T) {
	t.Parallel()
	c := &timetable{cluster: newCluster(t, 0)}
	c.start(wrongBy)
	c.plan()
	during(time.Until(c.all.opens))
	c.all.checkOpened(c.cluster)
	c.wait(c.dying.opens)
	c.dying.checkOpened(c.cluster)
	c.unseen.checkOpened(c.cluster)

	c.replan()
	during(time.Until(c.all.closes))
	c.all.checkClosed(c.cluster)
	c.wait(c.dying.closes)
	c.dying.checkClosed(c.cluster)
	c.unseen.checkClosed(c.cluster)
}

// start starts three instances. The first, which stays, has a wrong clock.
func (c *timetable) start(ahead time.Duration) {
	c.addWrong(ahead)
	c.add()
	c.add()
}

// plan opens the rooms, which are scheduled.
func (c *timetable) plan() {
	now := time.Now().UTC().Truncate(time.Millisecond)
	c.all = c.schedule(0, now.Add(soon))
	c.dying = c.schedule(1, now.Add(nextSoon))
	c.unseen = c.schedule(2, now.Add(nextSoon))
	c.all.watch(c.cluster)
	c.dying.watch(c.cluster)
}

// schedule opens a room with an instance.
func (c *timetable) schedule(with int, opens time.Time) *appointment {
	leader := room.UserID(fmt.Sprintf("t%d", with))
	return &appointment{leader: leader, opens: opens, lecture: c.instances[with].openAs(leader,
		`{"title":"Physics 1","capacity":9,"options":{"starts_at":%q,"max_minutes":1}}`, room.Stamp(opens))}
}

// watch has the instructor watch the room on every instance.
func (a *appointment) watch(c *cluster) {
	c.t.Helper()
	a.desks = nil
	for _, i := range c.instances {
		desk := c.mustTab(a.leader, room.Instructor, i)
		desk.must("watching", `{"type":"watch","room_id":%q}`, a.id)
		a.desks = append(a.desks, desk)
	}
}

// wait waits for a moment. Two instances die just before.
func (c *timetable) wait(until time.Time) {
	during(time.Until(until) - justBefore)
	for range 2 {
		c.kill(c.instances[1])
	}
	during(time.Until(until))
}

// kill kills an instance, and the tabs there with it.
func (c *timetable) kill(i *instance) {
	for _, a := range []*appointment{c.all, c.dying} {
		for _, t := range append(a.desks, a.pupils...) {
			if t.at == i {
				t.leaving.Store(true)
			}
		}
	}
	c.lose(i)
}

// replan has the rooms close soon, and starts new instances. A room is open
// for a minute at least, most of which is over here at once: when a room was
// opened is what the store says, and no instance has heard otherwise.
func (c *timetable) replan() {
	c.t.Helper()
	c.kill(c.instances[0])
	c.start(-wrongBy)
	now := time.Now().UTC().Truncate(time.Millisecond)
	c.closeAt(c.all, now.Add(soon))
	c.closeAt(c.dying, now.Add(nextSoon))
	c.closeAt(c.unseen, now.Add(nextSoon))
	c.all.watch(c.cluster)
	c.dying.watch(c.cluster)
	for n, i := range c.instances {
		pupil := c.mustTab(room.UserID(fmt.Sprintf("s%d", n)), room.Student, i)
		pupil.must("joined", `{"type":"join","code":%q}`, c.all.code)
		c.all.pupils = append(c.all.pupils, pupil)
	}
}

func (c *timetable) closeAt(a *appointment, closes time.Time) {
	c.t.Helper()
	conn, err := pgx.Connect(c.t.Context(), c.postgres.URL())
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(c.t.Context())
	done, err := conn.Exec(c.t.Context(), `UPDATE room SET opened_at = $2, due_at = $3 WHERE id = $1`,
		a.id, closes.Add(-time.Minute).UnixMilli(), closes.UnixMilli())
	if err != nil || done.RowsAffected() != 1 {
		c.t.Fatal(done, err)
	}
	a.instance, a.closes = c.instances[0], closes
}

// once waits until the log has an event of a type, of which there must be one
// and no more, at the planned time.
func (a *appointment) once(c *cluster, kind room.EventType, planned time.Time) room.Event {
	c.t.Helper()
	var found []happening
	eventually(c.t, func() string {
		found = c.happened(a.id, func(e room.Event) bool { return e.Type == kind })
		if len(found) == 0 {
			return "nothing has " + string(kind)
		}
		return ""
	})
	late := found[0].entered.Sub(planned)
	c.t.Logf("%s %v after the time", kind, late)
	if len(found) > 1 || !found[0].At.Equal(planned) || late < 0 || late > toldWithin {
		c.t.Errorf("%v after %v: %+v", late, planned, found)
	}
	return found[0].Event
}

// checkOpened looks whether the room opened as planned, and all were told.
func (a *appointment) checkOpened(c *cluster) {
	c.t.Helper()
	a.instance = c.instances[0]
	a.once(c, room.EventStarted, a.opens)
	if got := a.object(); got.Status != room.Open || !got.OpenedAt.Equal(a.opens) {
		c.t.Errorf("to be opened at %v, and is %+v", a.opens, got)
	}
	a.told(c, a.desks, "room_changed", a.opens, func(h hearing) bool {
		return h.Room.Status == room.Open && h.Room.OpenedAt.Equal(a.opens)
	})
}

// checkClosed looks whether the room closed as planned, all were told, and
// the record ends then.
func (a *appointment) checkClosed(c *cluster) {
	c.t.Helper()
	a.instance = c.instances[0]
	if closed := a.once(c, room.EventClosed, a.closes); closed.Reason != room.ReasonExpired {
		c.t.Errorf("closed because %s", closed.Reason)
	}
	if got := a.object(); got.Status != room.Closed || !got.ClosedAt.Equal(a.closes) {
		c.t.Errorf("to be closed at %v, and is %+v", a.closes, got)
	}
	there := append(a.desks, a.pupils...)
	a.told(c, there, "room_changed", a.closes, func(h hearing) bool {
		return h.Room.Status == room.Closed && h.Room.ClosedAt.Equal(a.closes)
	})
	a.told(c, there, "room_closed", a.closes, func(h hearing) bool { return h.Reason == room.ReasonExpired })
	people := a.attendance()
	if len(people) != len(a.pupils) {
		c.t.Errorf("%d people are in the record", len(people))
	}
	for _, p := range people {
		if len(p.Intervals) != 1 || p.Intervals[0].To == nil || !p.Intervals[0].To.Equal(a.closes) {
			c.t.Errorf("the room closed at %v, and the record says %+v", a.closes, p)
		}
	}
}

// object returns the room as an instance shows it.
func (a *appointment) object() roomHeard {
	a.t.Helper()
	var got struct{ Room roomHeard }
	if err := a.call(a.t.Context(), a.passport, http.MethodGet, "/v1/rooms/"+string(a.id), "", &got); err != nil {
		a.t.Fatal(err)
	}
	return got.Room
}

// told looks whether those who are still there were told of something, once
// and in time.
func (a *appointment) told(c *cluster, tabs []*tab, kind string, planned time.Time, meant func(hearing) bool) {
	c.t.Helper()
	var most time.Duration
	told := 0
	for _, t := range tabs {
		if t.leaving.Load() {
			continue
		}
		var heard []hearing
		eventually(c.t, func() string {
			heard = nil
			for _, h := range t.told(kind) {
				if meant(h) {
					heard = append(heard, h)
				}
			}
			if len(heard) == 0 {
				return fmt.Sprintf("%s was not told %s", t.user, kind)
			}
			return ""
		})
		if len(heard) > 1 {
			c.t.Errorf("%s was told %d times: %s", t.user, len(heard), heard[1].raw)
		}
		most, told = max(most, heard[0].at.Sub(planned)), told+1
	}
	c.t.Logf("%d sockets were told %s at most %v after the time", told, kind, most)
	if most > toldWithin {
		c.t.Errorf("one was told %s after %v", kind, most)
	}
}
