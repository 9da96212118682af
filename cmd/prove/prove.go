package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/term"
)

// A result is a proof, and what came of its tests.
type result struct {
	proof
	outcomes []outcome
}

// holds tells whether every test was run and saw what it should.
func (r *result) holds() bool {
	return len(r.outcomes) == len(r.tests) && !slices.ContainsFunc(r.outcomes, func(o outcome) bool { return len(o.faults) > 0 })
}

func (r *result) took() (sum time.Duration) {
	for _, o := range r.outcomes {
		sum += o.took
	}
	return sum
}

// A job is one test of a proof, to be run.
type job struct {
	test
	proof int
}

const (
	// leastShare is what a test gets that goes on for as long as it may, where
	// nothing is left for it.
	leastShare = 10 * time.Second
	// noShare tells the others that this is a proof, for which some try more
	// often and bounds are exact.
	noShare = time.Second
)

// proveAll runs the tests until ctx is done: first those that know how often
// they try. The time that is left then until end is shared by the others.
func proveAll(ctx context.Context, proofs []proof, end time.Time, told *progress) []result {
	results := make([]result, len(proofs))
	var jobs []job
	for i, p := range proofs {
		results[i].proof = p
		for _, t := range p.tests {
			jobs = append(jobs, job{t, i})
		}
	}
	slices.SortStableFunc(jobs, func(a, b job) int { return min(a.minutes, 1) - min(b.minutes, 1) })
	for i, j := range jobs {
		if ctx.Err() != nil {
			break
		}
		share := shareOf(jobs[i:], time.Until(end))
		what := fmt.Sprintf("%2d of %d  %s: %s", i+1, len(jobs), proofs[j.proof].title, j.names[0])
		if more := len(j.names) - 1; more > 0 {
			what += fmt.Sprintf(" and %d more", more)
		}
		if j.minutes > 0 {
			what += fmt.Sprintf(", for up to %v", share.Round(time.Second))
		}
		done := told.begin(what)
		o := j.try(ctx, share)
		done(o.word())
		r := &results[j.proof]
		r.outcomes = append(r.outcomes, o)
	}
	return results
}

// shareOf is how long the first of the jobs may go on, of what is left for all
// of them.
func shareOf(jobs []job, left time.Duration) time.Duration {
	minutes := 0
	for _, j := range jobs {
		minutes += j.minutes
	}
	if jobs[0].minutes == 0 {
		return noShare
	}
	return max(leastShare, left*time.Duration(jobs[0].minutes)/time.Duration(minutes))
}

// A progress tells whoever waits what is being done.
type progress struct {
	out  io.Writer
	live bool // out is a terminal, on which a line can be written again
}

func newProgress(out io.Writer) *progress {
	file, ok := out.(*os.File)
	return &progress{out, ok && term.IsTerminal(int(file.Fd()))}
}

// begin says what is begun. The function that it returns says how that ended;
// until then, a terminal shows how long it has been going on.
func (p *progress) begin(what string) func(how string) {
	began := time.Now()
	quit, gone := make(chan struct{}), make(chan struct{})
	elapsed := func() time.Duration { return time.Since(began).Round(time.Second) }
	fmt.Fprint(p.out, what)
	go func() {
		defer close(gone)
		for p.live {
			select {
			case <-quit:
				return
			case <-time.After(time.Second):
				fmt.Fprintf(p.out, "\r%s  %v ", what, elapsed())
			}
		}
	}()
	return func(how string) {
		close(quit)
		<-gone
		if p.live {
			fmt.Fprintf(p.out, "\r%s", what)
		}
		fmt.Fprintf(p.out, "  %v, %s\n", elapsed(), how)
	}
}
