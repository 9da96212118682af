package hub

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
)

// guestNumber returns the id of some guest.
func guestNumber(n int) room.UserID { return room.UserID(fmt.Sprintf("%s%032x", room.GuestPrefix, n)) }

func TestGuesses(t *testing.T) {
	student := room.Caller{User: "s1", Role: room.Student}
	guest := func(n int) room.Caller {
		return room.Caller{User: guestNumber(n), Role: room.Student}
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
	proxies, err := ParseProxies([]string{"192.0.2.1"}) // which httptest's requests come from
	if err != nil {
		t.Fatal(err)
	}
	s := newSchool(t, func(c *Config) {
		c.Proxies = proxies
		c.Limits.Guesses = Guesses{Person: 5, Address: 2}
	})
	guess := func(n int, from string, want room.Code) {
		t.Helper()
		guest := s.student(guestNumber(n))
		s.refused(want, "", "POST", "/v1/attend", `{"code":"ZZZZZZZZ"}`, with(guest, "X-Forwarded-For", from))
	}
	guess(1, "2001:db8::1", room.CodeNotFound)
	guess(2, "2001:db8::2", room.CodeNotFound)
	guess(3, "2001:db8::3", room.CodeRateLimited)
	guess(4, "2001:db8:0:1::1", room.CodeNotFound)
}

// Calls over HTTP are no way around the limit of a socket's requests.
func TestCallsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newCalls()
		hall, home := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("198.51.100.1")
		student := room.Caller{User: "s1", Role: room.Student}
		nobody := room.Caller{}
		took := func(c room.Caller, a netip.Addr, calls int) (taken int) {
			for range calls {
				if l.take(c, a) == 0 {
					taken++
				}
			}
			return taken
		}
		if n := took(student, hall, 1_000); n != requestsAtOnce {
			t.Errorf("%d at once", n)
		}
		if wait := l.take(student, home); wait != time.Second/requestsPerSecond {
			t.Errorf("from elsewhere he waits %v", wait)
		}
		time.Sleep(time.Second)
		if n := took(student, hall, 1_000); n != requestsPerSecond {
			t.Errorf("%d in the next second", n)
		}
		if n := took(room.Caller{User: "s2", Role: room.Student}, hall, 20); n != 20 {
			t.Errorf("%d of another student", n)
		}

		guests := 0
		for n := range 2 * guestCallsAtOnce {
			c := nobody
			if n%2 == 0 {
				c = room.Caller{User: guestNumber(n), Role: room.Student}
			}
			guests += took(c, hall, 1)
		}
		if guests != guestCallsAtOnce {
			t.Errorf("%d of a hall's guests at once", guests)
		}
		if l.take(nobody, home) != 0 {
			t.Error("another address waits")
		}
		time.Sleep(time.Second)
		if n := took(nobody, hall, 1_000); n != guestCallsPerSecond {
			t.Errorf("%d sign in in the next second", n)
		}

		time.Sleep(forgetCallsEvery)
		l.take(student, hall)
		if people, addresses := len(l.person.debt), len(l.address.debt); people != 1 || addresses != 0 {
			t.Errorf("%d people and %d addresses are kept", people, addresses)
		}
	})
}

func TestTooManyCalls(t *testing.T) {
	s := newSchool(t)
	path, code, _ := s.open(`{"title":"Algebra","capacity":2}`)
	student := s.student("s1")
	limited := func(call func() response) (refused int) {
		for range 2 * requestsAtOnce {
			if got := call(); got.StatusCode == http.StatusTooManyRequests {
				refused++
				if got.Header.Get("Retry-After") != "1" || got.body["code"] != "rate_limited" || got.body["retry_after_ms"].(float64) <= 0 {
					t.Errorf("%v: %s", got.Header, got.text)
				}
			}
		}
		return refused
	}
	refused := limited(func() response { return s.call("POST", "/v1/attend", `{"code":"`+code+`"}`, student) })
	if refused == 0 {
		t.Fatal("nothing was refused")
	}
	if got := samples(t, s.metrics)["rate_limited_total{what=requests}"]; got != float64(refused) {
		t.Errorf("%v counted of %d", got, refused)
	}
	if limited(func() response { return s.call("DELETE", path+"/members/s1", "", student) }) == 0 {
		t.Error("another call is not refused")
	}
	if limited(func() response { return s.call("GET", "/v1/me", "", student) }) != 0 {
		t.Error("looking is refused")
	}
	s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student("s2"))
}

func TestTooManyGuests(t *testing.T) {
	s := newSchool(t)
	for range guestCallsAtOnce {
		s.must(http.StatusOK, "POST", "/v1/guest", `{"name":"Kim"}`, nil)
	}
	refused := 0
	for range guestCallsAtOnce {
		if s.call("POST", "/v1/guest", `{"name":"Kim"}`, nil).StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("nobody was refused")
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
