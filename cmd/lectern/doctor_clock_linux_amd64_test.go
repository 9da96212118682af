package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestDoctorClock: a clock that is wrong is told from the database's, by a
// process that ends with status 1.
func TestDoctorClock(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	for ahead, want := range map[time.Duration]string{time.Hour: "mend postgres: passports run out at the wrong time", -5 * time.Second: "note postgres: clock is +"} {
		var stdout bytes.Buffer
		cmd := exec.CommandContext(t.Context(), os.Args[0], "doctor")
		cmd.Env = append(os.Environ(), append(s.environ, beProgram+"=1", "LECTERN_HOSTS=a", "LECTERN_ORIGINS=https://a")...)
		cmd.Stdout = &stdout
		if err := startAhead(cmd, ahead); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		if failed := errors.As(err, &exit) && exit.ExitCode() == 1; failed != (ahead > time.Minute) || !hasLine(stdout.String(), want) {
			t.Errorf("%s ahead: %v, want %q:\n%s", ahead, err, want, stdout.String())
		}
	}
}
