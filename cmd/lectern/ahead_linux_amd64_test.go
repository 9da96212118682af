package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// clocksCanBeWrong tells whether startAhead does what it says.
const clocksCanBeWrong = true

// startAhead starts a program on a machine whose clock is ahead of the true
// time, or behind it, by whole seconds. Programs read the time without a
// system call, by code that the kernel puts into them, the vDSO: see vdso(7).
// Before the program's first instruction that code is replaced. The monotonic
// clock stays as it is.
func startAhead(c *exec.Cmd, by time.Duration) (err error) {
	runtime.LockOSThread() // the thread that traces is the one that started
	defer runtime.UnlockOSThread()
	c.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := c.Start(); err != nil {
		return err
	}
	pid := c.Process.Pid
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		return fmt.Errorf("wait for its start: %w", err)
	}
	defer func() { err = errors.Join(err, syscall.PtraceDetach(pid)) }()
	at, err := clockCode(pid)
	if err != nil {
		return err
	}
	_, err = syscall.PtracePokeText(pid, at, wrongClock(by))
	return err
}

// wrongClock is clock_gettime as machine code: the system call of that name,
// and then so much more of the seconds if it was asked for the time of day.
func wrongClock(by time.Duration) []byte {
	code := []byte{
		0xb8, 0xe4, 0x00, 0x00, 0x00, // mov eax, 228
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi
		0x75, 0x07, // jnz +7
		0x48, 0x81, 0x06, // add qword [rsi], …
	}
	code = binary.LittleEndian.AppendUint32(code, uint32(int32(by/time.Second)))
	return append(code,
		0x31, 0xc0, // xor eax, eax
		0xc3, // ret
	)
}

// clockCode returns where a traced process has its clock_gettime.
func clockCode(pid int) (uintptr, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if !strings.Contains(line, "[vdso]") {
			continue
		}
		var from, to uintptr
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil {
			return 0, fmt.Errorf("%w in %q", err, line)
		}
		image := make([]byte, to-from)
		if _, err := syscall.PtracePeekText(pid, from, image); err != nil {
			return 0, err
		}
		offset, err := symbol(image, "__vdso_clock_gettime")
		return from + offset, err
	}
	return 0, errors.New("the process has no vDSO")
}

func symbol(image []byte, name string) (uintptr, error) {
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	for _, s := range symbols {
		if s.Name == name {
			return uintptr(s.Value), nil
		}
	}
	return 0, fmt.Errorf("the vDSO has no %s", name)
}
