package room_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/lectern-room/lectern/room"
)

// The slots of people are behind those of machines, see link.slot.
const (
	maxRooms    = 2
	maxMachines = 12
	firstPerson = maxMachines*maxRooms*int(kinds) + 1
	operator    = firstPerson - 1
	lookers     = 20 // from this number on: those who look whether all is well
)

// What acts on its own of a person.
const (
	thinks = iota
	waits
	closes          // and one more for every socket that the person opens
	acts   = 2 + 64 // how many there are
)

// A visitor comes, goes and comes back, on sockets at any machine.
type visitor struct {
	*world
	n      int
	caller room.Caller
	random *rand.Rand
	room   *sitting
	plugs  []*plug
	opened int  // so far
	place  bool // was told of one
}

func (s *visitor) slot(act int) int { return firstPerson + s.n*acts + act }

// person makes the n-th person of a world.
func (w *world) person(n int, by room.Caller, in *sitting) *visitor {
	return &visitor{world: w, n: n, caller: by, random: rand.New(rand.NewPCG(w.seed, uint64(n)+1)), room: in}
}

// told is what came of an ask.
type told struct {
	version int64
	err     error
}

// ask asks, and waits for the answer; false: it will never come.
func (s *visitor) ask(m *machine, c room.Command) (told, bool) {
	s.world.mu.Lock()
	s.asked++
	n := s.asked
	s.world.mu.Unlock()
	c.Reason = strconv.Itoa(n) // no such command has one
	began := s.since()
	reply := make(chan told, 2)
	m.Ask(c, func(o room.Outcome) {
		if m.speaks() {
			s.heard(m, c, n, o, reply)
		}
	})
	over := time.NewTimer(s.until(s.slot(waits), 5*time.Second))
	defer over.Stop()
	select {
	case t := <-reply:
		m.inTime(string(c.Type), began, t.err)
		s.sleep(context.Background(), s.slot(thinks), time.Millisecond)
		if len(reply) > 0 {
			s.fail("%s of %s at %s was answered twice", c.Type, s.caller.User, m.name)
		}
		return t, true
	case <-m.dead:
		s.sleep(context.Background(), s.slot(thinks), time.Millisecond)
	case <-s.failed:
	case <-over.C:
		s.fail("%s of %s at %s was not answered", c.Type, s.caller.User, m.name)
	}
	return told{}, false
}

// speaks tells whether the process is there to say anything.
func (m *machine) speaks() bool {
	select {
	case <-m.dead:
		return false
	case <-m.failed:
		return false
	default:
		return true
	}
}

// heard holds what a person is told to the store.
func (s *visitor) heard(m *machine, c room.Command, n int, o room.Outcome, reply chan<- told) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	t := told{err: o.Err}
	s.tally.answers++
	if o.Room != nil {
		t.version = o.Entry.Version
		s.checkAnswer(c, n, o)
	} else if s.tally.unavailable++; !errors.Is(o.Err, room.ErrUnavailable) {
		s.failing("%s of %s was not decided: %v", c.Type, s.caller.User, o.Err)
	}
	s.tell("%s tells %s: %s %s seat %d position %d at %d, %v", m.name, s.caller.User, c.Type, o.Answer.State, o.Answer.Seat, o.Answer.Position, t.version, o.Err)
	reply <- t
}

// lives until the faults end, and then stays as it is.
func (s *visitor) lives() {
	for s.sleep(context.Background(), s.slot(thinks), upTo(s.random, s.pace)) && s.since() < s.chaos {
		live := s.machines()
		if len(live) == 0 {
			continue
		}
		m := live[s.random.IntN(len(live))]
		s.plugs = slices.DeleteFunc(s.plugs, (*plug).isGone)
		switch p := s.random.Float64(); {
		case len(s.plugs) == 0 && p < 0.9, p < 0.15 && len(s.plugs) < 3:
			s.comes(m)
		case len(s.plugs) == 0:
			s.ask(m, leave(s.room.id, s.caller))
		case p < 0.35:
			s.again()
		case p < 0.55:
			s.ask(m, leave(s.room.id, s.caller))
		case p < 0.85:
			s.plugs[s.random.IntN(len(s.plugs))].close()
		}
	}
}

