package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A fanoutCommand is something that happens in a room, of which everyone is
// told: another title, or someone who joins.
type fanoutCommand struct {
	People   int     `default:"1000" help:"How many are in the room."`
	Watching string  `default:"one" enum:"one,all" help:"Who follows the roster: the instructor, or everyone."`
	Change   string  `default:"title" enum:"title,join" help:"What happens: the room gets another title, or the people join."`
	Changes  int     `default:"50" help:"How often the title changes."`
	Rate     float64 `default:"5" help:"How often a second it happens."`
	Backlog  int     `help:"So many frames wait for everyone at a time: everyone watches that many rooms, whose titles all change at the same moment. Takes a server of its own."`

	loadFlags `embed:""`
}

// Run carries out the scenario.
func (c *fanoutCommand) Run(ctx context.Context, p *program) error {
	if c.People < 1 || c.Changes < 1 || c.Rate <= 0 || c.Backlog < 0 {
		return errors.New("--people and --changes are numbers from 1, --rate is more than 0, --backlog from 0")
	}
	need := plan{scenario: "fanout", sockets: c.People + maxControls + c.Backlog*2, settings: map[string]any{"people": c.People, "watching": c.Watching, "changes_a_second": c.Rate}}
	switch {
	case c.Backlog > 0:
		if len(c.Server) > 0 || c.Rate > requestRate {
			return fmt.Errorf("--backlog takes a server of its own, and a --rate up to %d", requestRate)
		}
		need.settings["rooms_at_a_time"], need.settings["times"] = c.Backlog, c.Changes
		need.environ = []string{
			fmt.Sprint("LECTERN_ROOMS_PER_INSTRUCTOR=", c.Backlog), fmt.Sprint("LECTERN_SOCKETS_PER_PERSON=", c.People+2*c.Backlog),
		}
		return c.run(ctx, p, need, c.backlog)
	case c.Change == "join":
		return c.run(ctx, p, need, c.joins)
	case c.Rate > maxControls*requestRate:
		return fmt.Errorf("--rate is up to %d for titles", maxControls*requestRate)
	}
	need.settings["titles"] = c.Changes
	return c.run(ctx, p, need, c.titles)
}

const (
	// changeSize is about that of a room_changed.
	changeSize = 560
	// requestRate is a little less than the requests a second that a socket has.
	requestRate = 8
	// maxControls is one less than the sockets that a person has: one watches.
	maxControls = 7
)

// titles has a room's title change while everyone is in it.
func (c *fanoutCommand) titles(ctx context.Context, b *bench) error {
	if err := b.opens(ctx, 1, c.People); err != nil {
		return err
	}
	t, err := b.control(ctx, int(c.Rate/requestRate)+1)
	if err != nil {
		return err
	}
	if b.report.Bare.LoopbackUs, err = b.bareWrites(ctx, c.People, changeSize, c.Rate); err != nil {
		return fmt.Errorf("try the loopback interface: %w", err)
	}
	change := func(n int) { t.change(t.controls[n%len(t.controls)]) }
	alone, err := t.measure(ctx, aloneTimes, 1, c.Rate, change)
	if err != nil {
		return err
	}
	all, err := c.enter(ctx, b)
	if err != nil {
		return err
	}
	cpu, err := t.measure(ctx, c.Changes, len(all)+1, c.Rate, change)
	if err != nil {
		return err
	}
	t.charge(c.Changes, 1, len(all), cpu, alone)
	return errors.Join(b.conclude(ctx, nil), b.sameVersion(all))
}

// enter seats everyone, and has everyone watch if that is wanted.
func (c *fanoutCommand) enter(ctx context.Context, b *bench) (all []*visitor, err error) {
	if all, err = b.students(c.People); err != nil {
		return nil, err
	}
	g := gathering{InFlight: dialAtOnce}
	if err := g.seat(ctx, b, all, nil); err != nil {
		return nil, err
	}
	b.account(all)
	clear(b.report.Times) // of another scenario
	if c.Watching == "all" {
		if err := c.allWatch(ctx, b, all); err != nil {
			return nil, err
		}
	}
	if seated := b.report.Seated; seated != c.People {
		b.report.breaks("%d were seated, not %d", seated, c.People)
	}
	return all, b.rest(ctx, settleTime)
}

// settleTime is a little more than the second in which changes are told
// together.
const settleTime = 1200 * time.Millisecond

