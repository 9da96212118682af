package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A usage is what servers have used so far.
type usage struct {
	cpu    float64 // seconds
	memory float64 // bytes, resident
	stacks float64 // bytes, of goroutines
	heap   float64 // bytes, live and not yet swept
}

// usage reads what the servers have used, of our own from the system, which
// counts more finely and costs them nothing. It returns nil if nobody has told
// where they say it.
func (f *fleet) usage(ctx context.Context) (*usage, error) {
	sum := &usage{}
	for i, target := range f.all {
		u, ok := &usage{}, false
		if i < len(f.children) {
			u, ok = usageOf(f.children[i].process.Pid)
		}
		if !ok && target.ops == "" {
			return nil, nil
		}
		if !ok {
			var err error
			if u, err = target.usage(ctx); err != nil {
				return nil, fmt.Errorf("read the server's metrics: %w", err)
			}
		}
		sum.add(u)
	}
	return sum, nil
}

func (u *usage) add(more *usage) {
	u.cpu += more.cpu
	u.memory += more.memory
	u.stacks += more.stacks
	u.heap += more.heap
}

// says reads what the servers say of themselves, nil where nobody has told
// where they say it.
func (f *fleet) says(ctx context.Context) (*usage, error) {
	sum := &usage{}
	for _, target := range f.all {
		if target.ops == "" {
			return nil, nil
		}
		u, err := target.usage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the server's metrics: %w", err)
		}
		sum.add(u)
	}
	return sum, nil
}

func (t *loadTarget) usage(ctx context.Context) (*usage, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.ops+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := t.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	u := &usage{}
	fields := map[string]*float64{
		"process_cpu_seconds_total": &u.cpu, "process_resident_memory_bytes": &u.memory,
		"go_memstats_stack_inuse_bytes": &u.stacks, "go_memstats_heap_inuse_bytes": &u.heap,
	}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if field := fields[name]; field != nil {
			if *field, err = strconv.ParseFloat(value, 64); err != nil {
				return nil, err
			}
		}
	}
	return u, lines.Err()
}

// usageOf returns the time that a process's threads have run, to the nanosecond
// (the kernel's Documentation/scheduler/sched-stats.rst), and its resident
// memory (proc(5), statm). It returns false where there is no such process, or
// no such system.
func usageOf(pid int) (u *usage, ok bool) {
	folder := "/proc/" + strconv.Itoa(pid)
	threads, err := filepath.Glob(folder + "/task/*/schedstat")
	if err != nil || len(threads) == 0 {
		return nil, false
	}
	u = &usage{}
	for _, name := range threads {
		ran, ok := numberOf(name, 0)
		if !ok {
			return nil, false
		}
		u.cpu += ran / 1e9
	}
	pages, ok := numberOf(folder+"/statm", 1)
	u.memory = pages * float64(os.Getpagesize())
	return u, ok && u.cpu > 0
}

// numberOf returns one of the numbers that a file holds.
func numberOf(file string, which int) (float64, bool) {
	text, err := os.ReadFile(file)
	fields := strings.Fields(string(text))
	if err != nil || len(fields) <= which {
		return 0, false
	}
	n, err := strconv.ParseFloat(fields[which], 64)
	return n, err == nil
}

// A stopwatch takes time, and that of a load's own process.
type stopwatch struct {
	began  time.Time
	cpu    time.Duration
	waited time.Duration
	reads  int64
}

func (c *clientele) stopwatch() stopwatch {
	return stopwatch{time.Now(), ownCPU() - c.spun, c.waited, c.reads}
}

// stop fills in how long a load took, and what making it cost this process.
func (b *bench) stop(s stopwatch) {
	took := time.Since(s.began)
	used := ownCPU() - b.spun - s.cpu
	b.report.Seconds = took.Seconds()
	b.report.Client = clientCost{
		CPUSeconds: used.Seconds(),
		Share:      used.Seconds() / took.Seconds() / float64(runtime.NumCPU()),
		Busy:       1 - (b.waited-s.waited).Seconds()/took.Seconds(),
		Reads:      b.reads - s.reads,
	}
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it knows no other error than a bad address
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
