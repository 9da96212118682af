package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A witness is a student who comes and goes, and remembers when.
type witness struct {
	*class
	user   room.UserID
	rand   *rand.Rand
	banned bool // for having been removed

	tabs   []*sitting // in the room
	stays  []*stay    // all there were, in order of coming
	places []*stay    // from having a place to having none
	seat   int        // the last
}

// A sitting is a tab that is in the room.
type sitting struct {
	*tab
	*stay
}

func everySitting(*sitting) bool { return true }

// live is what a student does: a few have a part of their own, and the rest
// do this and that until the end.
func (s *witness) live(n int) {
	s.pause(0, 3*time.Second)
	switch n {
	case 0:
		s.comeTo(s.steady)
		s.doze(longSleep)
		s.come()
	case 1:
		s.comeTo(s.steady)
		s.depart((*tab).cutOff)
		s.pause(longSleep, longSleep)
		s.come()
	case 2:
		s.come()
		s.pause(killedAt-6*time.Second, killedAt-6*time.Second)
		s.isRemoved()
		return
	case 3:
		s.attend()
		return
	case 4:
		s.attend()
		s.pause(4*time.Second, 6*time.Second)
	}
	for time.Since(s.began) < lectureLasts-8*time.Second && !s.t.Failed() {
		if !s.present() {
			s.pause(300*time.Millisecond, time.Second) // an absence that the record can show
			s.come()
		}
		s.pause(300*time.Millisecond, 3*time.Second)
		s.step()
	}
}

// step does one thing that students do.
func (s *witness) step() {
	switch s.rand.IntN(8) {
	case 0, 1: // a reload, often with the other instance
		s.depart((*tab).close)
		s.pause(300*time.Millisecond, 2500*time.Millisecond)
	case 2, 3: // a second tab; one of them goes
		s.come()
		s.pause(500*time.Millisecond, 4*time.Second)
		s.depart((*tab).close)
	case 4: // the network is lost for a moment
		s.depart((*tab).cutOff)
		s.pause(3*time.Second, 3*time.Second)
	case 5: // so is the telephone's attention
		s.doze(3 * time.Second)
	case 6: // out of the room and in again
		s.leave()
		s.pause(time.Second, 4*time.Second)
	case 7:
		if s.rand.IntN(3) == 0 {
			s.isRemoved()
		} else { // away for so long that it is seen
			s.depart((*tab).close)
		}
		s.pause(6*time.Second, 9*time.Second)
	}
}

// pause waits for some time between two.
func (s *witness) pause(least, most time.Duration) {
	during(least + time.Duration(s.rand.Int64N(max(1, int64(most-least)))))
}

func (s *witness) present() bool {
	s.moving.RLock()
	defer s.moving.RUnlock()
	return len(s.tabs) > 0
}

// come joins on a new tab, with one of the instances that live.
func (s *witness) come() {
	s.moving.RLock()
	defer s.moving.RUnlock()
	if s.wrong != nil && s.rand.IntN(3) > 0 {
		s.comeTo(s.wrong)
		return
	}
	s.comeTo(s.steady)
}

func (s *witness) comeTo(to *instance) {
	before := time.Now()
	t, err := s.tab(s.user, room.Student, to)
	if err != nil {
		s.t.Error(err)
		return
	}
	h, err := t.ask(`{"type":"join","code":%q}`, s.lecture.code)
	in := span{before, time.Now()}
	had := s.placed()
	if err != nil || h.Type != "joined" || h.Already != had || had && h.Seat != s.seat {
		s.t.Errorf("%s, with a place before: %v, seat %d, was answered %s, %v", s.user, had, s.seat, h.raw, err)
		return
	}
	if !had {
		s.places = append(s.places, &stay{in: in})
	}
	s.seat = h.Seat
	at := &sitting{t, &stay{in: in, shown: shownAtMost}}
	s.tabs, s.stays = append(s.tabs, at), append(s.stays, at.stay)
}