// mayWatch lets everyone follow a room's roster.
func (b *bench) mayWatch(ctx context.Context, l *lesson) error {
	return b.call(ctx, l.passport, http.MethodPatch, "/v1/rooms/"+string(l.id), `{"options":{"roster":"everyone"}}`, nil)
}

// allWatch has everyone follow the roster from what the instructor has by now.
func (c *fanoutCommand) allWatch(ctx context.Context, b *bench, all []*visitor) error {
	l := b.lessons[0]
	if err := b.mayWatch(ctx, l); err != nil {
		return err
	}
	if err := b.rest(ctx, settleTime); err != nil {
		return err
	}
	heard := b.heard[kindWatching]
	for _, v := range all {
		v.follow = newFollow(l, false)
		v.follow.version = l.instructor.follow.version
		b.send(v, v.follow.request())
	}
	return b.until(ctx, func() bool { return b.heard[kindWatching]-heard >= int64(len(all)) })
}

// joins has people join a room, and everyone who has is told of the next.
func (c *fanoutCommand) joins(ctx context.Context, b *bench) error {
	if err := b.opens(ctx, 1, c.People); err != nil {
		return err
	}
	l := b.lessons[0]
	all, err := b.students(c.People)
	if err != nil {
		return err
	}
	var watch func(*visitor)
	if c.Watching == "all" {
		if err := b.mayWatch(ctx, l); err != nil {
			return err
		}
		watch = func(v *visitor) {
			v.follow = newFollow(l, false)
			b.send(v, v.follow.request())
		}
	}
	before, err := b.usage(ctx)
	if err != nil {
		return err
	}
	clock, frames := b.stopwatch(), b.heard
	g := gathering{Rate: c.Rate}
	if err := errors.Join(g.seat(ctx, b, all, watch), b.rest(ctx, settleTime)); err != nil {
		return err
	}
	b.stop(clock)
	after, err := b.usage(ctx)
	if err != nil {
		return err
	}
	b.account(all)
	r := b.report
	r.Deliveries = b.heard[kindRoster] - frames[kindRoster] + b.heard[kindCount] - frames[kindCount]
	r.JoinsPerS = float64(r.Seated) / (r.Seconds - settleTime.Seconds())
	r.cost(before, after, r.Seated)
	if r.Seated != c.People {
		r.breaks("%d were seated, not %d", r.Seated, c.People)
	}
	return errors.Join(b.conclude(ctx, all), b.sameVersion(all))
}

// sameVersion checks that everyone who follows the roster is where the
// instructor is, whose roster has been compared with what is shown.
func (b *bench) sameVersion(all []*visitor) error {
	for _, v := range all {
		if v.follow != nil && v.follow.version != v.lesson.instructor.follow.version {
			b.report.breaks("%s is at version %d, the instructor at %d", v.user, v.follow.version, v.lesson.instructor.follow.version)
		}
	}
	return nil
}

// backlog has the titles of many rooms change at the same moment, which the
// same people watch.
func (c *fanoutCommand) backlog(ctx context.Context, b *bench) error {
	user := b.userID("instructor", 0)
	for range c.Backlog {
		if err := b.lesson(ctx, user, 1); err != nil {
			return err
		}
	}
	if err := b.watches(ctx); err != nil {
		return err
	}
	t, err := b.control(ctx, 1)
	if err != nil {
		return err
	}
	if b.report.Bare.LoopbackUs, err = b.bareWrites(ctx, c.People, changeSize, c.Rate); err != nil {
		return fmt.Errorf("try the loopback interface: %w", err)
	}
	change := func(n int) {
		for _, v := range t.controls {
			t.change(v)
		}
	}
	alone, err := t.measure(ctx, aloneTimes, c.Backlog, c.Rate, change)
	if err != nil {
		return err
	}
	var all []*visitor
	for range c.People {
		v, err := b.visitor(user, room.Instructor, b.lessons[0], 0)
		if err != nil {
			return err
		}
		all = append(all, v)
	}
	if err := errors.Join(b.connect(ctx, all), b.watchAll(ctx, all)); err != nil {
		return err
	}
	cpu, err := t.measure(ctx, c.Changes, c.Backlog*(len(all)+1), c.Rate, change)
	if err != nil {
		return err
	}
	t.charge(c.Changes, c.Backlog, len(all), cpu, alone)
	return b.conclude(ctx, nil)
}

