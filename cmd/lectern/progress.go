package main

import (
	"fmt"
	"io"
	"time"
)

// showLine shows a line that changes on a terminal, and nothing elsewhere,
// until stop is called.
func showLine(w io.Writer, line func() string) (stop func()) {
	if !isTerminal(w) {
		return func() {}
	}
	stopped, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprint(w, "\r"+line())
			case <-stopped:
				fmt.Fprint(w, "\r\033[K")
				return
			}
		}
	}()
	return func() {
		close(stopped)
		<-gone
	}
}

// showWork shows for how long something has been going on whose end nobody
// knows.
func showWork(w io.Writer, what string) (stop func()) {
	began := time.Now()
	return showLine(w, func() string { return fmt.Sprintf("%s … %s", what, time.Since(began).Round(time.Second)) })
}
