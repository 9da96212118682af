package main

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
)

// A progress shows on a terminal how far a load is, and nothing elsewhere.
type progress struct {
	done atomic.Int64
	stop func()
}

// barWidth leaves room for the numbers on a narrow terminal.
const barWidth = 30

// showProgress shows until stop is called.
func showProgress(w io.Writer, what string, total int) *progress {
	p := &progress{}
	p.stop = showLine(w, func() string { return bar(int(p.done.Load()), total, what) })
	return p
}

func bar(done, total int, what string) string {
	full := min(barWidth, barWidth*done/max(1, total))
	return fmt.Sprintf("[%s%s] %d of %d %s", strings.Repeat("█", full), strings.Repeat("·", barWidth-full), done, total, what)
}
