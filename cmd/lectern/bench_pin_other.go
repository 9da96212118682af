//go:build !linux

package main

import (
	"errors"
	"os/exec"
)

type cores struct{}

func noCores() cores                         { return cores{} }
func pinCores() (c cores, err error)         { return c, errors.New("--pin works on Linux only") }
func (*cores) pinned() bool                  { return false }
func (*cores) join() error                   { return nil }
func (*cores) environ() []string             { return nil }
func (*cores) start(command *exec.Cmd) error { return command.Start() }
