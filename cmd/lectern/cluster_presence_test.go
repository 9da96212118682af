package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// ghosts are those who were with an instance that dies, and stay away.
	ghosts = 200
	// storeAway is longer than an instance is silent that is dead, and
	// settled when anyone who is taken for dead after it has been: instances
	// look at each other for 10 s before they judge.
	storeAway = 11 * time.Second
	settled   = 13 * time.Second
	// soonBack and lateBack are how long after the crash people come back:
	// their instance is not known to be dead yet.
	soonBack = time.Second
	lateBack = 7 * time.Second
)

// reloads are how long people are away who are not to be shown offline.
var reloads = []time.Duration{
	0, 100 * time.Millisecond, 500 * time.Millisecond, 1500 * time.Millisecond, 2500 * time.Millisecond, 3300 * time.Millisecond, 4 * time.Second,
}

// A scene is a room on three instances, of which the first dies, and who is
// there, as the instructor sees it on the other two.
type scene struct {
	*cluster
	lecture *lecture
	desks   []*tab
	tabs    map[room.UserID][]*tab
}

// TestPresence: people are shown online who have a tab anywhere, or had one a
// moment ago, and the others offline soon, whatever becomes of the instance
// that they were with, and of the store. The record says the same.
func TestPresence(t *testing.T) {
	t.Parallel()
	s := &scene{cluster: newCluster(t, 3), tabs: map[room.UserID][]*tab{}}
	s.lecture = s.instances[0].openAs("t", `{"title":"Physics 1","capacity":%d}`, 2*ghosts)
	dying, second, third := s.instances[0], s.instances[1], s.instances[2]
	for _, i := range []*instance{second, third} {
		desk := s.mustTab("t", room.Instructor, i)
		desk.must("watching", `{"type":"watch","room_id":%q}`, s.lecture.id)
		s.desks = append(s.desks, desk)
	}
	for n := range ghosts {
		s.come(named("ghost", n), dying)
	}
	s.come("both", dying, second)
	s.come("soon", dying)
	s.come("late", dying)
	s.come("tabs", second, third)
	s.storeIsAway()

	s.goes("tabs", 0)
	present := append(s.reload(dying, second), "both", "soon", "late")
	shut := s.goes("tabs", 1)
	killed, lost := s.die(dying)
	during(time.Until(killed.Add(soonBack)))
	s.come("soon", second)
	during(time.Until(killed.Add(lateBack)))
	s.come("late", third)
	s.turnsOffline("tabs", shut, shownOffline, shownAtMost)
	offline := time.Duration(0)
	for n := range ghosts {
		offline = max(offline, s.turnsOffline(named("ghost", n), killed, 0, offlineWithin))
	}
	during(shownOffline) // who is to be shown offline, if wrongly, is by then
	for _, user := range present {
		s.staysOnline(user)
	}
	left, last := s.checkStored(), s.checkRecorded(killed)
	if !t.Failed() {
		roomtest.Proved(t, "an instance killed with %d sockets: offline elsewhere at most %v after it (may be %v), the intervals end at most %v before it, %d ghosts; Postgres away for %v with nobody dead: nobody taken for dead",
			lost, offline, offlineWithin, last, left, storeAway)
	}
}

// storeIsAway has Postgres away for longer than it takes to be dead: nobody is
// shown offline for it, and nobody's socket ends.
func (s *scene) storeIsAway() {
	s.t.Helper()
	s.postgres.Stop(true)
	during(storeAway)
	if err := s.postgres.Restart(); err != nil {
		s.t.Fatal(err)
	}
	during(settled)
	for user := range s.tabs {
		s.staysOnline(user)
	}
	s.checkStored()
	if reaped := s.sum("lectern_sessions_reaped_total"); reaped > 0 {
		s.t.Errorf("%v sessions were taken for those of the dead", reaped)
	}
}

// checkRecorded compares the record of those who were with the instance that
// died: they were there once, until its last beat. It returns how long before
// the death the first of them was gone.
func (s *scene) checkRecorded(killed time.Time) (before time.Duration) {
	s.t.Helper()
	record := map[room.UserID]attendee{}
	s.lecture.instance = s.instances[0]
	for _, a := range s.lecture.attendance() {
		record[a.User] = a
	}
	for n := range ghosts {
		there := record[named("ghost", n)].Intervals
		if len(there) != 1 || there[0].To == nil || there[0].To.After(killed) || there[0].To.Before(killed.Add(-beatKnown)) {
			s.t.Errorf("ghost %d was there %+v, and the instance until %v", n, there, killed)
			continue
		}
		before = max(before, killed.Sub(*there[0].To))
	}
	return before
}

