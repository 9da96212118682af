package main

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// A report is what was proved, where, and when.
type report struct {
	machine
	date    time.Time
	took    time.Duration
	results []result
}

func newReport(ctx context.Context) *report {
	return &report{machine: thisMachine(ctx), date: time.Now()}
}

// failed are the proofs that do not hold, or were not come to.
func (r *report) failed() (titles []string) {
	for _, p := range r.results {
		if !p.holds() {
			titles = append(titles, p.title)
		}
	}
	return titles
}

func (r *report) verdict() string {
	if failed := r.failed(); len(failed) > 0 {
		return fmt.Sprintf("**%d of %d do not hold:** %s", len(failed), len(r.results), strings.Join(failed, ", "))
	}
	text := fmt.Sprintf("all %d hold", len(r.results))
	if short := r.cutShort(); len(short) > 0 {
		text += "; less often than they should there was time to try " + strings.Join(short, ", ")
	}
	return text
}

// cutShort are the tests that would have gone on for longer.
func (r *report) cutShort() (names []string) {
	for _, p := range r.results {
		for _, o := range p.outcomes {
			if o.cutShort {
				names = append(names, o.names[0])
			}
		}
	}
	return names
}

// markdown is the report for people to read.
func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# The proofs\n\nHow Lectern's promises were attacked, and what came of it, as `make prove` wrote it down.\n\n| | |\n| --- | --- |\n")
	for _, row := range [][2]string{
		{"verdict", r.verdict()}, {"commit", r.commit}, {"begun", r.date.UTC().Format("2006-01-02 15:04 UTC")}, {"took", brief(r.took)},
		{"machine", r.hardware}, {"system", r.system}, {"Go", r.goVersion}, {"Postgres", r.postgres}, {"Redis", r.redis},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	b.WriteString("\nEverything is built as it is shipped; the times include building it. `make test` runs the same tests in their short form, with the race detector.\n")
	for i, p := range r.results {
		p.write(&b, i+1)
	}
	return b.String()
}

func (r *result) write(b *strings.Builder, number int) {
	verdict := "holds"
	if !r.holds() {
		verdict = "DOES NOT HOLD"
	}
	fmt.Fprintf(b, "\n## %d. %s: %s\n\n%s.\n\n**Must hold:** %s.", number, first(r.title), verdict, first(r.cause), r.must)
	if len(r.promises) > 0 {
		fmt.Fprintf(b, " (%s of the README.)", promised(r.promises))
	}
	b.WriteString("\n")
	if missing := len(r.tests) - len(r.outcomes); missing > 0 {
		fmt.Fprintf(b, "\n%d of %d tests were not come to.\n", missing, len(r.tests))
	}
	before := "\n"
	for _, o := range r.outcomes {
		for _, said := range o.proved {
			fmt.Fprintf(b, "%s- `%s`: %s.\n", before, said.test, said.text)
			before = ""
		}
	}
	fmt.Fprintf(b, "\nTook %s.\n", brief(r.took()))
	for _, o := range r.outcomes {
		if o.cutShort {
			fmt.Fprintf(b, "\n`%s` had %s; it takes %d min to try as often as it should.\n", o.names[0], brief(o.took), o.minutes)
		}
	}
	for _, o := range r.outcomes {
		if len(o.faults) > 0 {
			fmt.Fprintf(b, "\n%s", o.failure())
		}
	}
}

// maxOutput is how much of a failed test's output is shown, in bytes: what
// went wrong first, and last.
const maxOutput = 64 << 10

// failure tells what is wrong, how to see it again, and what the test said.
func (o *outcome) failure() string {
	text := strings.TrimSpace(o.output)
	if len(text) > maxOutput {
		text = text[:maxOutput/2] + "\n…\n" + text[len(text)-maxOutput/2:]
	}
	return fmt.Sprintf("**%s.** Again: `%s`\n\n````\n%s\n````\n", strings.Join(o.faults, "; "), o.command, text)
}

func promised(numbers []int) string {
	text := "promise"
	if len(numbers) > 1 {
		text = "promises"
	}
	for i, n := range numbers {
		switch {
		case i > 0 && i == len(numbers)-1:
			text += " and"
		case i > 0:
			text += ","
		}
		text += fmt.Sprintf(" %d", n)
	}
	return first(text)
}

// first writes the first letter large.
func first(text string) string {
	letters := []rune(text)
	letters[0] = unicode.ToUpper(letters[0])
	return string(letters)
}

// brief is a time to the second, above that none is of interest.
func brief(d time.Duration) string { return max(time.Second, d).Round(time.Second).String() }
