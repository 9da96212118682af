package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is what came of a load. What does not apply is null or left out.
type report struct {
	Scenario string         `json:"scenario"`
	Settings map[string]any `json:"settings"`
	Version  string         `json:"version"`

	Seconds    float64            `json:"seconds"` // of the measured part
	Seated     int                `json:"seated"`
	Refused    map[string]int     `json:"refused"` // by the refusal's code
	Errors     map[string]int     `json:"errors"`  // answers that never came, by why
	AskedAgain int                `json:"asked_again"`
	JoinsPerS  float64            `json:"joins_per_second"`
	Times      map[string]latency `json:"times_ms"`
	Sockets    int                `json:"sockets"` // at the end
	Heard      map[string]int64   `json:"messages_heard"`
	Offline    *int               `json:"shown_offline,omitempty"`     // times that someone was
	Deliveries int64              `json:"deliveries"`                  // of what everyone was told
	PerRead    float64            `json:"messages_per_read,omitempty"` // that the load made
	In         float64            `json:"bytes_to_a_socket"`
	Out        float64            `json:"bytes_from_a_socket"`
	Server     *serverCost        `json:"server"` // null: it is not known
	Client     clientCost         `json:"client"`
	Bare       bare               `json:"bare"`
	Broken     []string           `json:"broken"` // the invariants that did not hold
	Warning    string             `json:"warning,omitempty"`
}

func newReport(p plan) *report {
	return &report{
		Scenario: p.scenario, Settings: p.settings, Version: version(), Refused: map[string]int{}, Errors: map[string]int{},
		Times: map[string]latency{}, Heard: map[string]int64{}, Broken: []string{},
	}
}

func (r *report) breaks(format string, args ...any) {
	r.Broken = append(r.Broken, fmt.Sprintf(format, args...))
}

// time notes how long something took, if it happened.
func (r *report) time(what string, all []time.Duration) {
	if len(all) > 0 {
		r.Times[what] = latencyOf(all)
	}
}

// The times that loads take.
const (
	dialToJoined  = "dial_to_joined"
	askedToJoined = "asked_to_joined"
	joinedToSeen  = "joined_to_seen"           // by the room's instructor
	seenElsewhere = "joined_to_seen_elsewhere" // with the instructor on another instance
	askedToHeard  = "asked_to_heard"           // of a change, by each who is told
	gap           = "gap"                      // without a place, from the socket's end or the moment to go
	toldToGo      = "told_to_go_after"         // by an instance that leaves
	stopToExit    = "sigterm_to_exit"
)

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

func (l latency) String() string {
	return fmt.Sprintf("p50 %.2f  p90 %.2f  p99 %.2f  max %.2f", l.P50, l.P90, l.P99, l.Max)
}

// A serverCost is what the load cost the servers together.
type serverCost struct {
	CPUSeconds       float64 `json:"cpu_seconds"`
	CPUPerJoinUs     float64 `json:"cpu_per_join_us,omitempty"`
	CPUPerDeliveryUs float64 `json:"cpu_per_delivery_us,omitempty"`
	CPUPerChangeUs   float64 `json:"cpu_per_change_us,omitempty"`       // nobody being told; not in that of a delivery
	MemoryPerSocket  float64 `json:"memory_per_socket_bytes,omitempty"` // growth of what is resident
	StackPerSocket   float64 `json:"stack_per_socket_bytes,omitempty"`
	HeapPerSocket    float64 `json:"heap_per_socket_bytes,omitempty"`
}

// cost fills in what the servers used between two readings, for joins if that
// is what it was for.
func (r *report) cost(before, after *usage, joins int) {
	if before == nil || after == nil {
		return
	}
	r.Server = &serverCost{CPUSeconds: after.cpu - before.cpu}
	if joins > 0 {
		r.Server.CPUPerJoinUs = r.Server.CPUSeconds * 1e6 / float64(joins)
	}
}

// A clientCost is what making the load cost this process.
type clientCost struct {
	CPUSeconds    float64 `json:"cpu_seconds"`
	Share         float64 `json:"cpu_share"` // of what this machine's processors can do
	Busy          float64 `json:"busy"`      // part of the time in which it did not wait for sockets
	Reads         int64   `json:"reads"`
	CPUPerJoinUs  float64 `json:"cpu_per_join_us,omitempty"`
	CPUPerHeardUs float64 `json:"cpu_per_message_us,omitempty"`
}

const (
	// busyShare is the part of its time beyond which whoever wants more from a
	// processor waits in line for it.
	busyShare = 0.9
	// brokenShown is as much as a person reads.
	brokenShown = 10
)

