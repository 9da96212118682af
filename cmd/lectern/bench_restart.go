package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
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

// A restartCommand is an instance that leaves while people are there and
// others join, as in a rolling update.
type restartCommand struct {
	Students int     `default:"2000" help:"How many have seats when it leaves."`
	Joining  int     `default:"500" help:"How many join meanwhile."`
	Rate     float64 `default:"100" help:"How many of them a second."`

	loadFlags `embed:""`
}

// Run carries out the scenario.
func (c *restartCommand) Run(ctx context.Context, p *program) error {
	if c.Students < 1 || c.Joining < 0 || c.Rate <= 0 {
		return errors.New("--students is a number from 1, --joining from 0, --rate is more than 0")
	}
	if c.Instances < 2 {
		return errors.New("one of its own instances leaves and others stay: --instances is 2 or more")
	}
	need := plan{scenario: "restart", sockets: c.Students + c.Joining + 1, settings: map[string]any{
		"students": c.Students, "joining": c.Joining, "a_second": c.Rate, "instances": c.Instances,
	}}
	return c.run(ctx, p, need, c.play)
}

func (c *restartCommand) play(ctx context.Context, b *bench) error {
	if err := b.opens(ctx, 1, c.Students+c.Joining); err != nil {
		return err
	}
	all, err := b.students(c.Students + c.Joining)
	if err != nil {
		return err
	}
	g := gathering{InFlight: dialAtOnce}
	if err := g.seat(ctx, b, all[:c.Students], nil); err != nil {
		return err
	}
	gone := make(chan error, 1)
	clock := b.stopwatch()
	go func() { gone <- b.children[len(b.children)-1].stop() }()
	err = c.leave(ctx, b, all)
	if err = errors.Join(err, <-gone); err != nil {
		return err
	}
	b.stop(clock)
	b.account(all)
	if r := b.report; r.Seated != len(all) {
		r.breaks("%d have seats, not %d", r.Seated, len(all))
	}
	return b.conclude(ctx, all)
}

// leave plays what happens while the last instance leaves: its people go to the
// others when they are told to, and so do those who come to it meanwhile.
func (c *restartCommand) leave(ctx context.Context, b *bench, all []*visitor) error {
	stay, turn := len(b.places)-1, 0
	next := func() int {
		turn++
		return turn % stay
	}
	affected := 0
	for _, v := range all[:c.Students] {
		if v.at == stay {
			affected++
		}
	}
	r := b.returns(next)
	t := &turns{people: all[c.Students:], rate: c.Rate, begin: b.dial}
	b.hooks = &hooks{
		opened: b.join,
		answered: func(v *visitor) {
			r.answered(v)
			t.done(v)
		},
		draining: func(v *visitor, after time.Duration) {
			b.after(after, func() {
				if v.at == stay {
					r.leave(v, 0)
				}
			})
		},
		ended: func(v *visitor, err error) {
			if v == v.lesson.instructor {
				v.err = err
				return
			}
			r.leave(v, rand.N(time.Second))
		},
	}
	if err := b.everyone(ctx, "joined", t); err != nil {
		return err
	}
	err := b.until(ctx, func() bool {
		return len(r.gaps) >= affected && len(r.away) == 0 &&
			!slices.ContainsFunc(all, func(v *visitor) bool { return v.at == stay })
	})
	b.report.time(gap, r.gaps)
	if len(r.gaps) < affected {
		b.report.breaks("%d came back, not %d", len(r.gaps), affected)
	}
	return err
}