// watchAll has everyone watch every room, as fast as a socket may ask.
func (b *bench) watchAll(ctx context.Context, all []*visitor) error {
	var failed error
	b.hooks = &hooks{ended: func(_ *visitor, err error) { failed = err }}
	want := b.heard[kindWatching]
	for i, l := range b.lessons {
		request := l.instructor.follow.request()
		for _, v := range all {
			b.send(v, request)
		}
		want += int64(len(all))
		if (i+1)%requestRate != 0 && i+1 < len(b.lessons) {
			continue
		}
		err := b.until(ctx, func() bool { return failed != nil || b.heard[kindWatching] >= want })
		if err := errors.Join(err, failed, b.rest(ctx, time.Second)); err != nil {
			return fmt.Errorf("have everyone watch: %w", err)
		}
	}
	return nil
}

// Titles are changes of rooms' titles, to their numbers.
type titles struct {
	*bench
	controls []*visitor // sockets of instructors that hear nothing of their rooms

	asked []time.Time // by number
	heard []time.Duration
}

// aloneTimes is how often titles change before anyone is there, to know what a
// change takes by itself.
const aloneTimes = 20

// control connects the instructors once more, each so many times.
func (b *bench) control(ctx context.Context, each int) (*titles, error) {
	t := &titles{bench: b}
	for range each {
		for _, l := range b.lessons {
			v, err := t.visitor(l.instructor.user, room.Instructor, l, 0)
			if err != nil {
				return nil, err
			}
			t.controls = append(t.controls, v)
		}
	}
	return t, t.connect(ctx, t.controls)
}

// change asks for a room's title to be the number of what was asked last.
func (t *titles) change(v *visitor) {
	t.send(v, textOf(`{"id":%d,"type":"update","room_id":%q,"title":"%d"}`, updateID, v.lesson.id, len(t.asked)-1))
}

// measure changes titles so many times at a rate, and waits each time until so
// many have heard of it. It returns the seconds of the servers' processors that
// it took, negative if they are not known.
func (t *titles) measure(ctx context.Context, times, told int, rate float64, change func(n int)) (cpu float64, err error) {
	t.hooks = &hooks{changed: t.hear, ended: func(v *visitor, err error) { v.err = err }}
	t.heard = nil
	before, err := t.usage(ctx)
	if err != nil {
		return 0, err
	}
	shown := showProgress(t.stderr, "changes", times)
	defer shown.stop()
	clock := t.stopwatch()
	for n := range times {
		if err := t.rest(ctx, time.Until(clock.began.Add(time.Duration(float64(n)/rate*float64(time.Second))))); err != nil {
			return 0, err
		}
		t.asked = append(t.asked, time.Now())
		change(n)
		if err := t.until(ctx, func() bool { return len(t.heard) >= (n+1)*told }); err != nil {
			return 0, fmt.Errorf("%d of %d have heard of change %d: %w", len(t.heard)-n*told, told, n+1, err)
		}
		shown.done.Add(1)
	}
	t.stop(clock)
	after, err := t.usage(ctx)
	if before == nil || after == nil {
		return -1, err
	}
	return after.cpu - before.cpu, err
}

// hear notes that someone was told of a change.
func (t *titles) hear(_ *visitor, message []byte, at time.Time) {
	n, err := strconv.Atoi(string(textField(message, `"title":"`)))
	if err == nil && n < len(t.asked) {
		t.heard = append(t.heard, at.Sub(t.asked[n]))
	}
}

// charge fills in what it took to tell so many people of each change of so many
// rooms, given what the changes took when nobody was there.
func (t *titles) charge(times, rooms, people int, cpu, alone float64) {
	r := t.report
	r.Deliveries = int64(times * rooms * people)
	r.PerRead = float64(len(t.heard)) / float64(max(1, r.Client.Reads))
	r.Client.CPUPerHeardUs = r.Client.CPUSeconds * 1e6 / float64(len(t.heard))
	if cpu >= 0 {
		each := alone / float64(aloneTimes*rooms)
		r.Server = &serverCost{
			CPUSeconds: cpu, CPUPerChangeUs: each * 1e6,
			CPUPerDeliveryUs: (cpu - each*float64(times*rooms)) * 1e6 / float64(r.Deliveries),
		}
	}
	r.time(askedToHeard, t.heard)
}
