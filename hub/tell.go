package hub

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/lectern-room/lectern/room"
)

const (
	// rosterEvery and countEvery are how often a room's watchers and the
	// sockets in it are told of changes while changes keep coming. A change
	// after a pause is told at once.
	rosterEvery = 100 * time.Millisecond
	countEvery  = time.Second
	// lineEvery is how often those who wait are told where they stand: as often
	// as everyone is told how many wait.
	lineEvery = time.Second
	// frameLimit is the largest frame that a client must take, less its
	// header. Deltas that would be larger are replaced by a nudge to watch
	// again, which is answered in pages.
	frameLimit = 1<<20 - 16
)

// A pacer lets a first event pass at once and those that follow it only every
// so often.
type pacer struct {
	last  time.Time
	timer *time.Timer
	set   bool
}

// ready tells whether the event may go now; if not, it calls later when it
// may.
func (p *pacer) ready(every time.Duration, later func()) bool {
	wait := every - time.Since(p.last)
	if wait <= 0 {
		p.last = time.Now()
		return true
	}
	if !p.set {
		p.set = true
		if p.timer == nil {
			p.timer = time.AfterFunc(math.MaxInt64, later) // later may set it
		}
		p.timer.Reset(wait)
	}
	return false
}

// rest takes back a ready after which nothing was to be told.
func (p *pacer) rest() { p.last = time.Time{} }

func (p *pacer) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.set = false
}

// touch notes whom the next roster event is about.
func touch(touched map[room.UserID]bool, e room.Event) {
	switch e.Type {
	case room.EventJoined, room.EventAdmitted, room.EventSeated, room.EventRenamed, room.EventLeft:
		touched[e.User] = true
	case room.EventConnected, room.EventOffline:
		_, known := touched[e.User]
		if shown := e.Type == room.EventOffline || e.Online; shown && !known {
			touched[e.User] = false
		}
	}
}

// tellRoster sends what has happened to the watchers, now or when it may.
func (h *hall) tellRoster(r *room.Room) {
	if len(h.touched) > 0 && h.roster.ready(rosterEvery, h.later(&h.roster, (*hall).tellRoster)) {
		h.flushRoster(r)
	}
}

func (h *hall) tellCount(r *room.Room) {
	if len(h.members) == 0 || countsOf(r) == h.told || !h.count.ready(countEvery, h.later(&h.count, (*hall).tellCount)) {
		return
	}
	h.told = countsOf(r)
	frame := textFrame(appendCount(nil, r))
	h.spread("count", h.members, frame)
}

// later returns what a pacer's timer does: tell, with the room as it is then.
// Where the store does not say how it is, that is asked again, for as long as
// there is someone to tell.
func (h *hall) later(p *pacer, tell func(*hall, *room.Room)) func() {
	return func() {
		err := h.hub.view(context.Background(), h.id, func(now *hall, v room.View) {
			p.set = false
			if now == h {
				h.expect(v.Room, v.Version)
				tell(h, v.Room)
			}
		})
		if now, _ := h.hub.halls.Load(h.id); now == h && errors.Is(err, room.ErrUnavailable) && !h.hub.Draining() {
			p.timer.Reset(countEvery)
		}
	}
}

// flushRoster sends one roster event: the state of everyone touched since the
// last.
func (h *hall) flushRoster(r *room.Room) {
	if len(h.touched) == 0 {
		return
	}
	d := deltaOf(r, h.from, h.touched)
	h.from = r.Version
	clear(h.touched)
	event := appendRoster(nil, r, d)
	if len(event) > frameLimit {
		event = nudge(r)
	}
	frame := textFrame(event)
	h.spread("roster", h.watchers, frame)
	h.hub.Metrics.toldRoster(h.hub.Registrar.Now().Sub(h.savedAt))
	h.savedAt = time.Time{}
}

func deltaOf(r *room.Room, from int64, touched map[room.UserID]bool) delta {
	d := delta{from: from}
	for u, whole := range touched {
		switch p := r.Person(u); {
		case !p.State.Member():
			d.left = append(d.left, p)
		case whole:
			d.joined = append(d.joined, p)
		case p.Online:
			d.online = append(d.online, p)
		default:
			d.offline = append(d.offline, p)
		}
	}
	slices.SortFunc(d.joined, byRoster)
	return d
}

// rank orders the states of members as the roster does.
var rank = map[room.State]int{room.Seated: 0, room.Waiting: 1, room.Pending: 2}

// byRoster is the roster's order: the seated by seat, then the waiting and the
// pending by place.
func byRoster(a, b *room.Person) int {
	return cmp.Or(cmp.Compare(rank[a.State], rank[b.State]), cmp.Compare(a.Seat, b.Seat), cmp.Compare(a.Place, b.Place))
}

// nudge is a roster event that tells nothing and makes a watcher who is
// behind ask.
func nudge(r *room.Room) []byte { return appendRoster(nil, r, delta{from: r.Version}) }

// crowdSize is how many sockets may be told of something before those who wait
// for an answer: some milliseconds of writing.
const crowdSize = 256

// offering returns how a frame is offered to each of so many sockets.
func offering(sockets int) func(c *conn, frame []byte, may bool) bool {
	if sockets > crowdSize {
		return (*conn).offerToCrowd
	}
	return (*conn).offer
}

// spread gives sockets a frame that each may miss: the next one, or catchUp,
// makes up for it.
func (h *hall) spread(kind string, sockets map[*socket]bool, frame []byte) {
	offer, sent := offering(len(sockets)), 0
	for s := range sockets {
		if offer(s.conn, frame, true) {
			sent++
		} else {
			s.lag(h.id)
		}
	}
	h.hub.Metrics.sent(kind, sent)
}

// spare is spread for one socket.
func (h *hall) spare(s *socket, kind string, frame []byte) {
	if s.conn.offer(frame, true) {
		h.hub.Metrics.sent(kind, 1)
	} else {
		s.lag(h.id)
	}
}
