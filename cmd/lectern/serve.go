package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/lectern-room/lectern/hub"
	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/store"
	"github.com/lectern-room/lectern/web"
)

const (
	// headerTakesAtMost and idleAtMost keep connections that say nothing
	// from piling up; balancers keep theirs for a minute.
	headerTakesAtMost = 5 * time.Second
	idleAtMost        = 2 * time.Minute
	// answerTakesAtMost is a long export over a bad network. Sockets are not
	// bound by it.
	answerTakesAtMost = time.Minute
	// maxHeader has room for two passports and a browser's own headers.
	maxHeader = 16 << 10
	// answersEndWithin is what is left to the HTTP answers on their way, once
	// the sockets have gone.
	answersEndWithin = time.Second
	// firstPassport is how long the printed link is good for: a day's work.
	firstPassport = 12 * time.Hour
)

type serveCommand struct{}

// Run runs an instance until ctx is done and everyone has been sent away.
func (serveCommand) Run(ctx context.Context, p *program) (err error) {
	c, err := p.settings.check(p.environ)
	if err != nil {
		return err
	}
	s := &server{config: c, log: newLogger(p.stderr, c)}
	p.environ.warnUnknown(s.log)
	if s.keys, err = openKeys(ctx, c); err != nil {
		return err
	}

	rooms, err := store.OpenSQLite(ctx, c.data, s.log)
	if err != nil {
		return fmt.Errorf("LECTERN_DATA: %w", err)
	}
	defer closing(rooms, &err)
	if err := rooms.Migrate(ctx); err != nil {
		return err
	}
	s.assemble(rooms)

	pages, err := web.Handler(web.Config{PublicURL: c.publicURL, Guests: c.guests})
	if err != nil {
		return fmt.Errorf("prepare the pages: %w", err)
	}
	api := s.people.Handler()
	if s.public, err = listen(c.listen, publicRoutes(api, s.people.Guard(pages)), s.log); err != nil {
		return fmt.Errorf("LECTERN_LISTEN: %w", err)
	}
	defer s.public.listener.Close()
	s.public.server.WriteTimeout = answerTakesAtMost
	var opsAddress string
	if c.opsListen != "" {
		if s.ops, err = listen(c.opsListen, opsRoutes(api, s.registry), s.log); err != nil {
			return fmt.Errorf("LECTERN_OPS_LISTEN: %w", err)
		}
		defer s.ops.listener.Close()
		opsAddress = s.ops.address
	}
	s.log.Info("listening", "address", s.public.address, "ops", opsAddress, "instance", c.instance, "version", version())
	if err := s.greet(p.stdout); err != nil {
		return err
	}
	if !s.onLoopback() && p.settings.Hosts == "" {
		s.log.Warn("others reach this machine but are refused: set LECTERN_HOSTS and LECTERN_ORIGINS to the names by which they call it")
	}
	if err := s.registrar.Recover(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return s.run(ctx)
}

// A server is the parts of a running instance.
type server struct {
	*config
	log       *slog.Logger
	keys      *room.Keyring
	registry  *prometheus.Registry
	registrar *room.Registrar
	people    *hub.Hub
	public    *endpoint
	ops       *endpoint // nil: not wanted
}

// assemble puts together what decides and what talks to people.
func (s *server) assemble(rooms *store.SQLite) {
	s.registry = newRegistry()
	metrics := hub.NewMetrics(prometheus.WrapRegistererWithPrefix("lectern_", s.registry))
	local := &store.Local{}
	s.registrar = &room.Registrar{
		Store: rooms, Queue: local, Locker: local, Bus: local,
		Metrics: metrics.Registrar(), Log: s.log, RoomsPerInstructor: s.roomsPerInstructor,
		// Of each start its own: an instance that comes back under its name is
		// not the one whose sessions ended with it.
		Instance: s.instance + "." + room.InstanceID(strings.ToLower(room.NewToken())),
	}
	s.people = hub.New(hub.Config{
		Registrar: s.registrar, Archive: rooms, Keys: s.keys, Allow: s.allow, Proxies: s.proxies, Guests: s.guests,
		Limits: hub.Limits{
			SocketsPerPerson: s.socketsPerPerson, SocketsPerAddress: s.socketsPerAddress,
			Guesses: hub.Guesses{Person: s.codeGuesses[0], Address: s.codeGuesses[1]},
		},
		Metrics: metrics, Log: s.log, Version: version(), PublicURL: s.publicURL,
	})
	s.registrar.Listener = s.people
}

// run runs the parts until ctx is done or one of them fails. Then they end in
// this order: the sockets, the HTTP answers on their way, and what both rely
// on.
func (s *server) run(ctx context.Context) error {
	answering, stopAnswering := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAnswering()
	deciding, stopDeciding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDeciding()
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		defer stopAnswering()
		return s.people.Run(ctx, s.drain)
	})
	parts.Go(func() error {
		defer stopDeciding()
		return s.public.serve(answering)
	})
	parts.Go(func() error { return s.registrar.Run(deciding) })
	if s.ops != nil {
		parts.Go(func() error { return s.ops.serve(deciding) })
	}
	if s.jwks != "" {
		parts.Go(func() error {
			refreshJWKS(ctx, s.keys, s.jwks, s.log)
			return nil
		})
	}
	return parts.Wait()
}

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "lectern_build_info", Help: "1, of this version.", ConstLabels: prometheus.Labels{"version": version()},
	})
	build.Set(1)
	registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

func publicRoutes(api, pages http.Handler) http.Handler {
	routes := http.NewServeMux()
	for _, path := range []string{"/v1/", "/openapi.json", "/healthz", "/readyz"} {
		routes.Handle(path, api)
	}
	routes.Handle("/", pages)
	return routes
}

func opsRoutes(api http.Handler, registry *prometheus.Registry) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("/healthz", api)
	routes.Handle("/readyz", api)
	routes.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	routes.HandleFunc("/debug/pprof/", pprof.Index)
	routes.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	routes.HandleFunc("/debug/pprof/profile", pprof.Profile)
	routes.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	routes.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return routes
}

// An endpoint is one listener and what answers there.
type endpoint struct {
	server   *http.Server
	listener net.Listener
	address  string // as a URL
}

// listen opens an endpoint.
func listen(address string, routes http.Handler, log *slog.Logger) (*endpoint, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return &endpoint{
		server: &http.Server{
			Handler: routes, ReadHeaderTimeout: headerTakesAtMost, IdleTimeout: idleAtMost, MaxHeaderBytes: maxHeader,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // clients' faults, in the main
		},
		listener: listener,
		address:  "http://" + listener.Addr().String(),
	}, nil
}

// serve answers until ctx is done and the answers on their way are through.
func (e *endpoint) serve(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- e.server.Serve(e.listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", e.address, err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), answersEndWithin)
	defer cancel()
	err := e.server.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		err = e.server.Close()
	}
	<-ended
	return err
}

// greet prints what a person needs who has just started an instance on their
// own machine. Elsewhere nobody is given an instructor's passport.
func (s *server) greet(w io.Writer) error {
	if !s.onLoopback() {
		return nil
	}
	token, err := s.keys.Seal(room.Passport{
		Caller:    room.Caller{User: "instructor", Name: "Instructor", Role: room.Instructor},
		ExpiresAt: time.Now().Add(firstPassport),
	}, false)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "Lectern:    %[1]s\nInstructor: %[1]s/#passport=%[2]s\nData:       %[3]s\n", s.public.address, token, s.data)
	return err
}

// onLoopback tells whether only this machine reaches the server.
func (s *server) onLoopback() bool {
	at, ok := s.public.listener.Addr().(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}
