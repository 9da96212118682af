package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"time"
)

// A report is what came of a load. What does not apply is null or left out.
type report struct {
	Scenario string         `json:"scenario"`
	Settings map[string]int `json:"settings"`

	Seconds float64        `json:"seconds"` // from the first dial to the last answer
	Seated  int            `json:"seated"`
	Refused map[string]int `json:"refused"` // by the refusal's code
	Errors  map[string]int `json:"errors"`  // answers that never came, by why
	PerSec  float64        `json:"joins_per_second"`
	Joined  latency        `json:"dial_to_joined_ms"`
	Shown   latency        `json:"joined_to_seen_ms"`
	Server  *serverCost    `json:"server"` // null: its metrics are not known
	Client  clientCost     `json:"client"`
	Broken  []string       `json:"broken"` // the invariants that did not hold
	Warning string         `json:"warning,omitempty"`
}

// A latency is how long something took, in milliseconds.
type latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// latencyOf sorts its argument.
func latencyOf(all []time.Duration) latency {
	if len(all) == 0 {
		return latency{}
	}
	slices.Sort(all)
	at := func(share float64) float64 {
		i := int(math.Ceil(share*float64(len(all)))) - 1
		return float64(all[max(0, i)].Microseconds()) / 1000
	}
	return latency{at(.5), at(.9), at(.99), at(1)}
}

// A serverCost is what the load cost the server.
type serverCost struct {
	CPUSeconds      float64 `json:"cpu_seconds"`
	CPUPerJoinUs    float64 `json:"cpu_per_join_us"`
	MemoryPerSocket float64 `json:"memory_per_socket_bytes"` // growth of its resident memory
}

// costOf returns what a server used between two readings for joins and open
// sockets, nil if there are none.
func costOf(before, after *usage, joins, sockets int) *serverCost {
	if before == nil || after == nil {
		return nil
	}
	c := &serverCost{CPUSeconds: after.cpu - before.cpu}
	if joins > 0 {
		c.CPUPerJoinUs = c.CPUSeconds * 1e6 / float64(joins)
	}
	if sockets > 0 {
		c.MemoryPerSocket = (after.memory - before.memory) / float64(sockets)
	}
	return c
}

// A clientCost is what making the load cost this process.
type clientCost struct {
	CPUSeconds float64 `json:"cpu_seconds"`
	// Share is that part of what the processors of this machine can do.
	Share float64 `json:"cpu_share"`
}

// A stopwatch takes time and the processor's time of this process.
type stopwatch struct {
	began time.Time
	cpu   time.Duration
}

func startStopwatch() stopwatch { return stopwatch{time.Now(), ownCPU()} }

func (s stopwatch) client() clientCost {
	used := (ownCPU() - s.cpu).Seconds()
	return clientCost{used, used / time.Since(s.began).Seconds() / float64(runtime.NumCPU())}
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it knows no other error than a bad address
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const (
	// busyShare is the part of a machine's processors beyond which whoever
	// wants more waits in line for them.
	busyShare = 0.9
	// brokenShown is as much as a person reads.
	brokenShown = 10
)

// judgeClient says so where the client, not the server, was what was
// measured. Own: the server ran on this machine.
func (r *report) judgeClient(own bool) {
	all := r.Client.Share
	if own && r.Server != nil {
		all += r.Server.CPUSeconds / r.Seconds / float64(runtime.NumCPU())
	}
	switch {
	case r.Client.Share > busyShare:
		r.Warning = "the client was the bottleneck: it used all of this machine's processors"
	case all > busyShare && r.Server != nil && r.Client.CPUSeconds > r.Server.CPUSeconds:
		r.Warning = "the client was the bottleneck: it shared this machine with the server and used more of it"
	}
}

// write shows the report as a table, or as JSON for programs.
func (r *report) write(w io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(table, name+"\t"+format+"\n", args...) }
	row(r.Scenario, "%s", counts(r.Settings))
	row("seated", "%d", r.Seated)
	row("refused", "%s", counts(r.Refused))
	row("errors", "%s", counts(r.Errors))
	row("joins/s", "%.0f (%.2f s)", r.PerSec, r.Seconds)
	row("dial → joined, ms", "%s", r.Joined)
	row("joined → seen, ms", "%s", r.Shown)
	if s := r.Server; s != nil {
		row("server CPU", "%.0f µs a join (%.2f s)", s.CPUPerJoinUs, s.CPUSeconds)
		row("server memory", "%.1f KiB a socket", s.MemoryPerSocket/1024)
	}
	row("client CPU", "%.0f %% of this machine (%.2f s)", 100*r.Client.Share, r.Client.CPUSeconds)
	if err := table.Flush(); err != nil {
		return err
	}
	for i, line := range r.Broken {
		if i == brokenShown {
			fmt.Fprintf(w, "and %d more\n", len(r.Broken)-i)
			break
		}
		fmt.Fprintln(w, "BROKEN:", line)
	}
	if r.Warning != "" {
		fmt.Fprintln(w, r.Warning)
	}
	return nil
}

func (l latency) String() string {
	return fmt.Sprintf("p50 %.1f  p90 %.1f  p99 %.1f  max %.1f", l.P50, l.P90, l.P99, l.Max)
}

func counts(of map[string]int) (text string) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		text += fmt.Sprintf("%d %s  ", of[name], name)
	}
	if text == "" {
		return "0"
	}
	return text
}

// A progress shows on a terminal how far a load is, and nothing elsewhere.
type progress struct {
	done atomic.Int64
	stop func()
}

// showProgress shows until stop is called.
func showProgress(w io.Writer, what string, total int) *progress {
	p := &progress{stop: func() {}}
	if !isTerminal(w) {
		return p
	}
	stopped, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(w, "\r%d of %d %s", p.done.Load(), total, what)
			case <-stopped:
				fmt.Fprint(w, "\r\033[K")
				return
			}
		}
	}()
	p.stop = func() {
		close(stopped)
		<-gone
	}
	return p
}