func (p *plug) isGone() bool {
	p.at.world.mu.Lock()
	defer p.at.world.mu.Unlock()
	return !p.gone.IsZero()
}

// comes opens a socket and joins with it.
func (s *visitor) comes(m *machine) {
	s.opened++
	p := &plug{session: room.SessionID(fmt.Sprint(s.caller.User, "/", s.opened)), by: s, n: s.opened, room: s.room, at: m, self: m.Self(), asked: s.world.now()}
	s.world.mu.Lock()
	s.sockets[p.session] = p
	s.world.mu.Unlock()
	s.plugs = append(s.plugs, p)
	s.joins(p)
}

// again joins on a socket that has joined before.
func (s *visitor) again() { s.joins(s.plugs[s.random.IntN(len(s.plugs))]) }

func (s *visitor) joins(p *plug) {
	c := join(s.room.id, s.room.code, s.caller)
	if s.place && s.random.IntN(2) == 0 {
		c.Type, c.Code = room.CommandConnect, ""
	}
	c.Session, c.Instance = p.session, p.self
	t, ok := s.ask(p.at, c)
	if ok && t.err == nil {
		s.place = true
		s.world.mu.Lock()
		p.member = t.version
		s.world.mu.Unlock()
	}
}

// leads is the life of an instructor.
func (s *visitor) leads(students int) {
	for s.sleep(context.Background(), s.slot(thinks), upTo(s.random, 5*time.Second)) && s.since() < s.chaos {
		if live := s.machines(); len(live) > 0 {
			s.ask(live[s.random.IntN(len(live))], s.order(students))
		}
	}
}

// order is what an instructor asks of the room.
func (s *visitor) order(students int) room.Command {
	c := room.Command{Room: s.room.id, By: s.caller, User: student(s.random.IntN(students)).User}
	switch p := s.random.Float64(); {
	case p < 0.3:
		c.Type, c.Change = room.CommandUpdate, &room.Change{Capacity: new(1 + s.random.IntN(4))}
	case p < 0.5:
		c.Type, c.Ban = room.CommandRemove, s.random.IntN(2) == 0
	case p < 0.7:
		c.Type = room.CommandUnban
	case p < 0.9:
		c.Type, c.All = room.CommandAdmit, true
	case p < 0.98:
		edit := &room.OptionsEdit{Waitlist: new(s.random.IntN(2) == 0)}
		c.Type, c.Change = room.CommandUpdate, &room.Change{Options: edit}
	default:
		c.Type = room.CommandClose
	}
	return c
}

// operates kills, stops and starts machines, and restarts Redis.
func (w *world) operates(ctx context.Context) {
	r := rand.New(rand.NewPCG(w.seed, 1<<32))
	often := []time.Duration{5 * time.Second, 15 * time.Second, time.Minute}[r.IntN(3)]
	for w.sleep(ctx, operator, upTo(r, often)) && w.since() < w.chaos {
		live := w.machines()
		switch p := r.Float64(); {
		case p < 0.4 && len(live) > 0 && len(w.all) < maxMachines:
			live[r.IntN(len(live))].kill()
			if w.sleep(ctx, operator, upTo(r, 5*time.Second)) {
				w.start(ctx)
			}
		case p < 0.55 && len(live) > 1 && len(w.all) < maxMachines:
			live[r.IntN(len(live))].drain()
			w.start(ctx)
		case p < 0.75:
			w.flush()
		case len(live) > 0:
			w.looks(live[r.IntN(len(live))], r)
		}
	}
}

// looks has somebody at a machine begin or end to watch, or look again.
func (w *world) looks(m *machine, r *rand.Rand) {
	s := w.sits[r.IntN(len(w.sits))]
	if r.IntN(2) == 0 {
		m.unwatch(s)
	} else {
		m.watch(s)
	}
}
