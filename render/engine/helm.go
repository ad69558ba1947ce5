package engine

import (
	"io/fs"

	"fuin.dev/render/wire"
)

func helm(_ fs.FS, d wire.Directory) (rendition, error) {
	return rendition{}, blame(wire.Unsupported, d.Path, 0, "is a Helm chart, which this release does not render")
}
