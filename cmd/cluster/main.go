// Command cluster runs a whole cluster on one machine, to try it and to break
// it by hand: a Postgres, a Redis, three instances of Lectern and a balancer
// in front of them. All of it is gone when it ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store/servers"
)

// passportTime is how long the printed link is good for: a day's trying.
const passportTime = 12 * time.Hour

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

type commandLine struct {
	Listen  string `default:"127.0.0.1:8080" help:"The balancer's address; port 0 picks a free one."`
	Program string `default:"bin/lectern" help:"The program whose instances run."`
}

// A cluster is the parts that instances share.
type cluster struct {
	commandLine
	stdout   io.Writer
	folder   string // of logs
	key      room.Key
	postgres *servers.Postgres
	redis    *servers.Redis
	listener net.Listener // the balancer's
}

// run runs a cluster until ctx is done.
func run(ctx context.Context, args []string, stdout io.Writer) (err error) {
	c := &cluster{stdout: stdout, key: room.NewKey("cluster")}
	parser, err := kong.New(&c.commandLine, kong.Name("cluster"), kong.Writers(stdout, stdout))
	if err != nil {
		return err
	}
	if _, err := parser.Parse(args); err != nil {
		return err
	}
	if c.listener, err = net.Listen("tcp", c.Listen); err != nil {
		return err
	}
	defer c.listener.Close()
	if c.folder, err = os.MkdirTemp("", "lectern-cluster-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.folder)) }()
	if c.postgres, err = servers.StartPostgres(); err != nil {
		return withMend(err)
	}
	defer func() { err = errors.Join(err, c.postgres.Remove()) }()
	if c.redis, err = servers.StartRedis(); err != nil {
		return withMend(err)
	}
	defer func() { err = errors.Join(err, c.redis.Stop()) }()
	return c.serve(ctx)
}

// withMend adds to a missing program how to get it.
func withMend(err error) error {
	if errors.Is(err, servers.ErrNotInstalled) {
		return fmt.Errorf("%w: on Debian and Ubuntu, apt-get install postgresql redis-server", err)
	}
	return err
}

// serve runs the instances and the balancer until ctx is done.
func (c *cluster) serve(ctx context.Context) error {
	b := &balancer{}
	for _, name := range []string{"a", "b", "c"} {
		i, err := newInstance(c, name)
		if err != nil {
			return err
		}
		b.instances = append(b.instances, i)
	}
	for _, i := range b.instances {
		i.environ = c.environ(i, b.instances)
	}
	parts, ctx := errgroup.WithContext(ctx)
	for _, i := range b.instances {
		parts.Go(func() error { return i.run(ctx) })
		parts.Go(func() error { return i.watch(ctx) })
	}
	parts.Go(func() error { return b.serve(ctx, c.listener) })
	parts.Go(func() error {
		if err := b.await(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		return c.greet(b.instances)
	})
	return parts.Wait()
}

// environ is what an instance is told. Pages may come from the balancer, and
// from each instance directly, to see one room through two of them.
func (c *cluster) environ(of *instance, all []*instance) []string {
	origins := []string{c.address(), strings.Replace(c.address(), "127.0.0.1", "localhost", 1)}
	for _, i := range all {
		origins = append(origins, i.address())
	}
	return []string{
		"LECTERN_INSTANCE=" + of.name,
		"LECTERN_LISTEN=" + of.public, "LECTERN_OPS_LISTEN=" + of.ops,
		"LECTERN_POSTGRES_URL=" + c.postgres.URL(), "LECTERN_REDIS_URL=" + c.redis.URL(),
		"LECTERN_PASSPORT_KEYS=" + c.key.Reveal(), "LECTERN_GUESTS=true",
		"LECTERN_HOSTS=127.0.0.1,localhost", "LECTERN_ORIGINS=" + strings.Join(origins, ","),
		"LECTERN_TRUSTED_PROXIES=127.0.0.1/32", "LECTERN_LOG_FORMAT=text",
	}
}

func (c *cluster) address() string { return "http://" + c.listener.Addr().String() }

// greet prints what one needs to try the cluster, and to break it.
func (c *cluster) greet(instances []*instance) error {
	keys, err := room.NewKeyring(room.KeyConfig{Signing: []room.Key{c.key}})
	if err != nil {
		return err
	}
	token, err := keys.Seal(room.Passport{
		Caller:    room.Caller{User: "instructor", Name: "Instructor", Role: room.Instructor},
		ExpiresAt: time.Now().Add(passportTime),
	}, false)
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Lectern:    %[1]s\nInstructor: %[1]s/#passport=%[2]s\n\n", c.address(), token)
	for _, i := range instances {
		fmt.Fprintf(&text, "Instance %s: %s  metrics http://%s/metrics  process %d\n", i.name, i.address(), i.ops, i.pid.Load())
	}
	fmt.Fprintf(&text, "Postgres:   %s  process %d\n", c.postgres.URL(), c.postgres.PID())
	fmt.Fprintf(&text, "Redis:      %s  process %d\n", c.redis.URL(), c.redis.PID())
	fmt.Fprintf(&text, "Logs:       %s\n\n", filepath.Join(c.folder, "*.log"))
	fmt.Fprintf(&text, "Break it: kill -9 %d ends instance a, which is started again after %v; kill -STOP %d freezes Redis, kill -CONT %[3]d thaws it.\nCtrl-C ends everything.\n",
		instances[0].pid.Load(), restartAfter, c.redis.PID())
	_, err = io.WriteString(c.stdout, text.String())
	return err
}
