package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A restartCommand is an instance that leaves while people are there and
// others join, as in an update; or all of them, as in a rolling one.
type restartCommand struct {
	Students int     `default:"2000" help:"How many have seats when the first leaves."`
	Joining  int     `default:"500" help:"How many join meanwhile."`
	Rate     float64 `default:"100" help:"How many of them a second."`
	Rolling  bool    `help:"All instances leave, one after the other, and another takes the place of each."`

	loadFlags `embed:""`
}

// Run carries out the scenario.
func (c *restartCommand) Run(ctx context.Context, p *program) error {
	if c.Students < 1 || c.Joining < 0 || c.Rate <= 0 {
		return errors.New("--students is a number from 1, --joining from 0, --rate is more than 0")
	}
	if c.Instances < 2 {
		return errors.New("one of its own instances leaves and others stay: --instances is 2 or more, on LECTERN_POSTGRES_URL and LECTERN_REDIS_URL")
	}
	need := plan{scenario: "restart", sockets: c.Students + c.Joining + 1, settings: map[string]any{
		"students": c.Students, "joining": c.Joining, "a_second": c.Rate, "instances": c.Instances,
	}}
	if c.Rolling {
		need.settings["leave"] = c.Instances
	}
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
	first, joining := len(b.children)-1, all[c.Students:]
	if c.Rolling {
		first = 0
	}
	x, clock := b.exodus(), b.stopwatch()
	for left := len(b.children) - first; left > 0; left-- {
		late := joining[:len(joining)/left]
		joining = joining[len(late):]
		if err := c.leave(ctx, x, len(b.children)-left, late); err != nil {
			return err
		}
	}
	b.stop(clock)
	x.tell()
	b.account(all)
	if r := b.report; r.Seated != len(all) {
		r.breaks("%d have seats, not %d", r.Seated, len(all))
	}
	return errors.Join(b.conclude(ctx, all), b.shownOffline(ctx, x.awayForLong()))
}

// leave has an instance leave, and another take its place where all do.
// Afterwards the instructors see what is shown to all.
func (c *restartCommand) leave(ctx context.Context, x *exodus, from int, joining []*visitor) error {
	err := x.play(ctx, from, &turns{people: joining, rate: c.Rate, begin: x.dial})
	if err != nil || !c.Rolling {
		return err
	}
	if err := x.replace(ctx, from); err != nil {
		return err
	}
	deadline := time.Now().Add(convergeTime)
	for _, l := range x.lessons {
		_, differs, err := x.converge(ctx, l, false, deadline)
		if err != nil {
			return err
		}
		if differs != "" {
			x.report.breaks("after instance %d had left: %s", from+1, differs)
		}
	}
	return nil
}

// replace starts a server where one has left.
func (b *bench) replace(ctx context.Context, at int) error {
	server, target, err := b.recipe.server(ctx)
	if err != nil {
		return err
	}
	b.children[at], b.all[at] = server, target
	b.loadTarget = b.all[0]
	b.places[at], err = b.placeOf(target.url)
	return err
}

// shownOffline counts how often someone was shown offline, which nobody is to be
// but those whom a busy machine keeps away for long.
func (b *bench) shownOffline(ctx context.Context, long int) error {
	if err := b.rest(ctx, room.OfflineAfter+time.Second); err != nil { // whoever was away last would be by then
		return err
	}
	offline := 0
	for _, l := range b.lessons {
		n, err := b.offlineEvents(ctx, l.passport, l.id)
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		offline += n
	}
	if b.report.Offline = &offline; offline > long {
		b.report.breaks("%d times someone was shown offline, and %d were away for so long", offline, long)
	}
	return nil
}
