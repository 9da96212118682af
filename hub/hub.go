// Package hub is everything that people talk to: the sockets, who sits where
// on this instance, what each is told, and the HTTP API. It asks package room
// and shows what comes of it; it decides nothing about a room itself.
package hub

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/lectern-room/lectern/room"
)

// sweepEvery is how precisely passports expire and silent peers are noticed:
// well under the second that people can tell.
const sweepEvery = 250 * time.Millisecond

// An Archive answers what only the store knows. Its errors are refusals, or
// mean that the store cannot be reached.
type Archive interface {
	// Rooms returns an instructor's rooms, newest first, those older than
	// before ("": all), at most limit.
	Rooms(ctx context.Context, instructor room.UserID, before room.ID, limit int) ([]room.Header, error)
	// Places returns a person's places in rooms that are not closed.
	Places(ctx context.Context, user room.UserID) ([]room.Place, error)
	// History returns what the attendance record is made of.
	History(ctx context.Context, id room.ID) (*room.History, error)
	// Entries returns the room's entries after a version, in order, at most
	// limit, with the names of the people in them.
	Entries(ctx context.Context, id room.ID, after int64, limit int) ([]room.Entry, error)
	// Ping tells whether the store answers.
	Ping(ctx context.Context) error
}

// Config is what a Hub is made of. All fields but the last two are required.
type Config struct {
	Registrar *room.Registrar
	Archive   Archive
	Keys      *room.Keyring
	Allow     *Allowlist
	Proxies   Proxies
	Guests    bool // guest sign-in
	Limits    Limits
	Metrics   *Metrics
	Log       *slog.Logger
	Version   string // of the program, for the API's description
	PublicURL string // that people reach; empty: it is not known
	// Started tells whether the store is ready for use; until then calls and
	// sockets are refused. Nil: it is.
	Started func() bool
	// RedisUp tells whether Redis answers. Nil: there is none.
	RedisUp func() bool
}

// A Hub holds the sockets of one instance.
type Hub struct {
	Config
	flush     *flusher
	guesses   *guesses
	admission *admission
	codes     codeCache
	reaching  singleflight.Group
	sockets   sync.WaitGroup // one for each live socket's goroutine

	mu       sync.Mutex // guards all below; taken after a room's lock, before a socket's
	people   map[room.UserID][]*socket
	address  map[netip.Addr]int
	draining bool
	leaveBy  time.Time // while draining: the last moment at which a socket is to go

	halls sync.Map // room.ID → *hall; what is in a hall is guarded by its room's lock
}

// New makes a Hub. It serves once Run runs.
func New(c Config) *Hub {
	return &Hub{
		Config: c, flush: newFlusher(), guesses: newGuesses(c.Limits.Guesses), admission: newAdmission(c.Limits.AcceptRate),
		people: map[room.UserID][]*socket{}, address: map[netip.Addr]int{},
	}
}

// Run looks after the sockets until ctx is done. Then it tells each when to go,
// closes those that do not, and waits until all are gone, which leaves some of
// the time to leave, drain, to whoever ends afterwards. It leaves behind those
// whose requests the store does not answer by then: they end when it has, or
// when its time is over.
func (h *Hub) Run(ctx context.Context, drain time.Duration) error {
	flushing, stopFlushing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFlushing()
	flushed := make(chan struct{})
	go func() {
		h.flush.run(flushing)
		close(flushed)
	}()

	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	gone := make(chan struct{})
	var leaving *departure
	var leave, deadline, end <-chan time.Time
	done := ctx.Done()
	for {
		select {
		case now := <-sweep.C:
			h.sweep(now)
		case <-done:
			done, deadline, end = nil, time.After(patienceOf(drain)), time.After(mostOf(drain))
			leaving = h.depart(drain, gone)
			each := time.NewTicker(departEvery)
			defer each.Stop()
			leave = each.C
		case now := <-leave:
			for _, s := range leaving.late(h, now) {
				s.conn.close(closeRestart, "the instance is going away")
			}
		case <-deadline:
			h.Log.Warn("sockets that would not go were cut", "sockets", h.cut())
			deadline = nil
		case <-end:
			h.Log.Warn("what was not done in time was left behind", "drain", drain)
			return nil
		case <-gone:
			stopFlushing()
			<-flushed
			return nil
		}
	}
}

