package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

const (
	// podPatience is terminationGracePeriodSeconds where nobody says otherwise.
	podPatience = 30 * time.Second
	// containerPatience is what `docker stop` gives.
	containerPatience = 10 * time.Second
)

// askTakesAtMost is how long whoever has an address may take to say who it is.
const askTakesAtMost = 3 * time.Second

// lookAtListeners tries to listen as serve would.
func (d *doctor) lookAtListeners(ctx context.Context, c *chart) {
	if !d.isWrong("listen") {
		defer d.lookAtAddress(ctx, c, "LECTERN_LISTEN", d.listen)()
	}
	switch {
	case d.isWrong("ops-listen"):
	case d.opsListen == "":
		c.note("Set LECTERN_OPS_LISTEN=127.0.0.1:8081, or an address on a network of your own", "LECTERN_OPS_LISTEN is empty: no metrics and no profiles; probes go to LECTERN_LISTEN")
	default:
		d.lookAtAddress(ctx, c, "LECTERN_OPS_LISTEN", d.opsListen)()
		d.lookAtOps(c)
	}
}

// lookAtAddress listens, and returns what gives the address free again.
func (d *doctor) lookAtAddress(ctx context.Context, c *chart, setting, address string) (free func()) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		c.ok("%s=%s is free", setting, address)
		return func() { listener.Close() }
	case errors.Is(err, syscall.EADDRINUSE):
		d.lookAtTaken(ctx, c, setting, address)
	case errors.Is(err, syscall.EACCES):
		c.mend("Take a port from 1024, or give the program the right: setcap cap_net_bind_service=+ep", "%s=%s is not for this user", setting, address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		c.mend("Name an address of this machine, or none, as in :8080, for all of them", "%s=%s is not an address of this machine", setting, address)
	default:
		c.mend("Accepted is host:port, where the host is this machine", "%s=%s: %v", setting, address, err)
	}
	return func() {}
}

// lookAtTaken asks whoever has an address whether it is a Lectern: a server
// may run while it is looked at.
func (d *doctor) lookAtTaken(ctx context.Context, c *chart, setting, address string) {
	runs := runningAt(ctx, address)
	switch {
	case runs == "":
		c.mend("Take another port, or stop whoever has it", "%s=%s is taken, and not by a Lectern that runs", setting, address)
	case runs != version():
		c.note("Start it anew, if this version is to take its place", "%s=%s: a Lectern of version %s runs there; this is %s", setting, address, runs, version())
	default:
		c.ok("%s=%s: a Lectern of this version runs there", setting, address)
	}
}

// runningAt returns the version of the Lectern at an address, "" if there is
// none.
func runningAt(ctx context.Context, address string) string {
	ctx, cancel := context.WithTimeout(ctx, askTakesAtMost)
	defer cancel()
	near, err := probed(address)
	if err != nil {
		return ""
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+near+"/healthz", nil)
	if err != nil {
		return ""
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	var said struct{ Status, Version string }
	if json.NewDecoder(http.MaxBytesReader(nil, answer.Body, 4<<10)).Decode(&said) != nil || said.Status != "live" {
		return ""
	}
	return said.Version
}

// lookAtOps looks at who may read metrics and profiles.
func (d *doctor) lookAtOps(c *chart) {
	host, _, _ := net.SplitHostPort(d.opsListen)
	at, err := netip.ParseAddr(host)
	const how = "Listen on 127.0.0.1 or on a network of your own, or close the port to all others"
	switch {
	case host == "" || err == nil && at.IsUnspecified():
		c.note(how, "LECTERN_OPS_LISTEN=%s: whoever reaches this port of this machine reads metrics and profiles", d.opsListen)
	case err == nil && at.IsGlobalUnicast() && !at.IsPrivate():
		c.mend(how, "LECTERN_OPS_LISTEN=%s: anyone on the internet reads metrics and profiles", d.opsListen)
	}
}

// isLoopback tells whether host[:port] is this machine alone's.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	at, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && at.IsLoopback()
}

func (d *doctor) lookAtProxies(_ context.Context, c *chart) {
	if d.isWrong("trusted-proxies") {
		return
	}
	const how = "Set LECTERN_TRUSTED_PROXIES to the networks of the proxies, such as 10.0.0.0/8"
	for _, network := range d.proxies {
		if network.Bits() == 0 {
			c.note(how, "LECTERN_TRUSTED_PROXIES has %s: whoever reaches LECTERN_LISTEN itself can pass for any address, and past every limit of an address", network)
			return
		}
	}
	switch {
	case len(d.proxies) > 0:
		c.ok("X-Forwarded-For and X-Forwarded-Proto are believed from %s", d.settings.TrustedProxies)
	case strings.HasPrefix(d.publicURL, "https:"):
		c.mend(how, "LECTERN_PUBLIC_URL is https, so that a proxy is in front, but LECTERN_TRUSTED_PROXIES is empty: all guests count as one address")
	case !isLoopback(d.listen):
		c.note("If a proxy is in front: s"+how[1:], "LECTERN_TRUSTED_PROXIES is empty: nobody's word is taken for who is behind them")
	default:
		c.ok("none, and none needed on loopback")
	}
}

// lookAtLeaving compares the time to leave with what those give who stop it.
func (d *doctor) lookAtLeaving(_ context.Context, c *chart) {
	if d.isWrong("drain") {
		return
	}
	switch takes := d.drain; {
	case d.inKubernetes() && takes >= podPatience:
		c.note("Set terminationGracePeriodSeconds to more than that; a preStop hook counts towards it", "after SIGTERM this takes up to %s; a pod has %s unless it says otherwise", takes, podPatience)
	case !d.inKubernetes() && inContainer() && takes >= containerPatience:
		c.note("Stop it with `docker stop --time`, or set stop_grace_period, to more than that", "after SIGTERM this takes up to %s; a container has %s unless someone says otherwise", takes, containerPatience)
	default:
		c.ok("after SIGTERM this takes up to %s: whoever stops it has to wait for longer (Kubernetes 30s, systemd 90s, Docker 10s unless told)", takes)
	}
}
