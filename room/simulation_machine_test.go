package room_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A machine is one process: a Registrar, and in place of a hub the sockets of
// people and those who watch rooms.
type machine struct {
	*room.Registrar
	*link
	name  string
	stop  context.CancelFunc
	ended chan error

	seen    sync.Mutex // guards the rest
	watched map[room.ID]*room.Room
}

// A plug is one socket, as its person knows it.
type plug struct {
	session room.SessionID
	by      *visitor
	n       int // of the sockets of its person
	room    *sitting
	at      *machine
	self    room.InstanceID
	asked   time.Time // the first time, by the store's clock
	gone    time.Time // by the store's clock; zero: it is there
	member  int64     // the version at which it was told that it has a place; 0: it was not
}

// start has another machine run, as soon as the store answers it.
func (w *world) start(ctx context.Context) {
	w.mu.Lock()
	l := &link{world: w, who: len(w.all), dead: make(chan struct{})}
	m := &machine{link: l, name: fmt.Sprint("i", l.who), watched: map[room.ID]*room.Room{}, ended: make(chan error, 1)}
	w.all = append(w.all, m)
	w.mu.Unlock()
	m.Registrar = &room.Registrar{
		Store: l, Queue: l, Locker: l, Bus: l, Listener: m,
		Log: slog.New(slog.DiscardHandler), Instance: room.InstanceID(m.name), RoomsPerInstructor: 1,
	}
	ctx, m.stop = context.WithCancel(ctx)
	for m.Recover(ctx) != nil {
		if !w.sleep(ctx, l.slot(beats, ""), time.Second) {
			m.ended <- nil
			return
		}
	}
	go func() { m.ended <- m.Run(ctx) }()
	for _, s := range w.sits {
		for m.watch(s) != nil && w.sleep(ctx, l.slot(beats, ""), time.Second) {
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live = append(w.live, m)
	w.tell("%s runs", m.name)
}

// away takes a machine out of those that take requests, and returns its
// sockets, in order.
func (m *machine) away() []*plug {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	m.live = slices.DeleteFunc(m.live, func(other *machine) bool { return other == m })
	return m.plugs()
}

// plugs are the sockets that are there. Its caller holds the world's mu.
func (m *machine) plugs() (mine []*plug) {
	for _, p := range m.sockets {
		if p.at == m && p.gone.IsZero() {
			mine = append(mine, p)
		}
	}
	slices.SortFunc(mine, func(a, b *plug) int { return cmp.Compare(a.session, b.session) })
	return mine
}

// kill ends the process before it can do anything about it.
func (m *machine) kill() {
	cut := m.away()
	m.world.mu.Lock()
	m.tell("%s is killed", m.name)
	m.tally.killed++
	for _, p := range cut {
		p.gone = m.world.now()
	}
	m.world.mu.Unlock()
	close(m.dead)
	m.stop()
}

// drain ends the process in order: its sockets go first.
func (m *machine) drain() {
	m.closeAll(m.away())
	time.AfterFunc(m.until(m.slot(stops, ""), 600*time.Millisecond), m.stop)
}

// closeAll closes sockets, each at an instant of its own.
func (m *machine) closeAll(plugs []*plug) {
	for _, p := range plugs {
		slot := p.by.slot(closes + p.n%(acts-closes))
		time.AfterFunc(m.until(slot, upTo(m.draw(slot), 500*time.Millisecond)), func() { p.close() })
	}
}

// close closes the socket, of which its machine tells the room.
func (p *plug) close() {
	m := p.at
	m.world.mu.Lock()
	there := p.gone.IsZero()
	if there {
		p.gone = m.world.now()
	}
	m.world.mu.Unlock()
	if there {
		m.Ask(room.Command{
			Type: room.CommandDisconnect, Room: p.room.id, By: p.by.caller, Session: p.session, At: m.Registrar.Now(),
		}, nil)
	}
}

// Holds is room.Listener's.
func (m *machine) Holds(id room.ID) bool {
	m.seen.Lock()
	defer m.seen.Unlock()
	return m.watched[id] != nil
}

// Applied is room.Listener's.
func (m *machine) Applied(r *room.Room, e *room.Entry) {
	m.checkApplied(r, e)
	m.seen.Lock()
	defer m.seen.Unlock()
	copied := m.watched[e.Room]
	switch {
	case copied == nil:
	case e.Version != copied.Version+1:
		m.fail("who watches at %s is at version %d, and told of %d", m.name, copied.Version, e.Version)
	default:
		copied.Apply(*e)
		if !reflect.DeepEqual(copied.Header, r.Header) {
			m.fail("who watches at %s has %+v, the room there is %+v", m.name, copied.Header, r.Header)
		}
	}
}

// Died is room.Listener's.
func (m *machine) Died() {
	m.world.mu.Lock()
	m.tell("%s was taken for dead", m.name)
	m.tally.takenForDead++
	plugs := m.plugs()
	m.world.mu.Unlock()
	m.closeAll(plugs)
}

// watch has somebody here see a room from now on.
func (m *machine) watch(s *sitting) error {
	began := m.since()
	err := m.View(context.Background(), s.id, func(v room.View) {
		m.seen.Lock()
		defer m.seen.Unlock()
		if copied := m.watched[s.id]; copied != nil && copied.Version != v.Version {
			m.fail("who watches at %s is at version %d of %d", m.name, copied.Version, v.Version)
		}
		m.watched[s.id] = snapshot(v.Room)
	})
	m.inTime("a look", began, err)
	return err
}

// unwatch ends that.
func (m *machine) unwatch(s *sitting) {
	m.seen.Lock()
	defer m.seen.Unlock()
	delete(m.watched, s.id)
}

// snapshot is a room for somebody who may not keep it.
func snapshot(r *room.Room) *room.Room { return room.Restore(r.Header, slices.Collect(r.People())) }

// checkApplied holds what an instance tells of to the log.
func (m *machine) checkApplied(r *room.Room, e *room.Entry) {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	s := m.sitting(e.Room)
	switch {
	case s == nil:
	case e.Version > int64(len(s.log)) || s.log[e.Version-1].Batch != e.Batch:
		m.failing("%s tells of version %d that is not in the store", m.name, e.Version)
	case r.Version != e.Version:
		m.failing("%s tells of version %d of a room at %d", m.name, e.Version, r.Version)
	}
}

// inTime holds a call to what is promised: an answer within 2.5 s.
func (m *machine) inTime(what string, began time.Duration, err error) {
	if took := m.since() - began; took > 2500*time.Millisecond {
		m.fail("%s at %s took %v: %v", what, m.name, took, err)
	}
}
