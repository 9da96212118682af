// Command prove runs the proofs of what Lectern promises, one after the other,
// and writes a report of what was tried, how often, and what was seen.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(1)
	}
}

type commandLine struct {
	For    time.Duration `default:"90m" help:"Time for all proofs together: what the short ones leave of it is shared by those that have a long form."`
	Report string        `default:".cache/proof.md" help:"Where the report goes, beside standard output."`
	Fuzz   time.Duration `help:"Do nothing but fuzz, each target for so long, and write no report."`
}

// errFailed says that something does not hold, of which more was said already.
var errFailed = errors.New("not everything holds")

// run proves everything, in the folder of the module.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var line commandLine
	parser, err := kong.New(&line, kong.Name("prove"), kong.Writers(stdout, stderr))
	if err != nil {
		return err
	}
	if _, err := parser.Parse(args); err != nil {
		return err
	}
	told := newProgress(stderr)
	if line.Fuzz > 0 {
		return fuzzAll(ctx, line.Fuzz, stdout, told)
	}
	r := newReport(ctx)
	r.results = proveAll(ctx, proofs(), time.Now().Add(line.For), told)
	r.took = time.Since(r.date)
	text := r.markdown()
	if err := os.MkdirAll(filepath.Dir(line.Report), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(line.Report, []byte(text), 0o644); err != nil {
		return err
	}
	if _, err := io.WriteString(stdout, text); err != nil {
		return err
	}
	if len(r.failed()) > 0 {
		return errFailed
	}
	return nil
}

// fuzzAll plays the targets of all proofs for the given time each.
func fuzzAll(ctx context.Context, share time.Duration, stdout io.Writer, told *progress) (err error) {
	for _, p := range proofs() {
		for _, t := range p.tests {
			if !t.fuzzes() || ctx.Err() != nil {
				continue
			}
			done := told.begin(t.names[0])
			o := t.try(ctx, share)
			done(o.word())
			for _, said := range o.proved {
				fmt.Fprintf(stdout, "%s: %s\n", said.test, said.text)
			}
			if len(o.faults) > 0 {
				fmt.Fprint(stdout, o.failure())
				err = errFailed
			}
		}
	}
	return err
}
