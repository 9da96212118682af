package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// cores are the processors of this machine that servers and their load have;
// the zero value: all of them.
type cores struct {
	servers, load unix.CPUSet
	set           bool
}

func (c *cores) pinned() bool { return c.set }

func noCores() cores { return cores{} }

// pinCores gives this process the last processor that it may use, and leaves
// the first to servers.
func pinCores() (c cores, err error) {
	var may unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return c, fmt.Errorf("--pin: %w", err)
	}
	var mine []int
	for i := range len(may) * strconv.IntSize {
		if may.IsSet(i) {
			mine = append(mine, i)
		}
	}
	if len(mine) < 2 {
		return c, errors.New("--pin takes two processors, and this process may use one")
	}
	c.set = true
	c.servers.Set(mine[0])
	c.load.Set(mine[len(mine)-1])
	runtime.GOMAXPROCS(1)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return c, fmt.Errorf("--pin: %w", err)
	}
	for _, thread := range threads { // those that begin later have what these have
		id, err := strconv.Atoi(thread.Name())
		if err == nil {
			err = unix.SchedSetaffinity(id, &c.load)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return c, fmt.Errorf("--pin: %w", err)
		}
	}
	return c, nil
}

// environ is what a server is to know of its processor.
func (c *cores) environ() []string {
	if !c.set {
		return nil
	}
	return []string{"GOMAXPROCS=1"}
}

// join has the calling thread run where servers do.
func (c *cores) join() error {
	if !c.set {
		return nil
	}
	return unix.SchedSetaffinity(0, &c.servers)
}

// start starts a server on the processor that servers have: a process begins
// where the thread that makes it is.
func (c *cores) start(command *exec.Cmd) error {
	// Ctrl-C is for this program, which tells the servers. So does the kernel
	// when this program ends, however that happens.
	command.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGTERM}
	if !c.set {
		return command.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &c.servers); err != nil {
		return fmt.Errorf("--pin: %w", err)
	}
	return errors.Join(command.Start(), unix.SchedSetaffinity(0, &c.load))
}
