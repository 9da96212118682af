package store

import (
	"time"

	"golang.org/x/sys/unix"
)

// steady returns a clock that nobody sets and that counts the time for which
// the machine is suspended: other machines, and browsers, do not stand still.
func steady() func() time.Duration {
	return func() time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
			panic(err) // since Linux 2.6.39 every kernel has it
		}
		return time.Duration(t.Nano())
	}
}
