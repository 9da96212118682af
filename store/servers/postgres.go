package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresPrograms is where Debian and its kin keep what is not in PATH.
const postgresPrograms = "/usr/lib/postgresql/*/bin/"

// superuser may do everything in every database, without a password.
const superuser = "postgres"

// Postgres is a PostgreSQL server that keeps what it acknowledges. Its methods
// are not safe for concurrent use, but for Fresh.
type Postgres struct {
	place
	*process
	settings []string
	as       *syscall.Credential // nil: as this process
}

// StartPostgres starts a server with settings such as "fsync=off".
// ErrNotInstalled: this machine has none.
func StartPostgres(settings ...string) (*Postgres, error) {
	at, err := newPlace("postgres", postgresPrograms+"postgres")
	if err != nil {
		return nil, err
	}
	p := &Postgres{place: at, settings: settings}
	if err := p.begin(); err != nil {
		return nil, errors.Join(err, at.remove())
	}
	return p, nil
}

func (p *Postgres) begin() (err error) {
	if p.as, err = p.giveUpRoot(); err != nil {
		return err
	}
	initdb := p.command(p.as, filepath.Join(filepath.Dir(p.program), "initdb"),
		"--pgdata", p.data(), "--username", superuser, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
	if said, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, said)
	}
	return p.start()
}

// giveUpRoot gives the folder to the system's user for Postgres and returns
// who that is: neither Postgres nor PgBouncer runs as root. Nil: this process
// does not either.
func (p place) giveUpRoot() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(superuser)
	if err != nil {
		return nil, fmt.Errorf("%s does not run as root: %w", p.program, err)
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if err := errors.Join(uidErr, gidErr, os.Chown(p.folder, uid, gid)); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// command is a program that runs as another user, in the folder: that user
// may not see where this process is.
func (p place) command(as *syscall.Credential, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = p.folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	return cmd
}

func (p *Postgres) data() string { return filepath.Join(p.folder, "data") }

func (p *Postgres) start() error {
	args := []string{"-D", p.data(), "-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-k", p.folder}
	for _, setting := range p.settings {
		args = append(args, "-c", setting)
	}
	started, err := start(p.command(p.as, p.program, args...), p.log(), func(ctx context.Context) error { return run(ctx, p.URL(), `SELECT 1`) })
	if err == nil {
		p.process = started
	}
	return err
}

// run carries out a statement on a connection of its own.
func run(ctx context.Context, address, statement string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, statement)
	return err
}

// URL is the address of the database that every server has.
func (p *Postgres) URL() string { return p.address("postgres") }

func (p *Postgres) address(database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s", superuser, p.Addr(), database)
}

// Fresh makes an empty database and returns its address. Its settings are
// such as "synchronous_commit = off".
func (p *Postgres) Fresh(ctx context.Context, settings ...string) (string, error) {
	name := "fresh_" + strings.ToLower(rand.Text())
	if err := run(ctx, p.URL(), `CREATE DATABASE `+name); err != nil {
		return "", err
	}
	for _, setting := range settings {
		if err := run(ctx, p.URL(), `ALTER DATABASE `+name+` SET `+setting); err != nil {
			return "", err
		}
	}
	return p.address(name), nil
}

// Stop ends the server, as a crash of it would if that is to be immediate.
// Restart starts it again; Remove takes away what it kept.
func (p *Postgres) Stop(immediate bool) {
	if immediate {
		p.stop(syscall.SIGQUIT)
		return
	}
	p.stop(syscall.SIGINT)
}

// Restart starts a server that has ended, with what it kept, at the same
// address. One that runs ends at once first.
func (p *Postgres) Restart() error {
	p.Stop(true)
	return p.start()
}

// Remove ends the server and takes away its folder.
func (p *Postgres) Remove() error {
	p.Stop(true)
	return p.remove()
}

// Kill ends the server at once, all its processes, as a loss of the
// machine's power would. It returns when they are gone, and with them the
// memory that they share, beside which no other server starts.
func (p *Postgres) Kill() {
	_ = p.signal(syscall.SIGSTOP) // it makes no more, and is still there to tell whose they are
	children, _ := childrenOf(p.PID())
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	p.process.Kill()
	for since := time.Now(); slices.ContainsFunc(children, lives) && time.Since(since) < stopWithin; {
		time.Sleep(lookEvery)
	}
}

// Pause freezes all processes of the server until Resume.
func (p *Postgres) Pause() error { return p.all(syscall.SIGSTOP) }

// Resume has a paused server go on.
func (p *Postgres) Resume() error { return p.all(syscall.SIGCONT) }

// all sends a signal to the server and to the processes that it started. The
// first makes the rest, so that it hears it first.
func (p *Postgres) all(s syscall.Signal) error {
	if err := p.signal(s); err != nil {
		return err
	}
	children, err := childrenOf(p.PID())
	if err != nil {
		return err
	}
	for _, pid := range children {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

func childrenOf(parent int) (children []int, err error) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, path := range processes {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			return nil, err
		}
		switch _, of, err := stateOf(pid); {
		case err != nil:
			return nil, err
		case of == parent:
			children = append(children, pid)
		}
	}
	return children, nil
}

// lives tells whether a process has not ended, whether or not anyone knows so.
func lives(pid int) bool {
	state, _, err := stateOf(pid)
	return err == nil && state != "" && state != "Z"
}

// stateOf reads a process's state and whose child it is from /proc, as proc(5)
// describes it. One that is gone has no state.
func stateOf(pid int) (state string, parent int, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	// pid (name) state ppid …; the name may hold anything
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return "", 0, fmt.Errorf("process %d is %q", pid, stat)
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err
}
