package servers

import "syscall"

// DieWithParent has the kernel kill a process when the one that started it
// ends, however that happens.
func DieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
