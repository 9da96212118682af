package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/lectern-room/lectern/room"
)

// A benchCommand puts servers under load. Each scenario is a command; what
// they share is where the load goes (loadFlags, fleet), the people that make
// it (clientele, visitor), what is reported (report) and what must hold
// (bench_check.go).
type benchCommand struct {
	Storm   stormCommand   `cmd:"" help:"Students join one room as fast as they can."`
	Rooms   roomsCommand   `cmd:"" help:"Students join many rooms, all at the same time."`
	Fanout  fanoutCommand  `cmd:"" help:"Everyone in a room is told what happens there."`
	Idle    idleCommand    `cmd:"" help:"Students have joined, and nothing happens: what a socket takes."`
	Restart restartCommand `cmd:"" help:"One of several instances leaves while students join."`
	Mixed   mixedCommand   `cmd:"" help:"A lecture day: joins at the bell, telephones that come and go, a few who watch."`
}

// loadFlags say which servers a load is for, and who reads the report.
type loadFlags struct {
	Server    []string `placeholder:"URL" help:"The servers, whose LECTERN_PASSPORT_KEYS must be in the environment; default: some of its own, which go afterwards."`
	Ops       []string `placeholder:"URL" help:"The servers' operations listeners, for what the load costs them."`
	Instances int      `default:"1" help:"How many servers of its own: one on an embedded store, or any number on LECTERN_POSTGRES_URL and LECTERN_REDIS_URL."`
	Pin       bool     `help:"Its servers have one processor and the load another."`
	JSON      bool     `name:"json" help:"For programs."`
}

// errBroken is why a load ends with exit status 1: the report says more.
var errBroken = errors.New("an invariant is broken")

// A plan is what a scenario needs.
type plan struct {
	scenario string
	sockets  int            // at a time
	settings map[string]any // for the report
	environ  []string       // of servers of its own
}

// A bench is one scenario under way.
type bench struct {
	*fleet
	*clientele
	plan
	run     string // what the names of its people begin with
	report  *report
	stderr  io.Writer
	cores   cores
	lessons []*lesson
}

// run carries out a scenario and shows its report.
func (f *loadFlags) run(ctx context.Context, p *program, need plan, play func(context.Context, *bench) error) (err error) {
	if err := checkFiles(f.files(need.sockets)); err != nil {
		return err
	}
	cores := noCores()
	if f.Pin {
		if cores, err = pinCores(); err != nil {
			return err
		}
	}
	fleet, stop, err := f.fleet(ctx, p, need.environ, cores)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	b := &bench{
		fleet: fleet, plan: need, stderr: p.stderr, cores: cores,
		run: need.scenario + "-" + strings.ToLower(room.NewToken()), report: newReport(need),
	}
	if b.clientele, err = newClientele(fleet.all); err != nil {
		return err
	}
	defer b.clientele.close()
	if b.spins = f.Pin; f.Pin {
		runtime.LockOSThread() // whose time is read
		defer runtime.UnlockOSThread()
	}
	if b.report.Bare, err = calibrate(ctx, fleet); err != nil {
		return err
	}
	if err := errors.Join(play(ctx, b), b.failure(), b.end(ctx)); err != nil {
		return err
	}
	b.report.judgeClient(f.Pin, len(f.Server) == 0)
	if err := b.report.write(p.stdout, f.JSON); err != nil {
		return err
	}
	if len(b.report.Broken) > 0 {
		return errBroken
	}
	return nil
}

// files returns how many files so many sockets take.
func (f *loadFlags) files(sockets int) int {
	if slices.ContainsFunc(f.Server, func(server string) bool { return strings.HasPrefix(server, "https:") }) {
		return sockets * filesThroughTunnel
	}
	return sockets
}

// end closes the rooms that are still open.
func (b *bench) end(ctx context.Context) (err error) {
	ctx = context.WithoutCancel(ctx)
	for _, l := range b.lessons {
		closed := b.insist(ctx, func() error { return b.closeRoom(ctx, l.passport, l.id) })
		if closed != nil {
			err = errors.Join(err, fmt.Errorf("close a room: %w", closed))
		}
	}
	return err
}

// spareFiles are the files that a program has open beside its sockets.
const spareFiles = 100

// checkFiles refuses a load that opens more files than this machine lets a
// process have.
func checkFiles(files int) error {
	most, err := mostFiles()
	if need := files + spareFiles; err == nil && most < need {
		err = fmt.Errorf("a process may have %d open files here, and this takes %d: raise it with ulimit -Hn", most, need)
	}
	return err
}

// mostFiles returns how many files a process may have open here. The Go
// runtime has raised the soft limit to the hard one.
func mostFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit on open files: %w", err)
	}
	return int(min(limit.Cur, math.MaxInt32)), nil
}
