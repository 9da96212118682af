package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// promotions: seats that are given to who waits, in the entry that frees them.
func promotions(t *testing.T, s Store) {
	yes, no := true, false
	l := beginWith(t, s, noon, 2, &room.OptionsEdit{Waitlist: &yes})
	l.do(l.join("Zoe"), l.join("Mia"), l.join("Bob"), l.join("Ann"), l.join("Cleo"))
	l.check()
	for range 3 { // the seats go to the line, and those who had them to its end
		seated := l.Roster()[:2]
		l.do(leave(seated[1].Name), leave(seated[0].Name), l.join(seated[0].Name), l.join(seated[1].Name))
		l.check()
	}
	first := l.Roster()[0].Name
	l.do(leave(first), l.join(first), update(5, nil)) // the same person, another seat
	l.check()
	l.do(leave(first), l.join(first)) // the same seat
	l.check()
	l.do(update(5, &room.OptionsEdit{Waitlist: &no, Approval: &yes}), l.join("Dan"), leave("Bob"), l.join("Bob"))
	l.check()
	l.do(leave("Bob"), leave("Ann"), l.join("Ann"), update(5, &room.OptionsEdit{Approval: &no}))
	l.check()
	if l.Taken != 5 || l.Waiting != 0 || l.Pending != 0 {
		t.Fatalf("%d are seated, %d wait, %d are pending", l.Taken, l.Waiting, l.Pending)
	}
}

// corrections: the latest counts, in whatever state the room is.
func corrections(t *testing.T, s Store) {
	l := begin(t, s, 9)
	l.do(l.join("Ann"), l.join("Bob"), l.join("Cleo"))
	percent, none := 75, 0
	l.do(room.Command{Type: room.CommandPolicy, By: lecturer, Policy: &room.Policy{PresentPercent: &percent, LateAfterMinutes: &none}})
	check := func(want map[string]room.AttendanceStatus) {
		t.Helper()
		l.check()
		h, err := s.History(t.Context(), l.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the header", h.Room, l.Header)
		got := map[string]room.AttendanceStatus{}
		for _, p := range h.People {
			if p.Correction != nil {
				got[p.Name] = p.Correction.Status
			}
		}
		same(t, "the corrections", got, want)
	}
	check(map[string]room.AttendanceStatus{})
	l.now = noon.Add(time.Minute)
	l.do(correct("Ann", room.StatusPresent, `was "there"`), correct("Bob", room.StatusLate, ""))
	check(map[string]room.AttendanceStatus{"Ann": room.StatusPresent, "Bob": room.StatusLate})
	l.now = noon.Add(2 * time.Minute)
	l.do(correct("Ann", room.StatusAbsent, ""), correct("Ann", room.StatusLate, "came back"), closing())
	check(map[string]room.AttendanceStatus{"Ann": room.StatusLate, "Bob": room.StatusLate})
	l.do(correct("Ann", "", ""), correct("Cleo", room.StatusLeftEarly, "헬스"), correct("Bob", room.StatusAbsent, ""), correct("Bob", "", ""))
	check(map[string]room.AttendanceStatus{"Cleo": room.StatusLeftEarly})
	l.do(correct("Ann", room.StatusPresent, "asked again"))
	check(map[string]room.AttendanceStatus{"Ann": room.StatusPresent, "Cleo": room.StatusLeftEarly})
}

// positions: the rank of who waits is among those who wait.
func positions(t *testing.T, s Store) {
	yes := true
	l := beginWith(t, s, noon, 1, &room.OptionsEdit{Waitlist: &yes})
	l.do(l.join("Ann"), l.join("Bob"), l.join("Cleo"), l.join("Dan"))
	approved := beginWith(t, s, noon, 1, &room.OptionsEdit{Waitlist: &yes, Approval: &yes})
	approved.do(approved.join("Eve"), approved.join("Fay"), approved.join("Dan"))
	l.do(leave("Bob"))
	for _, l := range []*lecture{l, approved} {
		for _, p := range l.Roster() {
			places, err := s.Places(t.Context(), p.User)
			if err != nil {
				t.Fatal(err)
			}
			want := room.Place{Room: l.ID, State: p.State, Seat: p.Seat, Position: l.Position(p)}
			if !slices.Contains(places, want) {
				t.Errorf("the places of %s are %+v, and not %+v", p.User, places, want)
			}
		}
	}
	if dan := l.Member("dan"); l.Position(dan) != 2 {
		t.Fatalf("Dan is at %d", l.Position(dan))
	}
}
