package main

import (
	"context"
	"errors"
	"net"
	"time"
)

// A gathering is people who take seats, each with a socket, and stay: what
// most scenarios begin with.
type gathering struct {
	Students  int     `default:"5000" help:"How many join."`
	Seats     int     `default:"0" help:"How many each room has seats for; 0: for all who come."`
	InFlight  int     `default:"128" help:"How many join at the same time; 0: all."`
	Rate      float64 `help:"How many begin to join a second; 0: as many as can."`
	OpenFirst bool    `help:"All have their sockets before the first asks for a seat."`
	Rooms     int     `kong:"-"`

	loadFlags `embed:""`
}

func (g *gathering) valid() error {
	if g.Students < 1 || g.Rooms < 1 || g.Seats < 0 || g.InFlight < 0 || g.Rate < 0 {
		return errors.New("--students and --rooms are numbers from 1, --seats, --in-flight and --rate from 0")
	}
	if g.Seats == 0 {
		g.Seats = (g.Students + g.Rooms - 1) / g.Rooms
	}
	return nil
}

// plan is what a scenario needs that begins with a gathering.
func (g *gathering) plan(scenario string) plan {
	settings := map[string]any{"students": g.Students, "seats_a_room": g.Seats, "rooms": g.Rooms, "in_flight": g.InFlight}
	if g.Rate > 0 {
		settings["a_second"] = g.Rate
	}
	if g.OpenFirst {
		settings["sockets_open_first"] = g.Students
	}
	return plan{scenario: scenario, sockets: g.Students + g.Rooms, settings: settings}
}

// open opens the rooms, makes everyone's passport, and connects everyone if
// that is wanted.
func (g *gathering) open(ctx context.Context, b *bench) (all []*visitor, err error) {
	if err := b.opens(ctx, g.Rooms, g.Seats); err != nil {
		return nil, err
	}
	if all, err = b.students(g.Students); err != nil || !g.OpenFirst {
		return all, err
	}
	return all, b.connect(ctx, all)
}

// dialAtOnce is how many connect at the same time where that is not measured:
// well under what a server's kernel lets wait.
const dialAtOnce = 128

// connect gives everyone a socket.
func (b *bench) connect(ctx context.Context, all []*visitor) error {
	t := &turns{people: all, begin: b.dial, inFlight: dialAtOnce}
	b.hooks = &hooks{opened: t.done, ended: func(v *visitor, err error) {
		v.err = err
		t.done(v)
	}}
	return b.everyone(ctx, "connected", t)
}

// seat has everyone ask for a seat, and returns when all have an answer or will
// have none. Those without a socket connect first.
func (g *gathering) seat(ctx context.Context, b *bench, all []*visitor, seated func(*visitor)) error {
	t := &turns{people: all, inFlight: g.InFlight, rate: g.Rate}
	t.begin = func(v *visitor) {
		if v.fd == 0 {
			b.dial(v)
			return
		}
		b.join(v)
	}
	b.hooks = &hooks{
		opened: b.join,
		answered: func(v *visitor) {
			if seated != nil && v.seat > 0 {
				seated(v)
			}
			t.done(v)
		},
		ended: func(v *visitor, err error) {
			v.err = err
			t.done(v)
		},
	}
	return b.everyone(ctx, "answered", t)
}

// measure has everyone take a seat and fills in what that cost and took.
func (g *gathering) measure(ctx context.Context, b *bench, all []*visitor) error {
	before, err := b.usage(ctx)
	if err != nil {
		return err
	}
	watch := b.stopwatch()
	if err := g.seat(ctx, b, all, nil); err != nil {
		return err
	}
	b.stop(watch)
	after, err := b.usage(ctx)
	if err != nil {
		return err
	}
	r := b.report
	if b.account(all); g.OpenFirst {
		delete(r.Times, dialToJoined)
	}
	answered := r.Seated
	for _, n := range r.Refused {
		answered += n
	}
	r.JoinsPerS = float64(answered) / r.Seconds
	r.cost(before, after, answered)
	if r.Client.CPUPerJoinUs = r.Client.CPUSeconds * 1e6 / float64(max(1, answered)); r.Server != nil {
		r.Server.MemoryPerSocket = (after.memory - before.memory) / float64(len(all))
	}
	if should := min(g.Students, g.Seats*g.Rooms); r.Seated != should {
		r.breaks("%d were seated, not %d", r.Seated, should)
	}
	return nil
}

// conclude fills in what was told to whom, and checks it.
func (b *bench) conclude(ctx context.Context, all []*visitor) error {
	if err := b.check(ctx, len(b.report.Errors) == 0); err != nil {
		return err
	}
	b.seen(all)
	b.traffic()
	return nil
}

// cause names an error without what is different for every socket.
func cause(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// A stormCommand is the bell: students join one room as fast as they can,
// while its instructor watches, and all stay.
type stormCommand struct {
	gathering `embed:""`
}

// Run carries out the scenario.
func (c *stormCommand) Run(ctx context.Context, p *program) error {
	c.Rooms = 1
	return c.gather(ctx, p, "storm")
}

// A roomsCommand is a school's bell: students join many rooms at the same
// time, each watched by its instructor, and all stay.
type roomsCommand struct {
	Count int `name:"rooms" default:"50" help:"How many rooms."`

	gathering `embed:""`
}

// Run carries out the scenario.
func (c *roomsCommand) Run(ctx context.Context, p *program) error {
	c.Rooms = c.Count
	return c.gather(ctx, p, "rooms")
}

func (g *gathering) gather(ctx context.Context, p *program, scenario string) error {
	if err := g.valid(); err != nil {
		return err
	}
	return g.run(ctx, p, g.plan(scenario), func(ctx context.Context, b *bench) error {
		all, err := g.open(ctx, b)
		if err != nil {
			return err
		}
		if err := g.measure(ctx, b, all); err != nil {
			return err
		}
		return b.conclude(ctx, all)
	})
}

// An idleCommand is people who have joined and hear nothing: what a socket
// takes of a server's memory.
type idleCommand struct {
	gathering `embed:""`

	Settle time.Duration `default:"5s" help:"How long nothing happens before the memory is read."`
}

// Run carries out the scenario.
func (c *idleCommand) Run(ctx context.Context, p *program) error {
	c.Rooms = 1
	if err := c.valid(); err != nil {
		return err
	}
	return c.run(ctx, p, c.plan("idle"), func(ctx context.Context, b *bench) error {
		before, err := b.says(ctx)
		if err != nil {
			return err
		}
		all, err := c.open(ctx, b)
		if err != nil {
			return err
		}
		if err := c.measure(ctx, b, all); err != nil {
			return err
		}
		if err := b.rest(ctx, c.Settle); err != nil {
			return err
		}
		after, err := b.says(ctx)
		if s := b.report.Server; s != nil && after != nil {
			n := float64(len(all))
			s.MemoryPerSocket = (after.memory - before.memory) / n
			s.StackPerSocket, s.HeapPerSocket = (after.stacks-before.stacks)/n, (after.heap-before.heap)/n
		}
		return errors.Join(err, b.conclude(ctx, all))
	})
}
