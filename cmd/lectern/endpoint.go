package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
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
	// answersEndWithin is what is left to the HTTP answers on their way, at
	// most, once the sockets have gone.
	answersEndWithin = time.Second
)

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "lectern_build_info", Help: "1, of this version.", ConstLabels: prometheus.Labels{"version": version()},
	})
	build.Set(1)
	registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// publicRoutes is no http.ServeMux, which would redirect paths to how it
// writes them before anyone has looked at the host.
func publicRoutes(api, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/v1", strings.HasPrefix(path, "/v1/"), path == "/openapi.json", path == "/healthz", path == "/readyz":
			api.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	})
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
	// The hub pings; the kernel need not be told to, with four calls a socket.
	listener, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp", address)
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

// serve answers until ctx is done and the answers on their way are through, or
// so much time is over.
func (e *endpoint) serve(ctx context.Context, most time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- e.server.Serve(e.listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", e.address, err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	defer cancel()
	err := e.server.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		err = e.server.Close()
	}
	<-ended
	return err
}
