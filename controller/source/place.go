package source

import (
	"fmt"
	"os"
	"path/filepath"
)

// newPlace makes a directory below dir that no other process uses, and removes
// those that processes left behind which are gone: after a kill nobody did.
// The file keeps it until it is closed.
func newPlace(dir string) (place string, kept *os.File, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	left, _ := filepath.Glob(filepath.Join(dir, "sources-*")) // the pattern is well-formed
	for _, old := range left {
		if file, free := lockFile(lockOf(old)); free {
			_ = os.RemoveAll(old) // the next start tries again
			_ = file.Close()
		}
	}
	if place, err = os.MkdirTemp(dir, "sources-"); err != nil {
		return "", nil, err
	}
	kept, free := lockFile(lockOf(place))
	if !free {
		return "", nil, fmt.Errorf("locking %s", place)
	}
	return place, kept, nil
}

func lockOf(place string) string { return filepath.Join(place, "lock") }
