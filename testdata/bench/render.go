package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"testing/fstest"
	"time"

	"fuin.dev/render"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// The sides of render.
const (
	fuinCold = "fuin, cold" // a pool that has never been used
	krustyIn = "krusty"     // the library of kustomize, in this process
)

// renders are the directories, by case: how many objects, and whether there is
// a kustomization for Fuin, too. There always is one for kustomize.
var renderCases = []struct {
	name       string
	objects    int
	kustomized bool
}{
	{"1000 plain", 1000, false},
	{"500 kustomize", 500, true},
}

// render runs render: a directory through the sandbox, and by the library alone.
func (b *bench) render(ctx context.Context) error {
	pool := render.NewPool(b.sandbox())
	defer pool.Close()
	for _, one := range renderCases {
		n := max(1, one.objects*b.objects/1000/(perApp-1))
		set, err := apps("app", "bench", n, nil)
		if err != nil {
			return err
		}
		want := len(set.objects)
		plain := mapFS(set.files)
		set.kustomization("app")
		kustomized := mapFS(set.files)
		ours := plain
		if one.kustomized {
			ours = kustomized
		}
		for range 3 * b.rounds {
			for _, err := range []error{
				b.renderOne(row{benchRender, one.name, fuin}, want, func() (int, error) { return throughSandbox(ctx, pool, ours) }),
				b.renderOne(row{benchRender, one.name, fuinCold}, want, func() (int, error) {
					cold := render.NewPool(b.sandbox())
					defer cold.Close()
					return throughSandbox(ctx, cold, ours)
				}),
				b.renderOne(row{benchRender, one.name, krustyIn}, want, func() (int, error) { return byLibrary(kustomized) }),
			} {
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *bench) sandbox() render.Config {
	return render.Config{Path: filepath.Join(b.bin, "fuin-render"), Size: 2}
}

func (b *bench) renderOne(at row, want int, do func() (int, error)) error {
	runtime.GC()
	s, used, start := sample{Load: loadAverage()}, ownCPU(), time.Now()
	n, err := do()
	s.Wall, s.CPU = time.Since(start), ownCPU()-used
	if err == nil && n != want {
		err = fmt.Errorf("%d objects came out, not %d", n, want)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", at.Case, at.Side, err)
	}
	b.results.add(at, s)
	return nil
}

func throughSandbox(ctx context.Context, pool *render.Pool, files fs.FS) (int, error) {
	set, err := pool.Directory(ctx, render.Directory{Files: files, Path: "app"})
	if err != nil {
		return 0, err
	}
	return len(set.Objects), nil
}

// byLibrary decodes what comes out, as the sandbox's caller gets it, too.
func byLibrary(files fstest.MapFS) (int, error) {
	disk := filesys.MakeFsInMemory()
	for path, file := range files {
		if err := disk.WriteFile(path, file.Data); err != nil {
			return 0, err
		}
	}
	out, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "app")
	if err != nil {
		return 0, err
	}
	for _, resource := range out.Resources() {
		if _, err := resource.Map(); err != nil {
			return 0, err
		}
	}
	return out.Size(), nil
}

func mapFS(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for path, text := range files {
		out[path] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}
