package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A stormCommand is the bell: students join one room as fast as they can,
// while its instructor watches, and all stay.
type stormCommand struct {
	Students int `default:"5000" help:"How many join."`
	Seats    int `default:"4000" help:"How many the room has seats for."`
	InFlight int `default:"128" help:"How many join at the same time; 0: all."`

	loadFlags `embed:""`
}

// Run carries out the scenario.
func (c *stormCommand) Run(ctx context.Context, p *program) error {
	if c.Students < 1 || c.Seats < 1 || c.InFlight < 0 {
		return errors.New("--students and --seats are numbers from 1, --in-flight from 0")
	}
	return c.run(ctx, p, c.Students+1, func(ctx context.Context, t *loadTarget) (*report, error) {
		s, err := c.gather(ctx, t)
		if err != nil {
			return nil, err
		}
		shown := showProgress(p.stderr, "answered", c.Students)
		err = s.strike(ctx, &shown.done)
		shown.stop()
		return s.report, errors.Join(err, s.end(ctx))
	})
}

// A storm is a scenario under way.
type storm struct {
	*stormCommand
	target     *loadTarget
	report     *report
	instructor string // the passport
	watcher    *watcher
	join       []byte // the request
	students   []*student

	present sync.WaitGroup // one for each goroutine
	over    atomic.Bool    // sockets that end now were told to
	lost    atomic.Int64   // sockets that ended before
}

// A student is one person of the storm and what came of the join. It is
// owned by its goroutine until answered.
type student struct {
	user     room.UserID
	passport string

	socket          *loadSocket // nil: there is none
	dialled, joined time.Time
	answer          answer
	err             error
}

// gather makes everyone's passport, opens the room and has it watched.
func (c *stormCommand) gather(ctx context.Context, t *loadTarget) (*storm, error) {
	s := &storm{stormCommand: c, target: t, report: &report{
		Scenario: "storm", Settings: map[string]int{"students": c.Students, "seats": c.Seats, "in_flight": c.InFlight},
		Refused: map[string]int{}, Errors: map[string]int{}, Broken: []string{},
	}}
	run := "storm-" + strings.ToLower(room.NewToken())
	var err error
	if s.instructor, err = t.passport(room.UserID(run), "Instructor", room.Instructor); err != nil {
		return nil, err
	}
	for i := range c.Students {
		st := &student{user: room.UserID(fmt.Sprintf("%s-%d", run, i+1))}
		if st.passport, err = t.passport(st.user, fmt.Sprintf("Student %d", i+1), room.Student); err != nil {
			return nil, err
		}
		s.students = append(s.students, st)
	}
	id, code, err := t.openRoom(ctx, s.instructor, "Storm", c.Seats)
	if err != nil {
		return nil, fmt.Errorf("open the room: %w", err)
	}
	s.join = fmt.Appendf(nil, `{"id":1,"type":"join","code":%q}`, code)
	socket, err := dialSocket(ctx, t.url, s.instructor)
	if err != nil {
		return nil, fmt.Errorf("connect the instructor: %w", err)
	}
	socket.patient()
	s.watcher = newWatcher(socket, id)
	s.present.Go(s.watcher.watch)
	return s, nil
}

// strike lets the students in, and fills in the report.
func (s *storm) strike(ctx context.Context, done *atomic.Int64) error {
	before, err := s.target.usage(ctx)
	if err != nil {
		return err
	}
	watch := startStopwatch()
	s.joinAll(ctx, done)
	s.report.Seconds = time.Since(watch.began).Seconds()
	s.report.Client = watch.client()
	after, err := s.target.usage(ctx)
	if err != nil {
		return err
	}
	stored, broken, err := s.target.converge(ctx, s.instructor, s.watcher)
	if err != nil {
		return err
	}
	s.report.Broken = append(s.report.Broken, broken...)
	s.account(stored)
	answered := s.report.Seated
	for _, n := range s.report.Refused {
		answered += n
	}
	s.report.PerSec = float64(answered) / s.report.Seconds
	s.report.Server = costOf(before, after, answered, answered)
	s.report.judgeClient(s.Server == "")
	return ctx.Err()
}

// joinAll returns when every student has an answer, or will have none.
func (s *storm) joinAll(ctx context.Context, done *atomic.Int64) {
	places := s.InFlight
	if places == 0 {
		places = len(s.students)
	}
	free := make(chan struct{}, places)
	var answered sync.WaitGroup
	for _, st := range s.students {
		free <- struct{}{}
		answered.Add(1)
		s.present.Go(func() {
			st.attend(ctx, s, func() {
				<-free
				done.Add(1)
				answered.Done()
			})
		})
	}
	answered.Wait()
}

// attend joins, calls answered, and stays until the storm is over.
func (st *student) attend(ctx context.Context, s *storm, answered func()) {
	st.dialled = time.Now()
	if st.socket, st.err = dialSocket(ctx, s.target.url, st.passport); st.err == nil {
		st.answer, st.err = st.socket.ask(s.join)
		st.joined = time.Now()
		st.socket.patient()
	}
	socket, failed := st.socket, st.err != nil
	answered()
	if failed {
		return
	}
	if socket.attend(); !s.over.Load() {
		s.lost.Add(1)
	}
}

// account fills in what became of everyone, and what should have.
func (s *storm) account(stored []seatEntry) {
	r := s.report
	told := acknowledged{}
	seen := s.watcher.seen()
	var joined, shown []time.Duration
	for _, st := range s.students {
		switch {
		case st.err != nil:
			r.Errors[cause(st.err)]++
		case st.answer.Type == "joined":
			told[st.user] = st.answer.Seat
			joined = append(joined, st.joined.Sub(st.dialled))
			if at, ok := seen[st.user]; ok {
				shown = append(shown, max(0, at.Sub(st.joined)))
			}
		default:
			r.Refused[st.answer.Code]++
		}
	}
	if lost := int(s.lost.Load()); lost > 0 {
		r.Errors["sockets lost"] = lost
	}
	r.Seated, r.Joined, r.Shown = len(told), latencyOf(joined), latencyOf(shown)
	if should := min(s.Students, s.Seats); r.Seated != should {
		r.Broken = append(r.Broken, fmt.Sprintf("%d were seated, not %d", r.Seated, should))
	}
	r.Broken = append(r.Broken, told.broken(s.Seats, stored, len(r.Errors) == 0)...)
}

// cause names an error without what is different for every socket.
func cause(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

// end closes the room and all sockets.
func (s *storm) end(ctx context.Context) error {
	s.over.Store(true)
	err := s.target.closeRoom(context.WithoutCancel(ctx), s.instructor, s.watcher.room)
	s.watcher.socket.conn.Close()
	for _, st := range s.students {
		if st.socket != nil {
			st.socket.conn.Close()
		}
	}
	s.present.Wait()
	if err != nil {
		return fmt.Errorf("close the room: %w", err)
	}
	return nil
}
