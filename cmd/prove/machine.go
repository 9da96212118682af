package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// A machine is where something is proved, and with what.
type machine struct{ commit, hardware, system, goVersion, postgres, redis string }

const unknown = "unknown"

func thisMachine(ctx context.Context) machine {
	return machine{
		commit:    commit(ctx),
		hardware:  hardware(),
		system:    system(),
		goVersion: version(ctx, "go", "version"),
		postgres:  version(ctx, installed("postgres", "/usr/lib/postgresql/*/bin/postgres"), "--version"),
		redis:     version(ctx, installed("redis-server"), "--version"),
	}
}

// commit is what the checkout has, and whether it was changed since.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "log", "-1", "--format=%h of %cs, “%s”").Output()
	if err != nil {
		return unknown
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	if err != nil || len(changed) > 0 {
		return strings.TrimSpace(string(out)) + ", and changes to it"
	}
	return strings.TrimSpace(string(out))
}

// hardware is cores and, on Linux, memory.
func hardware() string {
	text := fmt.Sprintf("%d cores", runtime.NumCPU())
	if model := after("/proc/cpuinfo", "model name"); model != "" {
		text += " of " + model
	}
	kib, _, _ := strings.Cut(after("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.Atoi(kib); err == nil {
		text += fmt.Sprintf(", %.1f GiB", float64(n)/(1<<20))
	}
	return text
}

func system() string {
	text := runtime.GOOS + "/" + runtime.GOARCH
	if name := strings.Trim(after("/etc/os-release", "PRETTY_NAME"), `"`); name != "" {
		text += ", " + name
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		text += ", " + strings.TrimSpace(string(kernel))
	}
	return text
}

// after returns what a file has for a name, as "name: value" or "name=value";
// "" if it has nothing.
func after(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), name); found {
			return strings.TrimSpace(strings.TrimLeft(rest, " \t:="))
		}
	}
	return ""
}

// installed finds a program, in PATH or else the last that a pattern matches.
func installed(program string, patterns ...string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, pattern := range patterns {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return program
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

func version(ctx context.Context, program, argument string) string {
	out, err := exec.CommandContext(ctx, program, argument).Output()
	if number := versionNumber.Find(out); err == nil && number != nil {
		return string(number)
	}
	return unknown
}
