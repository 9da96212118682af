package hub

import (
	"net/netip"
	"sync"
	"time"

	"github.com/lectern-room/lectern/room"
)

// Limits bound what one person and one address may do on this instance. A
// limit of 0 is none.
type Limits struct {
	SocketsPerPerson  int
	SocketsPerAddress int
	AcceptRate        int // of new sockets a second
	Guesses           Guesses
}

// Guesses are how many wrong join codes a minute, of the form of a right one,
// are looked at.
type Guesses struct {
	Person  int // past it, the person waits
	Address int // past it, the address's guests wait: they are as many people as they like
}

// guesses counts wrong join codes. It is safe for concurrent use.
type guesses struct {
	mu      sync.Mutex // guards all below
	person  meter[room.UserID]
	address meter[netip.Addr]
}

func newGuesses(g Guesses) *guesses {
	return &guesses{
		person:  newMeter[room.UserID](g.Person, time.Minute, g.Person),
		address: newMeter[netip.Addr](g.Address, time.Minute, g.Address),
	}
}

// wait returns how long the caller must wait before any code of his is looked
// at, a right one too: else the answer would tell which it is.
func (g *guesses) wait(c room.Caller, a netip.Addr) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	wait := g.person.wait(c.User, now)
	if c.Guest() {
		wait = max(wait, g.address.wait(a, now))
	}
	return wait
}

// wrong counts a wrong code.
func (g *guesses) wrong(c room.Caller, a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.person.count(c.User, now)
	g.address.count(a, now)
}

// sweep forgets what does not count any more.
func (g *guesses) sweep(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.person.sweep(now)
	g.address.sweep(now)
}

const (
	// A lecture hall is one address, and its guests come in together at the
	// bell: each signs in and takes a place.
	guestCallsPerSecond = 200
	guestCallsAtOnce    = 2_000

	// forgetCallsEvery spares most calls the look at who has called before.
	forgetCallsEvery = time.Minute
)

// calls bounds the HTTP calls that change something: those of a person as the
// requests of a socket, and those of an address's guests, who are as many
// people as they like. It is safe for concurrent use.
type calls struct {
	mu      sync.Mutex // guards all below
	person  meter[room.UserID]
	address meter[netip.Addr]
	swept   time.Time
}

func newCalls() *calls {
	return &calls{
		person:  newMeter[room.UserID](requestsPerSecond, time.Second, requestsAtOnce),
		address: newMeter[netip.Addr](guestCallsPerSecond, time.Second, guestCallsAtOnce),
	}
}

// take counts a call, or returns how long the caller, who is nobody yet when
// signing in, must wait with it.
func (l *calls) take(c room.Caller, a netip.Addr) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.swept) >= forgetCallsEvery {
		l.swept = now
		l.person.sweep(now)
		l.address.sweep(now)
	}
	known, guest := c.User != "", c.User == "" || c.Guest()
	if known {
		wait = l.person.wait(c.User, now)
	}
	if guest {
		wait = max(wait, l.address.wait(a, now))
	}
	if wait > 0 {
		return wait
	}
	if known {
		l.person.count(c.User, now)
	}
	if guest {
		l.address.count(a, now)
	}
	return 0
}

// metered bounds what a meter holds, to some 10 MB. Beyond it somebody is
// forgotten: better than to let nobody else in.
const metered = 1 << 16

// A meter lets everyone have so many turns at once, and one more for each
// share of time. Turns that were taken beyond that, side by side, count:
// in the long run nobody has more.
type meter[K comparable] struct {
	share time.Duration // pays for one turn; 0: no limit
	most  int
	debt  map[K]time.Time // until when each pays for the turns taken
}

// newMeter makes a meter of so many turns in a time; 0: no limit.
func newMeter[K comparable](turns int, in time.Duration, most int) meter[K] {
	if turns <= 0 {
		return meter[K]{}
	}
	return meter[K]{share: in / time.Duration(turns), most: most, debt: map[K]time.Time{}}
}

// wait returns how long it is to k's next turn.
func (m *meter[K]) wait(k K, now time.Time) time.Duration {
	until, owes := m.debt[k]
	if !owes {
		return 0
	}
	return max(0, until.Sub(now)-time.Duration(m.most-1)*m.share)
}

func (m *meter[K]) count(k K, now time.Time) {
	if m.share == 0 {
		return
	}
	until, known := m.debt[k]
	if !known && len(m.debt) >= metered {
		m.forgetOne()
	}
	if until.Before(now) {
		until = now
	}
	m.debt[k] = until.Add(m.share)
}

func (m *meter[K]) forgetOne() {
	for k := range m.debt {
		delete(m.debt, k)
		return
	}
}

func (m *meter[K]) sweep(now time.Time) {
	for k, until := range m.debt {
		if !until.After(now) {
			delete(m.debt, k)
		}
	}
}
