package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	// probeEvery is how soon the balancer knows of an instance that comes, or
	// that is about to go. One that is gone is noticed by the next connection.
	probeEvery = 200 * time.Millisecond
	// probeTakesAtMost is a little more than an instance may take to look at
	// its store.
	probeTakesAtMost = 1500 * time.Millisecond
	// startWithin is how long the cluster may take to be ready.
	startWithin = time.Minute
)

// A balancer gives each request, and each socket, to the next instance that
// is ready. It keeps nobody at one instance.
type balancer struct {
	instances []*instance
	turn      atomic.Uint64
}

// serve answers until ctx is done. Sockets end with their instances.
func (b *balancer) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: b.proxy(), ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("balance: %w", err)
}

// proxy passes requests on under the name by which the balancer was called,
// each over a connection of its own.
func (b *balancer) proxy() http.Handler {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: b.dial, DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: r.In.Host})
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		},
	}
}

// dial connects to the next instance that is ready, whatever the address.
func (b *balancer) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	for range b.instances {
		i := b.instances[b.turn.Add(1)%uint64(len(b.instances))]
		if !i.ready.Load() {
			continue
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, i.public)
		if err == nil {
			return conn, nil
		}
		i.ready.Store(false)
	}
	return nil, errors.New("no instance is ready")
}

// watch probes the instance until ctx is done.
func (i *instance) watch(ctx context.Context) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		i.ready.Store(i.probe(ctx))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (i *instance) probe(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTakesAtMost)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.address()+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// await returns nil when all instances are ready, or ctx is done.
func (b *balancer) await(ctx context.Context) error {
	late := time.After(startWithin)
	look := time.NewTicker(probeEvery)
	defer look.Stop()
	for {
		waiting := ""
		for _, i := range b.instances {
			if !i.ready.Load() {
				waiting = i.name
			}
		}
		if waiting == "" {
			return nil
		}
		select {
		case <-look.C:
		case <-late:
			return fmt.Errorf("instance %s is not ready after %v", waiting, startWithin)
		case <-ctx.Done():
			return nil
		}
	}
}
