//go:build !linux

package store

import "time"

// steady returns a clock that nobody sets. It may stand still while the
// machine is suspended.
func steady() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
