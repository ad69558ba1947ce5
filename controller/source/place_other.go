//go:build !unix

package source

import "os"

// lockFile makes a file; where it exists, its owner may be at work still.
func lockFile(path string) (file *os.File, free bool) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // a path of our own
	return file, err == nil
}
