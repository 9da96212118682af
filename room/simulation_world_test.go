package room_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
)

// A world is what the machines of one simulation share, and all that truly
// happens in it. Chance is drawn from the seed and from the place and time of
// what it decides (see draw), and whatever acts does so at instants that no
// other has (see until). What is left to the scheduler is the order of what one
// machine does at one and the same instant: mostly nothing comes of that, but
// where an entry wakes a worker and also says that something is due by now, it
// may look at the room once more or once less, and time goes on from there.
type world struct {
	seed   uint64
	began  time.Time
	chaos  time.Duration // for how long there are faults
	skew   time.Duration // of the store's clock to that of the machines
	pace   time.Duration // of people, at most between two steps
	calm   odds          // of a call while no spell lasts
	spells []spell
	store  *memory
	sits   []*sitting
	over   chan struct{} // closed when what was killed may end
	failed chan struct{} // closed at the first fault

	broken breakage

	mu      sync.Mutex // guards all below
	fault   string
	trace   []string
	tally   tally
	redis   *store.Local
	leases  map[room.ID]*time.Time // until when; the pointer tells one holder from the next
	hearers []*hearer
	live    []*machine
	all     []*machine
	sockets map[room.SessionID]*plug
	asks    map[room.CommandID]ask
	decided map[int]bool        // by number of the ask
	latest  map[room.UserID]int // decided ask of a person
	asked   int
}

// A sitting is one room of a world, and what is known of it.
type sitting struct {
	n    int
	id   room.ID
	code string
	by   room.Caller

	log  []room.Entry // guarded by the world's mu, as is copy
	copy *room.Room   // what the log makes of nothing
}

// An ask is what somebody asked, numbered over all.
type ask struct {
	number int
	user   room.UserID
}

// A breakage says what is broken on purpose.
type breakage string

// The breakages, each of which must be found.
const (
	intact     breakage = ""
	rebases    breakage = "a store that saves at whatever version the room is"
	savesTwice breakage = "a store that does not know a batch again"
	loses      breakage = "a store that loses what it acknowledged"
	forgetsIDs breakage = "a queue in which commands have no ids"
	hidesGaps  breakage = "a bus that numbers what it brings itself"
	noReaper   breakage = "a store that does not tell what the dead left"
	deaf       breakage = "a bus that loses more than it brings, and no comparison"
)

// part is what a call goes to.
type part int

const (
	toStore part = iota
	toRedis      // the queue, the locks and the bus
)

// odds are chances of one call: that nothing is done, that the answer is lost,
// and that it takes long.
type odds struct{ refused, lost, late float64 }

// A tally is what was tried, and how often.
type tally struct {
	entries, answers, unavailable, stays int
	killed, takenForDead                 int // machines
	stopped                              int // calls of SaveNext
}

func (t tally) String() string {
	return fmt.Sprintf("%d entries with %d answers (%d of them unavailable) and %d stays; %d instances killed, %d taken for dead",
		t.entries, t.answers, t.unavailable, t.stays, t.killed, t.takenForDead)
}

func (t *tally) add(o tally) {
	t.entries += o.entries
	t.answers += o.answers
	t.unavailable += o.unavailable
	t.killed += o.killed
	t.takenForDead += o.takenForDead
	t.stopped += o.stopped
	t.stays += o.stays
}

// A spell of bad weather is between one machine, or all, and a part.
type spell struct {
	who      int // -1: all
	to       part
	from, by time.Duration
	odds     odds
}

// grain is how far apart two instants of one actor are at least; within it
// every actor has its own.
const grain = 8192 * time.Nanosecond

// since is the time in the world.
func (w *world) since() time.Duration { return time.Since(w.began) }

// now is the store's time.
func (w *world) now() time.Time { return time.Now().Add(w.skew) }

// draw is chance for an actor, now.
func (w *world) draw(slot int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, uint64(w.since())<<13|uint64(slot)))
}

// until is the time from now to an instant of the actor's own, about d from
// now.
func (w *world) until(slot int, d time.Duration) time.Duration {
	now := w.since()
	at := (now + d).Truncate(grain) + time.Duration(slot)
	if at <= now {
		at += grain
	}
	return at - now
}

