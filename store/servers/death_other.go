//go:build !linux

package servers

import "syscall"

// DieWithParent does nothing: no other kernel offers it. A server outlives a
// process that is killed.
func DieWithParent(*syscall.SysProcAttr) {}
