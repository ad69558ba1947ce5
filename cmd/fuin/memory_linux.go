package main

import "syscall"

// Magic numbers of file systems, from statfs(2).
const (
	magicTmpfs = 0x01021994
	magicRamfs = 0x858458f6
)

// isInMemory reports whether a directory is on a file system without a disk.
func isInMemory(dir string) bool {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return false
	}
	kind := uint32(s.Type) //nolint:gosec // magic numbers have 32 bits
	return kind == magicTmpfs || kind == magicRamfs
}