// sleep returns false if ctx is done before.
func (w *world) sleep(ctx context.Context, slot int, d time.Duration) bool {
	t := time.NewTimer(w.until(slot, d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-w.failed:
	}
	return false
}

// upTo draws a time.
func upTo(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}

// newWorld draws what will go wrong.
func newWorld(seed uint64, b breakage) *world {
	w := &world{
		seed: seed, broken: b, began: time.Now(), store: newMemory(), redis: &store.Local{},
		over: make(chan struct{}), failed: make(chan struct{}),
		leases: map[room.ID]*time.Time{}, sockets: map[room.SessionID]*plug{},
		asks: map[room.CommandID]ask{}, decided: map[int]bool{}, latest: map[room.UserID]int{},
	}
	r := rand.New(rand.NewPCG(seed, 0))
	w.chaos = 10*time.Second + upTo(r, 30*time.Second)
	w.pace = []time.Duration{500 * time.Millisecond, 2 * time.Second, 4 * time.Second}[r.IntN(3)]
	w.skew = upTo(r, 20*time.Minute) - 10*time.Minute
	bad := []float64{0, 0, 0.01, 0.05, 0.15}[r.IntN(5)]
	w.calm = odds{bad, bad, bad / 2}
	for range r.IntN(6) {
		s := spell{who: r.IntN(5) - 1, to: part(r.IntN(2)), from: upTo(r, w.chaos)}
		s.by = min(w.chaos, s.from+upTo(r, []time.Duration{time.Second, 5 * time.Second, 15 * time.Second}[r.IntN(3)]))
		s.odds = []odds{{refused: 1}, {refused: 1, late: 1}, {0.3, 0.3, 0.2}, {late: 0.7}, {lost: 0.8}}[r.IntN(5)]
		w.spells = append(w.spells, s)
	}
	if from := upTo(r, w.chaos); r.IntN(5) == 0 { // one is cut off for longer than it takes to be dead
		w.chaos += 15 * time.Second
		w.spells = append(w.spells, spell{who: r.IntN(3), to: toStore, from: from, by: from + 15*time.Second, odds: odds{refused: 1}})
	}
	w.store.faults(nil, w.save)
	return w
}

// weather returns the chances of a call of a machine, now.
func (w *world) weather(who int, to part) odds {
	now := w.since()
	if now >= w.chaos {
		return odds{}
	}
	for _, s := range w.spells {
		if s.to == to && (s.who < 0 || s.who == who) && s.from <= now && now < s.by {
			return s.odds
		}
	}
	return w.calm
}

// fail notes the first fault, at which the world stands still.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failing(format, args...)
}

// failing is fail for a caller who holds mu.
func (w *world) failing(format string, args ...any) {
	if w.fault == "" {
		w.fault = fmt.Sprintf("after %v: ", w.since()) + fmt.Sprintf(format, args...)
		close(w.failed)
	}
}

// tell adds a line to the trace. Its caller holds mu.
func (w *world) tell(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%13.9f ", w.since().Seconds())+fmt.Sprintf(format, args...))
}

// sitting returns a room's; nil: it is not known yet.
func (w *world) sitting(id room.ID) *sitting {
	i := slices.IndexFunc(w.sits, func(s *sitting) bool { return s.id == id })
	if i < 0 {
		return nil
	}
	return w.sits[i]
}

// machines are those that take requests.
func (w *world) machines() []*machine {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.live)
}

// opens makes the n-th room, before there are faults.
func (w *world) opens(n, capacity int, options room.OptionsEdit) {
	by := room.Caller{User: room.UserID(fmt.Sprint("kim", n)), Name: "Kim", Role: room.Instructor}
	g := &room.Registrar{Store: later{w.store, w.skew}, Instance: "i", RoomsPerInstructor: 1}
	if err := g.Recover(context.Background()); err != nil { // learns the time
		w.fail("%v", err)
	}
	id, _, err := g.Open(context.Background(), by, room.Change{Title: new("Logic"), Capacity: &capacity, Options: &options}, "")
	if err != nil {
		w.fail("open a room: %v", err)
		return
	}
	time.Sleep(time.Millisecond)
	s := &sitting{n: n, id: id, by: by, copy: &room.Room{}, log: slices.Clone(w.store.rooms[id].log)}
	s.copy.Apply(s.log[0])
	s.code = s.copy.Code
	w.sits = append(w.sits, s)
}
