package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/lectern-room/lectern/room"
)

// A benchCommand puts a server under load. Each scenario is a command; what
// they share is where the load goes (loadFlags), the clients (loadSocket,
// watcher), what is reported (report) and what must hold (bench_check.go).
type benchCommand struct {
	Storm stormCommand `cmd:"" help:"Students join one room as fast as they can."`
}

// loadFlags say which server a load is for, and who reads the report.
type loadFlags struct {
	Server string `placeholder:"URL" help:"The server, whose LECTERN_PASSPORT_KEYS must be in the environment; default: one of its own, which goes afterwards."`
	Ops    string `placeholder:"URL" help:"The server's operations listener, for what the load costs it."`
	JSON   bool   `name:"json" help:"For programs."`
}

// errBroken is why a load ends with exit status 1: the report says more.
var errBroken = errors.New("an invariant is broken")

// A load is one scenario: it puts a target under load and reports.
type load func(ctx context.Context, t *loadTarget) (*report, error)

// run carries out a load that needs so many sockets at a time, and shows its
// report.
func (f *loadFlags) run(ctx context.Context, p *program, sockets int, put load) (err error) {
	if err := checkFiles(sockets); err != nil {
		return err
	}
	target, stop, err := f.target(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	r, err := put(ctx, target)
	if err != nil {
		return err
	}
	if err := r.write(p.stdout, f.JSON); err != nil {
		return err
	}
	if len(r.Broken) > 0 {
		return errBroken
	}
	return nil
}

// target returns the server that the flags name, or starts one. Stop is
// called when the load is over.
func (f *loadFlags) target(ctx context.Context, p *program) (target *loadTarget, stop func() error, err error) {
	if f.Server == "" {
		return startTarget(ctx, p.environ)
	}
	server, err := url.Parse(strings.TrimRight(f.Server, "/"))
	if err != nil || server.Scheme != "http" && server.Scheme != "https" || server.Host == "" || server.Path != "" {
		return nil, nil, fmt.Errorf("--server is %q: accepted is http:// or https://, a host and perhaps a port", f.Server)
	}
	settings, err := p.settings.check(p.environ)
	if err != nil {
		return nil, nil, err
	}
	keys, err := room.NewKeyring(settings.keys)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", signingKeys, err)
	}
	target = &loadTarget{
		url: server, ops: strings.TrimRight(f.Ops, "/"), keys: keys, http: &http.Client{Timeout: answerTime},
	}
	return target, func() error { return nil }, nil
}

// spareFiles are the files that a program has open beside its sockets.
const spareFiles = 100

// checkFiles refuses a load of more sockets than this machine lets a process
// have. The Go runtime has raised the soft limit to the hard one.
func checkFiles(sockets int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit on open files: %w", err)
	}
	if need := uint64(sockets + spareFiles); limit.Cur < need {
		return fmt.Errorf("a process may have %d open files here, and this takes %d: raise it with ulimit -Hn", limit.Cur, need)
	}
	return nil
}
