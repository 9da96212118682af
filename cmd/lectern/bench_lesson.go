package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A lesson is a room of a load.
type lesson struct {
	id         room.ID
	code       string
	seats      int
	passport   string   // the instructor's
	instructor *visitor // who watches; nil: nobody
	join       []byte   // the request
	told       acknowledged
}

// opens opens rooms, each of an instructor of its own, who watches on the first
// server.
func (b *bench) opens(ctx context.Context, rooms, seats int) error {
	for k := range rooms {
		if err := b.lesson(ctx, b.userID("instructor", k), seats); err != nil {
			return err
		}
	}
	return b.watches(ctx)
}

// lesson opens a room, and prepares its instructor's socket.
func (b *bench) lesson(ctx context.Context, instructor room.UserID, seats int) (err error) {
	l := &lesson{seats: seats, told: acknowledged{}}
	if l.instructor, err = b.visitor(instructor, room.Instructor, l, 0); err != nil {
		return err
	}
	l.passport = l.instructor.passport
	err = b.insist(ctx, func() (err error) {
		l.id, l.code, err = b.openRoom(ctx, l.passport, "Load", seats)
		return err
	})
	if err != nil {
		return fmt.Errorf("open a room: %w", err)
	}
	b.lessons = append(b.lessons, l)
	l.join = textOf(`{"id":%d,"type":"join","code":%q}`, joinID, l.code)
	l.instructor.follow = newFollow(l, true)
	return nil
}

// insist makes a call again and again while the answer is that its person calls
// too often.
func (b *bench) insist(ctx context.Context, call func() error) error {
	for {
		err := call()
		var bad *badAnswer
		if !errors.As(err, &bad) || bad.status != http.StatusTooManyRequests {
			return err
		}
		if err := b.rest(ctx, againAfter); err != nil {
			return err
		}
	}
}

// userID names a person of this load.
func (b *bench) userID(what string, n int) room.UserID {
	return room.UserID(fmt.Sprintf("%s-%s-%d", b.run, what, n+1))
}

// watches has the instructors connect and watch, and returns when all have a
// snapshot.
func (b *bench) watches(ctx context.Context) error {
	b.hooks = &hooks{
		opened: func(v *visitor) { b.send(v, v.follow.request()) },
		ended:  func(v *visitor, err error) { v.err = err },
	}
	var failed error
	for _, l := range b.lessons {
		b.dial(l.instructor)
	}
	err := b.until(ctx, func() bool {
		for _, l := range b.lessons {
			if l.instructor.err != nil {
				failed = l.instructor.err
				return true
			}
			if l.instructor.follow.version == 0 {
				return false
			}
		}
		return true
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("have an instructor watch: %w", err)
	}
	return nil
}

// visitor prepares a person of the load.
func (b *bench) visitor(user room.UserID, role room.Role, l *lesson, at int) (*visitor, error) {
	passport, err := b.passport(user, string(user), role)
	if err != nil {
		return nil, err
	}
	v := &visitor{
		number: len(b.visitors), user: user, lesson: l, at: at, passport: passport,
		handshake: b.upgrade.request(b.places[at].host, passport),
	}
	b.visitors = append(b.visitors, v)
	return v, nil
}

// students prepares so many students, spread over the rooms and the servers.
func (b *bench) students(n int) (all []*visitor, err error) {
	for i := range n {
		l := b.lessons[i%len(b.lessons)]
		at := (i / len(b.lessons)) % len(b.places)
		v, err := b.visitor(b.userID("student", i), room.Student, l, at)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// move has a visitor's next socket be with another server.
func (b *bench) move(v *visitor, at int) {
	v.at = at
	v.handshake = b.upgrade.request(b.places[at].host, v.passport)
}

// account fills in what became of those who asked for seats.
func (b *bench) account(all []*visitor) {
	r := b.report
	var dialled, asked []time.Duration
	for _, v := range all {
		r.AskedAgain += v.again
		switch {
		case v.err != nil:
			r.Errors[cause(v.err)]++
		case v.seat > 0:
			v.lesson.told[v.user] = v.seat
			r.Seated++
			dialled = append(dialled, v.joined.Sub(v.dialled))
			asked = append(asked, v.joined.Sub(v.asked))
		case v.refused != "":
			r.Refused[v.refused]++
		default:
			r.Errors["no answer"]++
		}
	}
	r.time(dialToJoined, dialled)
	r.time(askedToJoined, asked)
}

// traffic fills in what all have heard.
func (b *bench) traffic() {
	r := b.report
	ended := 0
	for _, n := range r.Errors {
		ended += n
	}
	for _, v := range b.visitors {
		if v.fd != 0 {
			r.Sockets++
		}
	}
	if lost := len(b.visitors) - r.Sockets - ended; lost > 0 {
		r.breaks("%d sockets were lost", lost)
	}
	for k, n := range b.heard {
		if n > 0 {
			r.Heard[kindNames[k]] = n
		}
	}
	r.In, r.Out = float64(b.in)/float64(len(b.visitors)), float64(b.out)/float64(len(b.visitors))
}

// seen fills in when the instructors saw who joined.
func (b *bench) seen(all []*visitor) {
	var here, elsewhere []time.Duration
	for _, v := range all {
		at, ok := v.lesson.instructor.follow.first[v.user]
		switch took := max(0, at.Sub(v.joined)); {
		case !ok || v.seat == 0:
		case v.at == v.lesson.instructor.at:
			here = append(here, took)
		default:
			elsewhere = append(elsewhere, took)
		}
	}
	b.report.time(joinedToSeen, here)
	b.report.time(seenElsewhere, elsewhere)
}
