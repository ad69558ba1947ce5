package engine

import (
	"io/fs"

	"fuin.dev/render/wire"
)

func jsonnet(_ fs.FS, d wire.Directory) (rendition, error) {
	return rendition{}, blame(wire.Unsupported, d.Path, 0, "is a Jsonnet program, which this release does not render")
}
