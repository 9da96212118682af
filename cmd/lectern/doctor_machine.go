package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/lectern-room/lectern/store"
)

const (
	// offLittle is more than a network that is asked for the time is ever off,
	// offMuch a third of what a passport's issuer may be ahead.
	offLittle = time.Second
	offMuch   = 10 * time.Second
)

// lookAtAhead compares this machine's clock with the database's, which is that
// of the rooms.
func lookAtAhead(c *chart, s store.PostgresState) {
	const how = "Run chrony or systemd-timesyncd on both machines"
	about := fmt.Sprintf("the database's clock is %+d ms from this machine's, give or take %d ms", s.Ahead.Milliseconds(), s.RoundTrip.Milliseconds()/2+1)
	off := s.Ahead.Abs() - s.RoundTrip
	switch {
	case off > offMuch:
		c.mend(how, "%s: passports run out at the wrong time", about)
	case off > offLittle:
		c.note(how, "%s: rooms go by the first, passports by the second", about)
	default:
		c.ok("%s", about)
	}
}

// lookAtClock asks the kernel whether anybody sets its clock.
func (d *doctor) lookAtClock(_ context.Context, c *chart) {
	switch synced, err := clockSynced(); {
	case errors.Is(err, errors.ErrUnsupported):
	case err != nil:
		c.note("Run chrony or systemd-timesyncd", "whether the clock is right cannot be told: %v", err)
	case !synced:
		c.note("Run chrony or systemd-timesyncd, unless the machine below this one sets it", "the kernel knows of nobody who keeps this machine's clock right")
	default:
		c.ok("the kernel says that it is kept right")
	}
}

// filesBeside are the files that an instance has open beside its sockets: the
// store's, Redis's, listeners, probes.
const filesBeside = 200

// lookAtFiles compares the limit on open files with the sockets wanted.
func (d *doctor) lookAtFiles(_ context.Context, c *chart) {
	most, err := mostFiles()
	if err != nil {
		c.note("See that it is above the number of sockets: ulimit -Hn", "%v", err)
		return
	}
	need := d.sockets + filesBeside
	if most < need {
		c.mend(fmt.Sprintf("Set LimitNOFILE=%[1]d in its unit, `ulimit -n %[1]d`, or --ulimit nofile=%[1]d of a container", roundUp(need)),
			"a process may have %d open files; %d sockets take %d", most, d.sockets, need)
		return
	}
	c.ok("a process may have %d open files; %d sockets take %d", most, d.sockets, need)
}

// roundUp makes a limit of a need.
func roundUp(n int) int { return 1 << int(math.Ceil(math.Log2(float64(n)))) }

// shortQueue is a queue of connections that are not taken yet which a bell
// fills within a tenth of a second.
const shortQueue = 1024

// lookAtNetwork looks at what the kernel allows, where it can be read.
func (d *doctor) lookAtNetwork(_ context.Context, c *chart) {
	if queue, ok := readNumber("/proc/sys/net/core/somaxconn"); ok {
		if queue < shortQueue {
			c.note("sysctl -w net.core.somaxconn=4096", "net.core.somaxconn = %d: when a crowd comes at once, the rest try again after a second", queue)
		} else {
			c.ok("net.core.somaxconn = %d", queue)
		}
	}
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		var from, to int
		if _, err := fmt.Sscan(string(text), &from, &to); err == nil && to-from < d.sockets {
			c.note("sysctl -w net.ipv4.ip_local_port_range='1024 65535', or give the proxy several addresses",
				"%d ports for connections that go out: a proxy on this machine brings no more sockets than that to one address", to-from+1)
		}
	}
	if most, ok := readNumber("/proc/sys/net/netfilter/nf_conntrack_max"); ok && most < uint64(2*d.sockets) {
		c.note(fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", roundUp(4*d.sockets)),
			"nf_conntrack_max = %d: the kernel drops connections beyond that, and %d sockets through a proxy take %d", most, d.sockets, 2*d.sockets)
	}
}

// readNumber reads a file of one number, as the kernel has them. Where there is
// none, or it says max, nothing can be said.
func readNumber(file string) (uint64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

const (
	// socketTakes is what a joined socket takes in a rush; see "What it costs".
	socketTakes = 16 << 10
	// programTakes is what an instance takes without any.
	programTakes = 64 << 20
)

// lookAtMemory compares what there is with what the sockets take.
func (d *doctor) lookAtMemory(_ context.Context, c *chart) {
	need := programTakes + uint64(d.sockets)*socketTakes
	what, most := "this machine has", uint64(math.MaxUint64)
	if available, ok := availableMemory(); ok {
		most = available
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if limit, ok := readNumber(file); ok && limit < most {
			what, most = "this container may use", limit
		}
	}
	if limit := debug.SetMemoryLimit(-1); uint64(limit) < most {
		what, most = "GOMEMLIMIT allows", uint64(limit)
	}
	switch {
	case most == math.MaxUint64 || most == math.MaxInt64:
	case most < need:
		c.note("Give it more, or have more instances", "%s %s; %d sockets take some %s", what, size(most), d.sockets, size(need))
	default:
		c.ok("%s %s; %d sockets take some %s", what, size(most), d.sockets, size(need))
	}
}

// availableMemory reads /proc/meminfo, as proc(5) describes it.
func availableMemory() (uint64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	_, rest, found := strings.Cut(string(text), "\nMemAvailable:")
	var kib uint64
	_, err = fmt.Sscan(rest, &kib)
	return kib << 10, found && err == nil
}

// inContainer tells whether Docker, or what does as it does, runs this.
func inContainer() bool {
	for _, file := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}
