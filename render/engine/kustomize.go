package engine

import (
	"io/fs"

	"fuin.dev/render/wire"
)

func kustomize(_ fs.FS, d wire.Directory) (rendition, error) {
	return rendition{}, blame(wire.Unsupported, d.Path, 0, "is a kustomization, which this release does not render")
}
