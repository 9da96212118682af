package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// beProgram is the environment variable that makes this test binary the
// program itself.
const beProgram = "BE_CLUSTER"

func TestMain(m *testing.M) {
	if os.Getenv(beProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what takes milliseconds, or the
// seconds of a start: machines are noisy.
const patience = time.Minute

func TestCluster(t *testing.T) {
	program := filepath.Join(t.TempDir(), "lectern")
	if out, err := exec.Command("go", "build", "-o", program, "../lectern").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("one room", func(t *testing.T) { testOneRoom(t, program) })
	t.Run("killed", func(t *testing.T) { testKilled(t, program) })
}

// A room is one room whichever instance a socket comes to, also while one of
// them is dead; and everything ends with the cluster.
func testOneRoom(t *testing.T, program string) {
	c := try(t, program)
	answer, text := c.call(http.MethodPost, "/v1/rooms", `{"title":"Logic","capacity":2,"options":{"roster":"everyone"}}`,
		http.Header{"Authorization": {"Bearer " + c.instructor}})
	var opened struct {
		Room struct{ ID, Code string }
	}
	if err := json.Unmarshal([]byte(text), &opened); err != nil || answer.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s (%v)", answer.Status, text, err)
	}
	annsCookie, bosCookie := c.guest("Ann"), c.guest("Bo")
	ann, bo := c.dial(annsCookie), c.dial(bosCookie)
	if got := strings.Join(c.sockets(), " "); strings.Count(got, "1") != 2 {
		t.Errorf("the sockets of the instances are %s, not each on another", got)
	}
	watch := fmt.Sprintf(`{"id":2,"type":"watch","room_id":%q}`, opened.Room.ID)
	c.ask(ann, fmt.Sprintf(`{"id":1,"type":"join","code":%q}`, opened.Room.Code), `"joined"`, `"seat":1`)
	c.ask(ann, watch, `"watching"`, "Ann")
	c.ask(bo, fmt.Sprintf(`{"id":1,"type":"join","code":%q}`, opened.Room.Code), `"joined"`, `"seat":2`)
	c.ask(ann, "", `"roster"`, "Bo")
	c.ask(bo, watch, `"watching"`, "Ann", "Bo")

	if err := syscall.Kill(c.pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.heard("instance a has ended")
	bearer := http.Header{"Authorization": {"Bearer " + c.instructor}}
	for range 6 {
		if answer, text := c.call(http.MethodGet, "/v1/me", "", bearer); answer.StatusCode != http.StatusOK {
			t.Errorf("without instance a: %s: %s", answer.Status, text)
		}
	}
	said := c.heard("instance a runs again: process ")
	_, pid, _ := strings.Cut(said, "instance a runs again: process ")
	again, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	c.pids = append(c.pids, again)

	if err := c.process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-c.ended
	if c.err != nil {
		t.Errorf("ended with %v:\n%s", c.err, c.said)
	}
	c.gone()
}

// What a cluster has started ends with it, also when it cannot see to that
// itself.
func testKilled(t *testing.T, program string) {
	c := try(t, program)
	if err := c.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.ended
	c.gone()
}
