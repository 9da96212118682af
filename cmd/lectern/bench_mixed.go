package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// A mixedCommand is a lecture day: the bell brings everyone, telephones come
// and go, and instructors watch.
type mixedCommand struct {
	Rooms    int           `default:"20" help:"How many rooms."`
	Students int           `default:"2000" help:"How many students, over all rooms."`
	Bell     time.Duration `default:"5s" help:"In how long a time they all come."`
	Flapping float64       `default:"0.1" help:"The part of them whose telephones lose the network again and again."`
	For      time.Duration `default:"30s" help:"How long the day is after the bell."`

	loadFlags `embed:""`
}

// Run carries out the scenario.
func (c *mixedCommand) Run(ctx context.Context, p *program) error {
	if c.Rooms < 1 || c.Students < 1 || c.Bell <= 0 || c.For <= 0 || c.Flapping < 0 || c.Flapping > 1 {
		return errors.New("--rooms and --students are numbers from 1, --bell and --for are durations, --flapping is from 0 to 1")
	}
	need := plan{scenario: "mixed", sockets: c.Students + c.Rooms, settings: map[string]any{
		"rooms": c.Rooms, "students": c.Students, "flapping": c.Flapping, "bell": c.Bell.String(), "day": c.For.String(),
	}}
	return c.run(ctx, p, need, c.play)
}

func (c *mixedCommand) play(ctx context.Context, b *bench) error {
	if err := b.opens(ctx, c.Rooms, (c.Students+c.Rooms-1)/c.Rooms); err != nil {
		return err
	}
	all, err := b.students(c.Students)
	if err != nil {
		return err
	}
	before, err := b.usage(ctx)
	if err != nil {
		return err
	}
	clock := b.stopwatch()
	g := gathering{Students: c.Students, Rate: float64(c.Students) / c.Bell.Seconds()}
	if err := g.seat(ctx, b, all, nil); err != nil {
		return err
	}
	b.account(all)
	if r := b.report; r.Seated != len(all) {
		r.breaks("%d were seated, not %d", r.Seated, len(all))
	}
	if err := c.day(ctx, b, all); err != nil {
		return err
	}
	b.stop(clock)
	after, err := b.usage(ctx)
	if err != nil {
		return err
	}
	r := b.report
	r.Deliveries = b.heard[kindRoster] + b.heard[kindCount]
	r.cost(before, after, 0)
	return b.conclude(ctx, all)
}

// day has telephones lose the network and come back until it is over.
func (c *mixedCommand) day(ctx context.Context, b *bench, all []*visitor) error {
	turn := 0
	r := b.returns(func() int {
		turn++
		return turn % len(b.places)
	})
	over := false
	lose := func(v *visitor) {
		b.after(2*time.Second+rand.N(8*time.Second), func() {
			if !over {
				r.leave(v, absence())
			}
		})
	}
	r.back = lose
	b.hooks = &hooks{opened: b.join, answered: r.answered, ended: r.lost}
	shown := showProgress(b.stderr, "seconds", int(c.For.Seconds()))
	defer shown.stop()
	for i := range int(float64(len(all)) * c.Flapping) {
		lose(all[i])
	}
	for range int(c.For.Seconds()) {
		if err := b.rest(ctx, time.Second); err != nil {
			return err
		}
		shown.done.Add(1)
	}
	over = true
	err := b.until(ctx, func() bool { return len(r.away) == 0 })
	b.report.time(gap, r.gaps)
	return err
}

// absence is how long a telephone has no network: mostly less than the 5 s
// after which a person is shown offline.
func absence() time.Duration {
	if rand.N(4) == 0 {
		return 5*time.Second + rand.N(3*time.Second)
	}
	return rand.N(4 * time.Second)
}
