package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

// inLimitedClass is inClass with other limits.
func inLimitedClass(t *testing.T, limits Limits, test func(*testing.T, *class)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		config, sqlite := newConfig(t, folder, prometheus.NewRegistry())
		t.Cleanup(func() { sqlite.Close() })
		config.Limits = limits
		test(t, begin(t, config))
	})
}

// comeFrom connects a person from an address, and takes the hello.
func (c *class) comeFrom(address string, user room.UserID) *client {
	c.t.Helper()
	s := c.dialFrom(netip.AddrPortFrom(netip.MustParseAddr(address), 4711), "X-User-ID: "+c.passport(user, room.Student, time.Hour)+"\r\n")
	s.next("hello")
	return s
}

// TestSocketsOfAnAddress: so many sockets, whoever they are of, and not one
// more; each that goes makes room for one. An IPv6 subscriber has one address.
func TestSocketsOfAnAddress(t *testing.T) {
	inLimitedClass(t, Limits{SocketsPerPerson: 8, SocketsPerAddress: 3}, func(t *testing.T, c *class) {
		tries := 0
		for _, addresses := range [][]string{
			{"192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.7", "::ffff:192.0.2.7"},
			{"2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::3", "2001:db8:1:2::4", "2001:db8:1:2:ffff:ffff:ffff:ffff"},
			{"192.0.2.8", "192.0.2.8", "192.0.2.8", "192.0.2.8", "192.0.2.8"},
			{"2001:db8:1:3::1", "2001:db8:1:3::1", "2001:db8:1:3::2", "2001:db8:1:3::2", "2001:db8:1:3::1"},
		} {
			var in []*client
			for n, address := range addresses {
				s := c.comeFrom(address, room.UserID(fmt.Sprint("s", n)))
				if n >= 3 {
					s.closed(closeTooMany)
					continue
				}
				s.expect(message{"type": "ping"}, message{"type": "pong"})
				in = append(in, s)
			}
			in[1].nc.Close()
			synctest.Wait()
			c.comeFrom(addresses[3], "late").expect(message{"type": "ping"}, message{"type": "pong"})
			c.comeFrom(addresses[4], "later").closed(closeTooMany)
			tries += len(addresses) + 2
		}
		if !t.Failed() {
			roomtest.Proved(t, "%d sockets, of addresses that may have 3 at a time: each taken or refused as it should be", tries)
		}
	})
}

// TestSocketsOfAPerson: from wherever, and whatever the number of addresses.
// Who is refused takes nobody's place.
func TestSocketsOfAPerson(t *testing.T) {
	inLimitedClass(t, Limits{SocketsPerPerson: 2}, func(t *testing.T, c *class) {
		first := c.comeFrom("192.0.2.1", "kim")
		c.comeFrom("192.0.2.2", "kim").expect(message{"type": "ping"}, message{"type": "pong"})
		for range 5 {
			c.comeFrom("192.0.2.3", "kim").closed(closeTooMany)
		}
		c.comeFrom("192.0.2.3", "bo").expect(message{"type": "ping"}, message{"type": "pong"})
		first.expect(message{"type": "ping"}, message{"type": "pong"})
		first.nc.Close()
		synctest.Wait()
		c.comeFrom("192.0.2.3", "kim").expect(message{"type": "ping"}, message{"type": "pong"})
		c.comeFrom("192.0.2.3", "kim").closed(closeTooMany)
	})
}

// TestGuestsGuess: an address's guests share what may be guessed, on as many
// sockets as they like; who has a passport does not wait for them.
func TestGuestsGuess(t *testing.T) {
	guesses := Guesses{Person: 5, Address: 7}
	inLimitedClass(t, Limits{SocketsPerPerson: 8, Guesses: guesses}, func(t *testing.T, c *class) {
		_, code := c.instructor("lee").open(100)
		wrong := message{"type": "join", "code": "ZZZZZZZZ"}
		const network, next = "2001:db8:1:2::%x", "2001:db8:1:3::1"
		for n := range guesses.Address {
			guest := c.comeFrom(fmt.Sprintf(network, n+1), guestNumber(n))
			guest.expect(wrong, message{"code": "not_found"})
		}
		late := c.comeFrom(fmt.Sprintf(network, 99), guestNumber(98))
		late.expect(message{"type": "join", "code": code}, message{"code": "rate_limited"})
		c.comeFrom(next, guestNumber(99)).expect(message{"type": "join", "code": code}, message{"seat": 1})
		c.comeFrom(fmt.Sprintf(network, 1), "kim").expect(message{"type": "join", "code": code}, message{"seat": 2})
		time.Sleep(time.Minute / time.Duration(guesses.Address))
		late.expect(message{"type": "join", "code": code}, message{"seat": 3})
		for _, malformed := range []string{"short", "ZZZZZZZZZ", "ZZZZ ZZZ", "ÄÄÄÄÄÄÄÄ"} { // which tell nothing
			late.expect(message{"type": "join", "code": malformed}, message{"code": "bad_request"})
		}
	})
}