// placed tells whether the student has a place.
func (s *witness) placed() bool {
	return len(s.places) > 0 && s.places[len(s.places)-1].out == span{}
}

// attend takes a place without a tab.
func (s *witness) attend() {
	before := time.Now()
	var got struct{ Seat int }
	passport := s.steady.pass(string(s.user), room.Student)
	if err := s.steady.call(s.t.Context(), passport, http.MethodPost, "/v1/attend", fmt.Sprintf(`{"code":%q}`, s.lecture.code), &got); err != nil {
		s.t.Error(err)
	}
	s.places = append(s.places, &stay{in: span{before, time.Now()}})
	s.seat = got.Seat
}

// go_ has one of the tabs go.
func (s *witness) depart(how func(*tab) error) {
	s.moving.RLock()
	defer s.moving.RUnlock()
	if len(s.tabs) == 0 {
		return
	}
	at := s.tabs[s.rand.IntN(len(s.tabs))]
	before := time.Now()
	if err := how(at.tab); err != nil {
		s.t.Error(err)
	}
	s.end(span{before, time.Now()}, shownAtMost, func(other *sitting) bool { return other == at })
}

func (t *tab) cutOff() error {
	t.cut()
	return nil
}

// end notes when tabs have left the room, and for how long after that the
// student may be shown online.
func (s *witness) end(out span, shown time.Duration, which func(*sitting) bool) {
	s.tabs = slices.DeleteFunc(s.tabs, func(at *sitting) bool {
		if which(at) {
			at.out, at.shown = out.after(at.in), shown
		}
		return which(at)
	})
}

// leave gives up the place; the tabs close.
func (s *witness) leave() {
	s.moving.RLock()
	defer s.moving.RUnlock()
	if len(s.tabs) == 0 {
		return
	}
	before := time.Now()
	if h, err := s.tabs[0].ask(`{"type":"leave"}`); err != nil || h.Type != "left" {
		s.t.Errorf("%s left and was answered %s, %v", s.user, h.raw, err)
	}
	s.goes(span{before, time.Now()})
}

// isRemoved is leave by the instructor's will.
func (s *witness) isRemoved() {
	s.moving.RLock()
	defer s.moving.RUnlock()
	before := time.Now()
	path := fmt.Sprintf("/v1/rooms/%s/members/%s?ban=%v", s.lecture.id, s.user, s.banned)
	if err := s.steady.call(s.t.Context(), s.lecture.passport, http.MethodDelete, path, "", nil); err != nil {
		s.t.Error(err)
	}
	s.goes(span{before, time.Now()})
}

// goes notes that the place is given up, and closes the tabs.
func (s *witness) goes(out span) {
	tabs := slices.Clone(s.tabs)
	s.end(out, 0, everySitting)
	s.giveUp(out)
	for _, at := range tabs {
		if err := at.tab.close(); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *witness) giveUp(out span) {
	if s.placed() {
		s.places[len(s.places)-1].out = out
	}
}

// doze has the telephone say nothing for a while. After a long one the server
// has taken it for gone, since the last that was heard of it; else nothing has
// happened.
func (s *witness) doze(d time.Duration) {
	s.moving.RLock()
	if len(s.tabs) == 0 {
		s.moving.RUnlock()
		return
	}
	at := s.tabs[0]
	before := time.Now()
	_, err := at.ask(`{"type":"ping"}`)
	if err != nil {
		s.t.Error(err)
	}
	at.sleep()
	last := span{before, time.Now()}
	at.leaving.Store(d == longSleep)
	s.moving.RUnlock()
	s.pause(d, d)
	at.wake()
	if d != longSleep {
		return
	}
	s.moving.RLock()
	defer s.moving.RUnlock()
	select {
	case <-at.ended:
	case <-time.After(2 * tolerance):
		s.t.Errorf("%s was not heard for %v, and the socket is still there", s.user, d)
	}
	s.end(last, longSleep+shownAtMost, func(other *sitting) bool { return other == at })
}
