package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// An outcome is what came of running a test.
type outcome struct {
	test
	command  string // that runs it again
	took     time.Duration
	cutShort bool // there was less time than it takes to try as often as it should
	proved   []line
	faults   []string // why it proves nothing; none: it holds
	output   string   // where there are faults: of what failed
}

// A line is what a test says that it has proved.
type line struct{ test, text string }

func (o *outcome) word() string {
	if len(o.faults) > 0 {
		return "FAILED"
	}
	return "holds"
}

// proveFor is what roomtest.ProveFor reads.
const proveFor = "LECTERN_PROVE"

// arguments are those of `go`. It has no timeout: whoever waits can end it.
func (t *test) arguments(share time.Duration) []string {
	args := []string{"test", "-count", "1", "-timeout", "0"}
	if t.fuzzes() {
		// To make an input smaller is not worth a minute, which is the default.
		args = append(args, "-fuzz", t.pattern(), "-fuzztime", share.String(), "-fuzzminimizetime", "20x", "-run", "^$")
	} else {
		args = append(args, "-run", t.pattern())
	}
	return append(args, "./"+t.folder)
}

// try runs the test, which goes on for about its share if it is one that can.
func (t test) try(ctx context.Context, share time.Duration) outcome {
	began := time.Now()
	args := t.arguments(share.Round(time.Second))
	o := outcome{test: t, command: "go " + shell(args)}
	cmd := exec.CommandContext(ctx, "go", slices.Insert(args, 1, "-json")...)
	if !t.fuzzes() {
		given := proveFor + "=" + share.Round(time.Second).String()
		o.command = given + " " + o.command
		cmd.Env = append(os.Environ(), given)
	}
	// With `go` ends what it has started, which would go on for ever.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	heard := newHearing()
	o.judge(heard, heard.listen(cmd))
	o.took = time.Since(began)
	full := time.Duration(t.minutes) * time.Minute
	o.cutShort = share < full && o.took >= share
	return o
}

// shell writes arguments as a shell takes them.
func shell(args []string) string {
	quoted := slices.Clone(args)
	for i, a := range quoted {
		if strings.ContainsAny(a, "^$|()") {
			quoted[i] = "'" + a + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// A hearing is what `go test -json` said, by test; "" is the package.
type hearing struct {
	output               map[string]string
	ran, failed, skipped map[string]bool
}

func newHearing() *hearing {
	return &hearing{map[string]string{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

// listen runs the command to its end.
func (h *hearing) listen(cmd *exec.Cmd) error {
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	heard := h.read(out)
	io.Copy(io.Discard, out) // what cannot be read must not stop it from ending
	err = cmd.Wait()
	h.output[""] += complaints.String()
	return cmp.Or(err, heard)
}

func (h *hearing) read(out io.Reader) error {
	for in := json.NewDecoder(out); ; {
		var e struct{ Action, Test, Output string }
		if err := in.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("what `go test` says: %w", err)
		}
		root, _, _ := strings.Cut(e.Test, "/")
		switch e.Action {
		case "run":
			h.ran[root] = true
		case "output", "build-output":
			h.output[root] += e.Output
		case "fail":
			h.failed[root] = true
		case "skip":
			h.skipped[root] = true
		}
	}
}

var (
	provedLine = regexp.MustCompile(`(?m) proved: (.*)$`)
	fuzzLine   = regexp.MustCompile(`(?m)^fuzz: elapsed: (\S+), (?:execs: (\d+) .*total: (\d+)|gathering baseline coverage: (\d+)/)`)
)

// fuzzed says how much was tried, or how many of the known inputs there was
// only time for.
func fuzzed(elapsed, inputs, differing, known string) string {
	if inputs == "" {
		return fmt.Sprintf("only %s known inputs were tried again, in %s: 0 failed", known, elapsed)
	}
	return fmt.Sprintf("%s inputs in %s, of which %s differ in what they reach: 0 failed", inputs, elapsed, differing)
}

// judge says what was proved, or what is wrong.
func (o *outcome) judge(h *hearing, err error) {
	for _, name := range o.names {
		text := h.output[name]
		switch {
		case !h.ran[name]:
			o.faults = append(o.faults, name+" was not run")
		case h.skipped[name]:
			o.faults = append(o.faults, name+" was skipped")
		case h.failed[name] && !(o.fuzzes() && onlyLate(text)):
			o.faults = append(o.faults, name+" failed")
		default:
			o.say(name, text)
		}
		if len(o.faults) == 0 && h.failed[name] {
			err = nil // it was only late
		}
	}
	if err != nil && len(o.faults) == 0 {
		o.faults = append(o.faults, fmt.Sprintf("go test: %v", err))
	}
	if len(o.faults) == 0 {
		return
	}
	for _, name := range append(o.names, "") {
		if h.failed[name] || h.skipped[name] || name == "" {
			o.output += h.output[name]
		}
	}
}

// onlyLate tells whether a fuzz target failed for nothing but that its time
// was over, as happens up to Go 1.26: see golang/go#75804.
func onlyLate(text string) bool {
	return strings.Contains(text, "\n    context deadline exceeded\n") && !strings.Contains(text, "Failing input")
}

// say takes down what a test proved.
func (o *outcome) say(name, text string) {
	before := len(o.proved)
	if all := fuzzLine.FindAllStringSubmatch(text, -1); len(all) > 0 {
		last := all[len(all)-1]
		o.proved = append(o.proved, line{name, fuzzed(last[1], last[2], last[3], last[4])})
	}
	for _, found := range provedLine.FindAllStringSubmatch(text, -1) {
		o.proved = append(o.proved, line{name, found[1]})
	}
	if len(o.proved) == before {
		o.faults = append(o.faults, name+" does not say what it proved")
	}
}