// judgeClient says so where the client, not the servers, was what was
// measured. Own: the servers ran on this machine, pinned: each on a processor
// of its own.
func (r *report) judgeClient(pinned, own bool) {
	all := r.Client.Share
	if own && r.Server != nil {
		all += r.Server.CPUSeconds / r.Seconds / float64(runtime.NumCPU())
	}
	switch {
	case r.Client.Busy > busyShare:
		r.Warning = fmt.Sprintf("the client was the bottleneck: it was busy %.0f %% of the time", 100*r.Client.Busy)
	case !pinned && all > busyShare && r.Server != nil && r.Client.CPUSeconds > r.Server.CPUSeconds:
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
	r.rows(func(name, format string, args ...any) { fmt.Fprintf(table, name+"\t"+format+"\n", args...) })
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

func (r *report) rows(row func(name, format string, args ...any)) {
	row(r.Scenario, "%s", counts(r.Settings))
	row("seated", "%d", r.Seated)
	row("refused", "%s", counts(r.Refused))
	row("errors", "%s", counts(r.Errors))
	if r.AskedAgain > 0 {
		row("asked again", "%d", r.AskedAgain)
	}
	if r.JoinsPerS > 0 {
		row("joins/s", "%.0f", r.JoinsPerS)
	}
	row("measured", "%.2f s", r.Seconds)
	for _, what := range slices.Sorted(maps.Keys(r.Times)) {
		beside := ""
		if what != gap && what != toldToGo && what != stopToExit { // that is what people make of it
			beside = r.Bare.beside(r.Times[what])
		}
		row(strings.NewReplacer("_to_", " → ", "_", " ").Replace(what)+", ms", "%s%s", r.Times[what], beside)
	}
	if r.Offline != nil {
		row("shown offline", "%d", *r.Offline)
	}
	row("messages heard", "%s", counts(r.Heard))
	row("bytes a socket", "%.0f to it, %.0f from it", r.In, r.Out)
	if r.Deliveries > 0 {
		row("deliveries", "%d", r.Deliveries)
	}
	if r.PerRead > 0 {
		row("  a read", "%.1f", r.PerRead)
	}
	if r.Server != nil {
		r.Server.rows(row, &r.Bare)
	}
	r.Client.rows(row)
	if r.Bare != (bare{}) {
		row("bare", "%s", &r.Bare)
	}
}

func (s *serverCost) rows(row func(name, format string, args ...any), b *bare) {
	row("server CPU", "%.3f s", s.CPUSeconds)
	if s.CPUPerJoinUs > 0 {
		row("  a join", "%.1f µs", s.CPUPerJoinUs)
	}
	if s.CPUPerDeliveryUs > 0 {
		beside := ""
		if b.LoopbackUs > 0 {
			beside = fmt.Sprintf(" (%.2f × a bare write)", s.CPUPerDeliveryUs/b.LoopbackUs)
		}
		row("  a delivery", "%.2f µs%s", s.CPUPerDeliveryUs, beside)
	}
	if s.CPUPerChangeUs > 0 {
		row("  a change itself", "%.0f µs, which deliveries are not charged", s.CPUPerChangeUs)
	}
	if s.MemoryPerSocket > 0 {
		row("server memory", "%.1f KiB a socket", s.MemoryPerSocket/1024)
	}
	if s.StackPerSocket > 0 {
		row("  of it", "%.1f KiB stacks, %.1f KiB heap", s.StackPerSocket/1024, s.HeapPerSocket/1024)
	}
}

func (c *clientCost) rows(row func(name, format string, args ...any)) {
	row("client CPU", "%.3f s, %.0f %% of this machine, busy %.0f %% of the time", c.CPUSeconds, 100*c.Share, 100*c.Busy)
	if c.CPUPerJoinUs > 0 {
		row("  a join", "%.1f µs", c.CPUPerJoinUs)
	}
	if c.CPUPerHeardUs > 0 {
		row("  a message", "%.2f µs", c.CPUPerHeardUs)
	}
}

// A unit is one of the bare times.
type unit struct {
	name, plural string
	ms           float64
}

func (b *bare) units() []unit {
	all := []unit{
		{"durable write", "durable writes", b.DurableWriteMs}, {"commit", "commits", b.CommitMs},
		{"Redis round trip", "Redis round trips", b.RedisTripMs},
	}
	return slices.DeleteFunc(all, func(u unit) bool { return u.ms == 0 })
}

// beside sets a time against the bare ones of the same run.
func (b *bare) beside(l latency) (text string) {
	for _, u := range b.units() {
		text += fmt.Sprintf("  = %.1f %s", l.P50/u.ms, u.plural)
	}
	return text
}

func (b *bare) String() string {
	var all []string
	for _, u := range b.units() {
		all = append(all, fmt.Sprintf("%s %.3f ms", u.name, u.ms))
	}
	if b.LoopbackUs > 0 {
		all = append(all, fmt.Sprintf("write to one of %d sockets %.2f µs", b.LoopbackSockets, b.LoopbackUs))
	}
	return strings.Join(all, ", ")
}

// counts lists what there is of each.
func counts[N any](of map[string]N) (text string) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		text += fmt.Sprintf("%v %s  ", of[name], strings.ReplaceAll(name, "_", " "))
	}
	if text == "" {
		return "0"
	}
	return strings.TrimRight(text, " ")
}
