package roomtest

import (
	"os"
	"testing"
	"time"
)

// proveFor is the environment variable with how long each proof that has a
// long form may go on, as Go writes it. `make prove` sets it.
const proveFor = "LECTERN_PROVE"

// ProveFor is how long a proof may go on beyond its short form: 0 where there
// is only time for that.
func ProveFor(t testing.TB) time.Duration {
	t.Helper()
	given := os.Getenv(proveFor)
	if given == "" {
		return 0
	}
	d, err := time.ParseDuration(given)
	if err != nil {
		t.Fatalf("%s: %v", proveFor, err)
	}
	return d
}

// Proved says what a proof tried, how often, and what it saw. `make prove`
// has it in its report.
func Proved(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf("proved: "+format, args...)
}
