package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

const (
	// chaosAsks is how often a person asks, chaosThinks the most time before
	// each. Whoever was not told chaosUntold times gives up: so few outcomes
	// of a history are unknown that all the moments can be tried at which they
	// may have come about.
	chaosAsks   = 10
	chaosThinks = 1500 * time.Millisecond
	chaosUntold = 3
	// waitsLong is longer than an instance is stopped; waitsShort is what one
	// waits who closes the tab at once.
	waitsLong  = 6 * time.Second
	waitsShort = 20 * time.Millisecond
)

// A contender asks something of a room again and again, on whatever instance
// is there.
type contender struct {
	contest  *contest
	random   *rand.Rand
	passport string
	socket   *loadSocket // nil: none
	at       *host       // of the socket
	where    *url.URL    // at was
}

// begin has students contend for the room, and its instructor remove some,
// until ctx is done at the latest.
func (c *contest) begin(ctx context.Context, random *rand.Rand) {
	come := func(passport string, next func(*rand.Rand) (room.CommandType, room.UserID)) {
		p := &contender{contest: c, passport: passport, random: rand.New(rand.NewPCG(random.Uint64(), 0))}
		c.people.Go(func() { p.contend(ctx, next) })
	}
	users := make([]room.UserID, chaosStudents)
	for n := range users {
		users[n] = room.UserID(fmt.Sprintf("%s-%d", c.name, n))
		come(c.pass(c.t, users[n], room.Student), func(random *rand.Rand) (room.CommandType, room.UserID) {
			return [...]room.CommandType{room.CommandJoin, room.CommandJoin, room.CommandLeave}[random.IntN(3)], users[n]
		})
	}
	come(c.lecture.passport, func(random *rand.Rand) (room.CommandType, room.UserID) {
		return room.CommandRemove, users[random.IntN(len(users))]
	})
}

func (p *contender) contend(ctx context.Context, next func(*rand.Rand) (room.CommandType, room.UserID)) {
	defer p.hangUp()
	for asked, untold := 0, 0; asked < chaosAsks && untold < chaosUntold; asked++ {
		if !paused(ctx, time.Duration(p.random.Int64N(int64(chaosThinks)))) || !p.connect(ctx) {
			return
		}
		asks, user := next(p.random)
		answered := p.contest.past.Ask(asks, user)
		told := p.ask(asks, user)
		if answered(told); told.Unknown {
			untold++
		}
	}
}

// connect sees that there is a socket, unless ctx is done before.
func (p *contender) connect(ctx context.Context) bool {
	if p.socket != nil && p.at.lives() != p.where {
		p.hangUp() // it has heard that the instance is dead
	}
	for p.socket == nil {
		p.at = p.contest.hosts[p.random.IntN(chaosInstances)]
		if p.where = p.at.lives(); p.where != nil {
			if socket, err := dialSocket(ctx, p.where, p.passport); err == nil {
				p.socket = socket
				return true
			}
		}
		if !paused(ctx, time.Duration(p.random.Int64N(int64(askAgain)))) {
			return false
		}
	}
	return true
}

func (p *contender) hangUp() {
	if p.socket != nil {
		p.socket.conn.Close()
		p.socket = nil
	}
}

// ask asks once, and does not always wait for the answer.
func (p *contender) ask(asks room.CommandType, user room.UserID) roomtest.Answer {
	request := fmt.Appendf(nil, `{"id":1,"type":%q,"room_id":%q,"user":%q}`, asks, p.contest.lecture.id, user)
	if asks == room.CommandJoin {
		request = fmt.Appendf(nil, `{"id":1,"type":"join","code":%q}`, p.contest.lecture.code)
	}
	waits := waitsLong
	if p.random.IntN(20) == 0 {
		waits = waitsShort
	}
	p.socket.conn.SetDeadline(time.Now().Add(waits))
	told, err := p.socket.exchange(request)
	if err != nil {
		p.hangUp()
	}
	if err != nil || told.Code == room.CodeUnavailable || told.Code == room.CodeRateLimited {
		return roomtest.Answer{Unknown: true}
	}
	return told
}

// exchange is loadSocket.ask, and tells whether it was so already.
func (s *loadSocket) exchange(request []byte) (told roomtest.Answer, err error) {
	if err := s.send(request); err != nil {
		return told, err
	}
	for {
		message, err := s.read()
		if err != nil {
			return told, err
		}
		var a struct {
			answer
			Already bool
		}
		if err := json.Unmarshal(message, &a); err != nil {
			return told, err
		}
		if a.ID != nil {
			return roomtest.Answer{Code: room.Code(a.Code), Seat: a.Seat, Already: a.Already, Version: a.Version}, nil
		}
	}
}
