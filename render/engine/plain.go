package engine

import (
	"errors"
	"io/fs"

	"fuin.dev/render/wire"
)

func plain(_ fs.FS, d wire.Directory) (rendition, error) {
	return rendition{}, blame(wire.Unsupported, d.Path, 0, "is a plain directory, which this release does not render")
}

// noDirectory is the fault of a directory to render that cannot be listed.
func noDirectory(err error, dir string) error {
	if f := (*fault)(nil); errors.As(err, &f) {
		return f
	}
	return blame(wire.NotFound, dir, 0, "is no directory of the checkout").advise("correct the path")
}
