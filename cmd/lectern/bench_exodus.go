package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lectern-room/lectern/room"
)

// Returns are people whose sockets end and who come back for the seat that
// they have.
type returns struct {
	*bench
	away map[*visitor]time.Time // since when
	had  map[*visitor]int       // seats
	gaps []time.Duration
	next func() int // the server that the next one to come back goes to
	back func(v *visitor)
}

func (b *bench) returns(next func() int) *returns {
	return &returns{bench: b, away: map[*visitor]time.Time{}, had: map[*visitor]int{}, next: next}
}

// leave ends someone's socket, who comes back after a time.
func (r *returns) leave(v *visitor, after time.Duration) {
	r.hangUp(v)
	if _, gone := r.away[v]; !gone && v.seat > 0 {
		r.away[v], r.had[v] = time.Now(), v.seat
	}
	v.connection++
	connection := v.connection
	r.after(after, func() {
		if v.connection == connection {
			r.move(v, r.next())
			r.dial(v)
		}
	})
}

// answered checks what someone has who came back.
func (r *returns) answered(v *visitor) {
	since, gone := r.away[v]
	if !gone {
		return
	}
	delete(r.away, v)
	r.gaps = append(r.gaps, v.joined.Sub(since))
	if v.refused != "" || !v.already || v.seat != r.had[v] {
		r.report.breaks("%s had seat %d and came back to %d (%s)", v.user, r.had[v], v.seat, v.refused)
	}
	if r.back != nil {
		r.back(v)
	}
}

// lost notes that someone's socket ended that was to go on. Who was coming back
// is waited for no longer.
func (r *returns) lost(v *visitor, err error) {
	v.err = err
	delete(r.away, v)
	r.report.Errors[cause(err)]++
	r.report.breaks("%s lost the socket: %s", v.user, cause(err))
}

// An exodus is people who go from an instance that leaves to the others, when
// they are told to, and so do those who come to it meanwhile. After it, another
// instance may leave.
type exodus struct {
	*returns
	from    int              // the place in the clientele
	held    map[*visitor]int // sockets that are kept until another has answered, as the pages do
	told    map[*visitor]time.Duration
	delays  []time.Duration // that were told, of all instances
	exits   []time.Duration // from SIGTERM on
	stopped chan exit
}

// An exit is what came of an instance that was told to leave.
type exit struct {
	after time.Duration
	err   error
}

func (b *bench) exodus() *exodus {
	x := &exodus{held: map[*visitor]int{}, stopped: make(chan exit, 1)}
	turn := 0
	x.returns = b.returns(func() int {
		turn++
		return (x.from + 1 + turn%(len(b.places)-1)) % len(b.places)
	})
	return x
}

// play has an instance leave while others take their turns, and returns when
// it has gone and everyone is back.
func (x *exodus) play(ctx context.Context, from int, t *turns) error {
	x.from, x.told = from, map[*visitor]time.Duration{}
	there := x.there()
	x.hooks = x.moving(t.done)
	leaving := x.children[from]
	go func() {
		began := time.Now()
		err := leaving.stop()
		x.stopped <- exit{time.Since(began), err}
	}()
	err := x.everyone(ctx, "joined", t)
	if err == nil {
		err = x.until(ctx, func() bool {
			return len(x.stopped) > 0 && len(x.away) == 0 && !slices.ContainsFunc(x.visitors, x.moves)
		})
	}
	gone := <-x.stopped
	x.exits = append(x.exits, gone.after)
	for _, v := range there {
		after, told := x.told[v]
		if !told {
			x.report.breaks("%s was not told when to go", v.user)
		}
		x.delays = append(x.delays, after)
	}
	return errors.Join(err, gone.err)
}

// there are those who have a socket with the instance.
func (x *exodus) there() (there []*visitor) {
	for _, v := range x.visitors {
		if v.at == x.from && v.fd != 0 {
			there = append(there, v)
		}
	}
	return there
}

// moves tells whether someone has had a socket and has none with another
// instance yet.
func (x *exodus) moves(v *visitor) bool {
	return v.connection > 0 && (v.at == x.from || !v.upgraded)
}

// moving are the hooks of people who move.
func (x *exodus) moving(done func(*visitor)) *hooks {
	return &hooks{
		opened: func(v *visitor) {
			switch {
			case v.follow != nil:
				x.letGo(v)
				x.send(v, v.follow.request())
			case v.lesson != nil:
				x.join(v)
			default:
				x.letGo(v)
			}
		},
		answered: func(v *visitor) {
			x.letGo(v)
			x.answered(v)
			done(v)
		},
		draining: func(v *visitor, after time.Duration) {
			if _, twice := x.told[v]; twice || v.at != x.from {
				x.report.breaks("%s was told to go twice, or by an instance that stays", v.user)
			}
			x.told[v] = after
			connection := v.connection
			x.after(after, func() {
				if v.connection == connection && v.fd != 0 {
					x.hold(v)
					x.leave(v, 0)
				}
			})
		},
		ended: func(v *visitor, err error) { x.leave(v, rand.N(time.Second)) },
	}
}

// hold keeps someone's socket open, to which nobody listens any more.
func (x *exodus) hold(v *visitor) {
	if err := x.poll.forget(v.fd); err != nil {
		x.clientele.end(v, err)
		return
	}
	x.held[v], v.fd = v.fd, 0
}

func (x *exodus) letGo(v *visitor) {
	if fd, ok := x.held[v]; ok {
		x.poll.hangUp(fd)
		delete(x.held, v)
	}
}

// awayForLong counts who came back so late that the 5 s after which one is shown
// offline may have been over. The old socket lasts for more than a second.
func (x *exodus) awayForLong() (n int) {
	for _, away := range x.gaps {
		if away >= room.OfflineAfter+time.Second {
			n++
		}
	}
	return n
}

// tell fills in what came of it.
func (x *exodus) tell() {
	x.report.time(gap, x.gaps)
	x.report.time(toldToGo, x.delays)
	x.report.time(stopToExit, x.exits)
}
