package main

import (
	"context"
	"errors"
	"time"
)

// Turns have people begin something one after another, so many at a time or so
// many a second, until all of them are done.
type turns struct {
	*bench
	people   []*visitor
	begin    func(*visitor)
	inFlight int     // 0: all
	rate     float64 // a second; 0: as soon as may be
	shown    *progress

	began      time.Time
	next, over int
	busy, set  bool
}

// everyone has people begin something and returns when all are done, which
// whoever plays the scenario tells by calling done.
func (b *bench) everyone(ctx context.Context, what string, t *turns) error {
	t.bench = b
	if t.inFlight == 0 {
		t.inFlight = len(t.people)
	}
	for _, v := range t.people {
		v.done = false
	}
	t.shown = showProgress(b.stderr, what, len(t.people))
	defer t.shown.stop()
	t.began = time.Now()
	t.more()
	err := b.until(ctx, func() bool { return t.over == len(t.people) })
	if errors.Is(err, errQuiet) {
		return nil // the report says how many have no answer
	}
	return err
}

// done tells that someone is done.
func (t *turns) done(v *visitor) {
	if !v.done {
		v.done = true
		t.over++
		t.shown.done.Add(1)
		t.more()
	}
}

// more lets as many begin as may. It is not for begin to call it again.
func (t *turns) more() {
	if t.busy {
		return
	}
	t.busy = true
	for t.next < len(t.people) && t.next-t.over < t.inFlight && t.due() {
		v := t.people[t.next]
		t.next++
		t.begin(v)
	}
	t.busy = false
}

// due tells whether it is time for the next one; if not, more is called then.
func (t *turns) due() bool {
	if t.rate == 0 {
		return true
	}
	wait := time.Until(t.began.Add(time.Duration(float64(t.next) / t.rate * float64(time.Second))))
	if wait > 0 && !t.set {
		t.set = true
		t.after(wait, func() {
			t.set = false
			t.more()
		})
	}
	return wait <= 0
}