// Died is told that this instance was taken for dead: whoever is connected
// here comes back as someone new.
func (h *Hub) Died() {
	for _, s := range h.all() {
		s.conn.close(closeRestart, "this instance was silent for too long")
	}
}

func (h *Hub) cut() int {
	all := h.all()
	for _, s := range all {
		s.conn.drop(closeGoingAway, "the instance went away")
	}
	return len(all)
}

// Draining tells whether this instance is going away.
func (h *Hub) Draining() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.draining
}

func (h *Hub) all() []*socket {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.everyone()
}

// everyone is all for who holds mu.
func (h *Hub) everyone() []*socket {
	all := make([]*socket, 0, len(h.people)) // most people have one
	for _, sockets := range h.people {
		all = append(all, sockets...)
	}
	return all
}

// enter greets a socket, which is the first that it hears, and adds it, or
// says why not and closes it. The answer is one that connections_total counts.
func (h *Hub) enter(s *socket) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tell(s, "hello", finish(appendHello(draftFrame(helloSize), &s.passport, h.Registrar.Now())))
	user := s.user()
	if len(h.people[user]) >= h.Limits.SocketsPerPerson {
		s.conn.close(closeTooMany, "too many sockets of one person")
		return "too_many"
	}
	if most := h.Limits.SocketsPerAddress; most > 0 && h.address[s.address] >= most {
		s.conn.close(closeTooMany, "too many sockets of one address")
		return "too_many"
	}
	if h.draining { // its handshake was under way
		s.sayWhen(rand.N(1 + max(0, time.Until(h.leaveBy))))
	} else if wait := h.admit(user); wait > 0 {
		s.sayWhen(wait)
		s.conn.close(closeTryLater, "no place for this socket now")
		return "paced"
	}
	h.people[user] = append(h.people[user], s)
	h.address[s.address]++
	return "ok"
}

func (h *Hub) exit(s *socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	user := s.user()
	mine := h.people[user]
	for i := range mine {
		if mine[i] == s {
			mine[i] = mine[len(mine)-1]
			mine[len(mine)-1] = nil
			h.people[user] = mine[:len(mine)-1]
			break
		}
	}
	if len(h.people[user]) == 0 {
		delete(h.people, user)
	}
	if h.address[s.address]--; h.address[s.address] == 0 {
		delete(h.address, s.address)
	}
}

// of calls f with every socket of one person here.
func (h *Hub) of(user room.UserID, f func(*socket)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.people[user] {
		f(s)
	}
}

func (h *Hub) sweep(now time.Time) {
	stored := h.Registrar.Now()
	for _, s := range h.all() {
		s.conn.sweep(now)
		s.sweep(stored)
	}
	h.guesses.sweep(now)
	h.admission.sweep(now)
}

const socketPath = "/v1/socket"

// socketHandler answers GET /v1/socket. It returns once the connection is
// upgraded; the socket lives on a goroutine that Run waits for.
func (h *Hub) socketHandler(w http.ResponseWriter, r *http.Request) {
	v, err := h.visitor(r, true)
	if err != nil {
		h.Metrics.connection("refused")
		h.writeProblem(w, err)
		return
	}
	if !h.begin() {
		h.Metrics.connection("draining")
		h.writeProblem(w, errDraining)
		return
	}
	conn, err := upgrade(w, r, h.flush)
	if err != nil {
		h.Metrics.connection("failed") // the library has answered
		h.sockets.Done()
		return
	}
	s := &socket{
		hub: h, conn: conn, passport: v.passport, invite: v.invite, address: v.address,
		limiter: rate.NewLimiter(requestsPerSecond, requestsAtOnce),
	}
	s.begin()
	go s.run()
}

var errDraining = &room.Refusal{Code: room.CodeUnavailable, Message: "this instance is going away: try again", RetryAfter: time.Second}

// begin counts a new socket in, unless this instance is going away.
func (h *Hub) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.draining {
		h.sockets.Add(1)
	}
	return !h.draining
}
