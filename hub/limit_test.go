package hub

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
)

func TestGuesses(t *testing.T) {
	student := room.Caller{User: "s1", Role: room.Student}
	guest := func(n int) room.Caller {
		return room.Caller{User: room.UserID(fmt.Sprint(room.GuestPrefix, n)), Role: room.Student}
	}
	hall := netip.MustParseAddr("192.0.2.7")

	synctest.Test(t, func(t *testing.T) {
		g := newGuesses(Guesses{Person: 5, Address: 20})
		wantWait := func(c room.Caller, a netip.Addr, want time.Duration) {
			t.Helper()
			if got := g.wait(c, a); got != want {
				t.Errorf("%s from %s waits %v, want %v", c.User, a, got, want)
			}
		}

		for range 4 {
			g.wrong(student, hall)
		}
		wantWait(student, hall, 0)
		g.wrong(student, hall)
		wantWait(student, hall, 12*time.Second)
		wantWait(student, netip.MustParseAddr("198.51.100.1"), 12*time.Second)
		wantWait(guest(0), hall, 0)

		time.Sleep(12 * time.Second)
		wantWait(student, hall, 0)
		g.wrong(student, hall)
		wantWait(student, hall, 12*time.Second)

		// What was taken side by side must be paid for.
		for range 10 {
			g.wrong(student, hall)
		}
		wantWait(student, hall, 11*12*time.Second)

		time.Sleep(time.Hour)
		for n := range 20 {
			wantWait(guest(n), hall, 0)
			g.wrong(guest(n), hall)
		}
		wantWait(guest(99), hall, 3*time.Second)
		wantWait(guest(99), netip.MustParseAddr("192.0.2.8"), 0)
		wantWait(student, hall, 0) // who has a passport does not wait for guests
	})
}

func TestGuessesOfOneIPv6Subscriber(t *testing.T) {
	g := newGuesses(Guesses{Person: 5, Address: 2})
	guest := room.Caller{User: "guest:1"}
	g.wrong(guest, netip.MustParseAddr("2001:db8::1"))
	g.wrong(guest, netip.MustParseAddr("2001:db8::2"))
	if g.wait(room.Caller{User: "guest:2"}, netip.MustParseAddr("2001:db8::3")) == 0 {
		t.Error("a third address of the same /64 need not wait")
	}
	if g.wait(room.Caller{User: "guest:2"}, netip.MustParseAddr("2001:db8:0:1::1")) != 0 {
		t.Error("another /64 must wait")
	}
}

func TestGuessesWithoutLimit(t *testing.T) {
	g := newGuesses(Guesses{})
	for range 1_000 {
		g.wrong(room.Caller{User: "guest:1"}, netip.Addr{})
	}
	if wait := g.wait(room.Caller{User: "guest:1"}, netip.Addr{}); wait != 0 {
		t.Errorf("waits %v", wait)
	}
	if n := len(g.person.debt); n != 0 {
		t.Errorf("%d people are kept", n)
	}
}

func TestGuessesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuesses(Guesses{Person: 5, Address: 300})
		for n := range metered + 10 {
			g.wrong(room.Caller{User: room.UserID(fmt.Sprint(n))}, netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}))
		}
		if len(g.person.debt) != metered || len(g.address.debt) != metered {
			t.Errorf("%d people and %d addresses are kept, want %d", len(g.person.debt), len(g.address.debt), metered)
		}
		time.Sleep(time.Second) // pays for one of 300, not for one of 5
		g.sweep(time.Now())
		if len(g.person.debt) != metered || len(g.address.debt) != 0 {
			t.Errorf("after 1 s %d people and %d addresses are kept", len(g.person.debt), len(g.address.debt))
		}
		time.Sleep(time.Minute)
		g.sweep(time.Now())
		if len(g.person.debt) != 0 {
			t.Errorf("after a minute %d people are kept", len(g.person.debt))
		}
	})
}
