package kubetest

import "syscall"

// dieWithParent has the kernel end a child with its parent, however that ends.
// The process group of its own keeps an interrupt at a terminal away from it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
