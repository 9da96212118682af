package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// checkTakesAtMost bounds each check, which go on at the same time: three
	// times what an instance waits for a server.
	checkTakesAtMost = 6 * time.Second
	// checksEndWithin bounds them all, also those that a dead network drive
	// keeps in the kernel.
	checksEndWithin = 8 * time.Second
	// letGo is what is left to one whose turn comes later: it has ended long
	// since, or hangs too.
	letGo = 10 * time.Millisecond
)

type doctorCommand struct {
	Sockets int  `default:"10000" help:"How many sockets this instance is to hold."`
	JSON    bool `name:"json" help:"For programs."`
}

// Help says what the command comes to.
func (doctorCommand) Help() string {
	return `Looks at the settings, the keys, the store, Redis, the clock and the machine as an instance with this environment would find them, and says of each what is right (ok), what is good to know (note), and what has to be mended, and how (mend). It changes nothing that an instance sees, takes less than ten seconds, and may run beside a server. It ends with status 1 if something has to be mended.

Example:

  (set -a; . /etc/lectern/lectern.env; lectern doctor)`
}

// errUnfit is why doctor ends with exit status 1: its lines say more.
var errUnfit = errors.New("something has to be mended")

// Run says what keeps an instance from doing its work here.
func (c *doctorCommand) Run(ctx context.Context, p *program) error {
	if c.Sockets < 0 {
		return fmt.Errorf("--sockets is %d: accepted is a number from 0", c.Sockets)
	}
	d := newDoctor(p, c.Sockets)
	found := d.examine(ctx, d.checks())
	if err := found.write(p.stdout, c.JSON); err != nil {
		return err
	}
	if found.count(isMend) > 0 {
		return errUnfit
	}
	return nil
}

// The levels of a diagnosis.
const (
	isOK   level = "ok"
	isNote level = "note" // good to know
	isMend level = "mend" // must be mended
)

type level string

// A diagnosis is what was found of one thing, and what to do about it.
type diagnosis struct {
	Level level  `json:"level"`
	Check string `json:"check"`
	Found string `json:"found"`
	Mend  string `json:"mend,omitempty"`
}

// A check looks at one part. What it has found when its time is over is kept.
type check struct {
	name string
	look func(context.Context, *chart)
}

// A chart is what one check has found so far. Whoever looks owns it.
type chart struct {
	check string
	found []diagnosis
}

func (c *chart) ok(format string, args ...any) {
	c.add(isOK, "", fmt.Sprintf(format, args...))
}

// note says what is good to know, and what may be done about it.
func (c *chart) note(how, format string, args ...any) {
	c.add(isNote, how, fmt.Sprintf(format, args...))
}

// mend says what must be done.
func (c *chart) mend(how, format string, args ...any) {
	c.add(isMend, how, fmt.Sprintf(format, args...))
}

// add keeps a diagnosis, on one line: what servers say may have several.
func (c *chart) add(l level, how, found string) {
	line := func(text string) string { return strings.TrimRight(strings.Join(strings.Fields(text), " "), ".") }
	c.found = append(c.found, diagnosis{Level: l, Check: c.check, Found: line(found), Mend: line(how)})
}

// examine makes all checks at the same time and returns what they found, in
// their order.
func (d *doctor) examine(ctx context.Context, checks []check) (found diagnoses) {
	ctx, cancel := context.WithTimeout(ctx, checkTakesAtMost)
	defer cancel()
	charts := make([]chan []diagnosis, len(checks))
	for i, one := range checks {
		charts[i] = make(chan []diagnosis, 1)
		go func() {
			c := &chart{check: one.name}
			one.look(ctx, c)
			charts[i] <- c.found
		}()
	}
	late := time.Now().Add(checksEndWithin)
	for i, one := range checks {
		select {
		case of := <-charts[i]:
			found = append(found, of...)
		case <-time.After(max(time.Until(late), letGo)):
			found = append(found, diagnosis{
				isMend, one.name, fmt.Sprintf("this did not end within %s", checksEndWithin), "Find out what hangs: a network drive, or a name server",
			})
		}
	}
	return found
}

// diagnoses are what was found, in the order in which it is told.
type diagnoses []diagnosis

func (d diagnoses) count(l level) (n int) {
	for _, one := range d {
		if one.Level == l {
			n++
		}
	}
	return n
}

func (d diagnoses) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{
			"healthy": d.count(isMend) == 0, "mend": d.count(isMend), "note": d.count(isNote), "ok": d.count(isOK), "checks": d,
		})
	}
	width := 0
	for _, one := range d {
		width = max(width, len(one.Check))
	}
	var text strings.Builder
	for _, one := range d {
		fmt.Fprintf(&text, "%-4s  %-*s  %s.", one.Level, width, one.Check, one.Found)
		if one.Mend != "" {
			text.WriteString(" " + one.Mend + ".")
		}
		text.WriteString("\n")
	}
	fmt.Fprintf(&text, "\n%d to mend, %d to know, %d ok\n", d.count(isMend), d.count(isNote), d.count(isOK))
	_, err := io.WriteString(w, text.String())
	return err
}
