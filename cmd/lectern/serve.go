package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/lectern-room/lectern/hub"
	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
	"github.com/lectern-room/lectern/web"
)

// firstPassport is how long the printed link is good for: a day's work.
const firstPassport = 12 * time.Hour

type serveCommand struct{}

// Run runs an instance until ctx is done and everyone has been sent away.
func (serveCommand) Run(ctx context.Context, p *program) (err error) {
	c, err := p.settings.check(p.environ)
	if err != nil {
		return err
	}
	s := &server{config: c, stdout: p.stdout, log: newLogger(p.stderr, c)}
	p.environ.warnUnknown(s.log)
	if s.keys, err = openKeys(ctx, c); err != nil {
		return err
	}
	if s.rooms, err = openRooms(ctx, c, s.log); err != nil {
		return err
	}
	defer closing(s.rooms, &err)
	if s.redis, err = openRedis(c, s.log); err != nil {
		return err
	}
	if s.redis != nil {
		defer closing(s.redis, &err)
	}
	s.assemble()
	if err := s.listen(); err != nil {
		return err
	}
	defer s.hangUp()
	s.warn(p.settings)
	return s.run(ctx)
}

// A server is the parts of a running instance.
type server struct {
	*config
	stdout    io.Writer
	log       *slog.Logger
	keys      *room.Keyring
	rooms     rooms
	redis     *store.Redis // nil: there is none
	registry  *prometheus.Registry
	registrar *room.Registrar
	people    *hub.Hub
	public    *endpoint
	ops       *endpoint   // nil: not wanted
	started   atomic.Bool // the store is ready for use
}

// assemble puts together what decides and what talks to people.
func (s *server) assemble() {
	s.registry = newRegistry()
	metrics := hub.NewMetrics(prometheus.WrapRegistererWithPrefix("lectern_", s.registry))
	metrics.Pool(s.rooms.InUse)
	var shared carrier = &store.Local{}
	var redisUp func() bool
	if s.redis != nil {
		shared, redisUp = s.redis, s.redis.Up
		metrics.Redis(redisUp)
	}
	s.registrar = &room.Registrar{
		Store: s.rooms, Queue: shared, Locker: shared, Bus: shared,
		Metrics: metrics.Registrar(), Log: s.log, RoomsPerInstructor: s.roomsPerInstructor,
		// Of each start its own: an instance that comes back under its name is
		// not the one whose sessions ended with it.
		Instance: s.instance + "." + room.InstanceID(strings.ToLower(room.NewToken())),
	}
	s.people = hub.New(hub.Config{
		Registrar: s.registrar, Archive: s.rooms, Keys: s.keys, Allow: s.allow, Proxies: s.proxies, Guests: s.guests,
		Limits: hub.Limits{
			SocketsPerPerson: s.socketsPerPerson, SocketsPerAddress: s.socketsPerAddress, AcceptRate: s.acceptRate,
			Guesses: hub.Guesses{Person: s.codeGuesses[0], Address: s.codeGuesses[1]},
		},
		Metrics: metrics, Log: s.log, Version: version(), PublicURL: s.publicURL,
		Started: s.started.Load, RedisUp: redisUp,
	})
	s.registrar.Listener = s.people
}

// listen opens the listeners and says where they are.
func (s *server) listen() error {
	pages, err := web.Handler(web.Config{PublicURL: s.publicURL, Guests: s.guests})
	if err != nil {
		return fmt.Errorf("prepare the pages: %w", err)
	}
	api := s.people.Handler()
	if s.public, err = listen(s.config.listen, publicRoutes(api, s.people.Guard(pages)), s.log); err != nil {
		return fmt.Errorf("LECTERN_LISTEN: %w", err)
	}
	s.public.server.WriteTimeout = answerTakesAtMost
	var opsAddress string
	if s.opsListen != "" {
		if s.ops, err = listen(s.opsListen, opsRoutes(api, s.registry), s.log); err != nil {
			s.hangUp()
			return fmt.Errorf("LECTERN_OPS_LISTEN: %w", err)
		}
		opsAddress = s.ops.address
	}
	if s.anyPort() && !s.log.Enabled(context.Background(), slog.LevelInfo) {
		fmt.Fprintln(s.stdout, "Listening: ", s.public.address, opsAddress) // nobody could know the ports
	}
	s.log.Info("listening", "address", s.public.address, "ops", opsAddress, "instance", s.instance, "version", version())
	return nil
}

// hangUp frees the addresses.
func (s *server) hangUp() {
	s.public.listener.Close()
	if s.ops != nil {
		s.ops.listener.Close()
	}
}

// warn says what works otherwise than a newcomer would expect.
func (s *server) warn(set *settings) {
	switch {
	case s.embedded():
		if !s.onLoopback() && set.Hosts == "" {
			s.log.Warn("others reach this machine but are refused: set LECTERN_HOSTS and LECTERN_ORIGINS to the names by which they call it")
		}
	case set.Hosts == "" || set.Origins == "":
		s.log.Warn("browsers are refused: set LECTERN_HOSTS and LECTERN_ORIGINS to the names by which they call this server")
	}
	if !s.embedded() && s.redis == nil {
		s.log.Info("this instance works alone, since LECTERN_REDIS_URL is not set: others on the same Postgres are right, but slower, and seats go in order of arrival at each of them")
	}
}

// run runs the parts until ctx is done or one of them fails. Then they end in
// this order: the sockets, the HTTP answers on their way, and what both rely
// on.
func (s *server) run(ctx context.Context) error {
	answering, stopAnswering := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAnswering()
	deciding, stopDeciding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDeciding()
	ending := min(answersEndWithin, s.drain/10)
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		defer stopAnswering()
		if err := s.start(ctx); err != nil {
			return err
		}
		parts.Go(func() error { return s.registrar.Run(deciding) })
		return s.people.Run(ctx, s.drain)
	})
	parts.Go(func() error {
		defer stopDeciding()
		return s.public.serve(answering, ending)
	})
	if s.ops != nil {
		parts.Go(func() error { return s.ops.serve(deciding, ending) })
	}
	if s.redis != nil {
		parts.Go(func() error { return s.redis.Run(deciding) })
	}
	parts.Go(func() error {
		giveBackMemory(ctx)
		return nil
	})
	if s.retention > 0 {
		parts.Go(func() error {
			s.forget(ctx)
			return nil
		})
	}
	if s.jwks != "" {
		parts.Go(func() error {
			refreshJWKS(ctx, s.keys, s.jwks, s.log)
			return nil
		})
	}
	return parts.Wait()
}

// greet prints what a person needs who has just started an instance on their
// own machine. Elsewhere nobody is given an instructor's passport.
func (s *server) greet() error {
	if !s.embedded() || !s.onLoopback() {
		return nil
	}
	token, err := s.keys.Seal(room.Passport{
		Caller:    room.Caller{User: "instructor", Name: "Instructor", Role: room.Instructor},
		ExpiresAt: time.Now().Add(firstPassport),
	}, false)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "Lectern:    %[1]s\nInstructor: %[1]s/#passport=%[2]s\nData:       %[3]s\n", cmp.Or(s.publicURL, s.public.address), token, s.data)
	return err
}

// onLoopback tells whether only this machine reaches the server.
func (s *server) onLoopback() bool {
	at, ok := s.public.listener.Addr().(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}