// TestRequestsAtTheLimit: as many at once as may be, then as many a second,
// and none that was refused was carried out.
func TestRequestsAtTheLimit(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		kim := c.student("kim")
		answered := func(n int) (pongs int) {
			t.Helper()
			for range n {
				if kim.ask(message{"type": "ping"})["type"] == "pong" {
					pongs++
				}
			}
			return pongs
		}
		if n := answered(requestsAtOnce); n != requestsAtOnce {
			t.Errorf("%d of the first %d were answered", n, requestsAtOnce)
		}
		if n := answered(1); n != 0 {
			t.Error("one more was answered")
		}
		time.Sleep(time.Second)
		if n := answered(requestsPerSecond + 1); n != requestsPerSecond {
			t.Errorf("%d were answered after a second", n)
		}
		time.Sleep(time.Minute)
		if n := answered(requestsAtOnce + 1); n != requestsAtOnce {
			t.Errorf("%d were answered after a minute", n)
		}
		var limited dto.Metric
		c.hub.Metrics.commands.WithLabelValues("ping", "rate_limited").Write(&limited)
		if n := valueOf(&limited); n != 3 {
			t.Errorf("%v are counted as rate limited, want 3", n)
		}

		lee := c.instructor("lee")
		for range requestsAtOnce {
			lee.ask(message{"type": "ping"})
		}
		lee.expect(message{"type": "open", "title": "Botany", "capacity": 5}, message{"code": "rate_limited"})
		lee.send("no JSON")
		lee.next("error").check(t, message{"code": "rate_limited"})
		time.Sleep(time.Second)
		lee.expect(message{"type": "open", "title": "Botany", "capacity": 5}, message{"type": "opened", "already": false})
		if !t.Failed() {
			roomtest.Proved(t, "%d requests at once and %d a second answered, none beyond; what was refused was not carried out", requestsAtOnce, requestsPerSecond)
		}
	})
}

// TestPingsAtTheLimit: five at once, then one each fifth of a second; the next
// one closes.
func TestPingsAtTheLimit(t *testing.T) {
	ping := masked(fin|9, []byte("p"))
	for name, wait := range map[string]time.Duration{"at once": 0, "a bit too soon": time.Second/maxPings - time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pipes(t).connect().listen()
				p.write(bytes.Repeat(ping, maxPings))
				for range maxPings {
					p.expect(opPong, "p")
				}
				for range 2 * maxPings {
					time.Sleep(time.Second / maxPings)
					p.write(ping)
					p.expect(opPong, "p")
				}
				time.Sleep(wait)
				p.write(slices.Concat(ping, said("a"), ping))
				p.expectClose(closeMisuse)
				p.ended(closeMisuse)
				if len(p.got) > 0 {
					t.Errorf("handed over %q", <-p.got)
				}
			})
		})
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d pings at once and as many a second answered; one more, at once or 1 ms too soon, closes", maxPings)
	}
}

// TestNestedRequests: what is as deep or as wide as 32 KiB allow is one bad
// request, and the next one is carried out.
func TestNestedRequests(t *testing.T) {
	wide := make(map[string]int)
	for n := range 2_000 {
		wide[fmt.Sprint("x", n)] = n
	}
	fields, err := json.Marshal(wide)
	if err != nil {
		t.Fatal(err)
	}
	inClass(t, func(t *testing.T, c *class) {
		kim := c.student("kim")
		requests := map[string]string{
			"deep array":     strings.Repeat("[", maxMessage),
			"closed array":   strings.Repeat("[", maxMessage/2) + strings.Repeat("]", maxMessage/2),
			"deep object":    strings.Repeat(`{"a":`, maxMessage/5),
			"deep in a part": `{"id":1,"type":"open","options":` + strings.Repeat("[", maxMessage/2),
			"wide object":    string(fields),
			"long number":    `{"id":` + strings.Repeat("9", maxMessage-20) + `}`,
			"long id":        `{"id":"` + strings.Repeat("9", 65) + `","type":"ping"}`,
			"long text":      `{"id":{"a":"` + strings.Repeat("x", maxMessage-20) + `"}}`,
			"NULs":           strings.Repeat("\x00", maxMessage),
		}
		for name, text := range requests {
			kim.send(text)
			if m := kim.next("error"); m["code"] != "bad_request" || m["id"] != nil && m["id"] != 1.0 {
				t.Errorf("%s: %v", name, m)
			}
		}
		kim.expect(message{"type": "ping"}, message{"type": "pong"})
		if !t.Failed() {
			roomtest.Proved(t, "%d requests as deep, wide or long as may be: each one bad request, and the next one carried out", len(requests))
		}
	})
}

// TestBodySize: a body of an HTTP call is as long as a message may be.
func TestBodySize(t *testing.T) {
	s := newSchool(t)
	body := func(size int) string {
		b := `{"title":"Algebra","capacity":2}`
		return b + strings.Repeat(" ", size-len(b))
	}
	s.refused("bad_request", "", "POST", "/v1/rooms", body(maxMessage+1), s.teacher())
	s.refused("bad_request", "", "POST", "/v1/rooms", body(8<<20), s.teacher())
	s.must(http.StatusCreated, "POST", "/v1/rooms", body(maxMessage), s.teacher())
}