func named(what string, n int) room.UserID { return room.UserID(fmt.Sprintf("%s-%d", what, n)) }

// come has someone join, on a tab with each of some instances.
func (s *scene) come(user room.UserID, with ...*instance) {
	s.t.Helper()
	for _, i := range with {
		t := s.mustTab(user, room.Student, i)
		t.must("joined", `{"type":"join","code":%q}`, s.lecture.code)
		s.tabs[user] = append(s.tabs[user], t)
	}
}

// goes closes one of someone's tabs.
func (s *scene) goes(user room.UserID, tab int) time.Time {
	s.t.Helper()
	before := time.Now()
	if err := s.tabs[user][tab].close(); err != nil {
		s.t.Fatal(err)
	}
	return before
}

// reload has people come, go, and come back after a while with the other
// instance. It returns those who were not away for longer, because the machine
// is busy.
func (s *scene) reload(with, other *instance) (back []room.UserID) {
	s.t.Helper()
	for n := range reloads {
		s.come(named("reload", n), with)
	}
	for n := range reloads {
		s.goes(named("reload", n), 0)
	}
	gone := time.Now()
	for n, gap := range reloads {
		during(time.Until(gone.Add(gap)))
		s.come(named("reload", n), other)
		if away := time.Since(gone); away < shownOffline-tolerance/2 {
			back = append(back, named("reload", n))
		}
	}
	return back
}

// die kills an instance, and with it its tabs, of which it returns how many
// there were.
func (s *scene) die(i *instance) (at time.Time, lost int) {
	for _, tabs := range s.tabs {
		for _, t := range tabs {
			if t.at == i && !t.leaving.Swap(true) {
				lost++
			}
		}
	}
	return s.lose(i), lost
}

// shownOff returns when a desk was told first that someone is offline.
func shownOff(desk *tab, user room.UserID) (time.Time, bool) {
	for _, h := range desk.told("roster") {
		for _, e := range h.Joined {
			if e.User == user && !e.Online {
				return h.at, true
			}
		}
		if offline(user)(h.message) {
			return h.at, true
		}
	}
	return time.Time{}, false
}

// turnsOffline waits until someone is shown offline everywhere, which must be
// between two times after the last tab went. It returns the longer one.
func (s *scene) turnsOffline(user room.UserID, gone time.Time, least, most time.Duration) (longest time.Duration) {
	s.t.Helper()
	for n, desk := range s.desks {
		var at time.Time
		eventually(s.t, func() string {
			var shown bool
			if at, shown = shownOff(desk, user); !shown {
				return fmt.Sprintf("%s is not shown offline on instance %d", user, n+1)
			}
			return ""
		})
		after := at.Sub(gone)
		if after < least || after > most {
			s.t.Errorf("%s was shown offline on instance %d after %v", user, n+1, after)
		}
		longest = max(longest, after)
	}
	return longest
}

// staysOnline looks for anyone who was shown offline for nothing.
func (s *scene) staysOnline(user room.UserID) {
	s.t.Helper()
	for n, desk := range s.desks {
		if at, shown := shownOff(desk, user); shown {
			s.t.Errorf("%s was shown offline on instance %d at %v", user, n+1, at)
		}
	}
}

// checkStored looks for ghosts, and returns how many there are: those online
// are those who have a tab.
func (s *scene) checkStored() (found int) {
	s.t.Helper()
	stored, _ := s.truth(s.lecture.id)
	for _, e := range stored {
		open := false
		for _, t := range s.tabs[e.User] {
			open = open || !t.leaving.Load()
		}
		if e.Online != open {
			s.t.Errorf("%s has a tab: %v, and is stored as %+v", e.User, open, e)
		}
		if e.Online && !open {
			found++
		}
	}
	if len(stored) != len(s.tabs) {
		s.t.Errorf("%d people came, and %d have seats", len(s.tabs), len(stored))
	}
	return found
}
