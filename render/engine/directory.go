package engine

import (
	"io/fs"
	"path"

	"fuin.dev/render/wire"
)

// Wire is the child's end of the conversation about a directory.
type Wire interface {
	// Send sends a step.
	Send(wire.Step) error
	// Receive returns the next answer to an ask.
	Receive() (wire.Answer, error)
}

// engines by the kind of directory, as package render names it.
var engines = map[string]func(files fs.FS, d wire.Directory) (rendition, error){
	"Plain":     plain,
	"Kustomize": kustomize,
	"Helm":      helm,
	"Jsonnet":   jsonnet,
}

// Directory renders a directory, all of whose files come over the wire, and
// ends with [wire.Done]. The error is the wire's: what is wrong with the
// directory is told over it.
//
// Rendering may run for ever, use all memory or end the process: only a
// process that may be killed should call this, and for one directory only:
// engines keep state.
func Directory(d wire.Directory, w Wire) error {
	files := newCheckout(func(ask wire.Ask) ([]wire.Answer, error) { return question(w, ask) })
	kind, result, err := dispatch(files, d)
	if files.broken != nil {
		return files.broken
	}
	done := &wire.Done{Kind: kind}
	if err != nil {
		done.Fault = files.behind(faultOf(err, kind, d.Path)).wire()
	} else {
		if done.Fault, err = sendObjects(w, result.objects); err != nil {
			return err
		}
	}
	if len(result.notes) > 0 {
		if err := w.Send(wire.Step{Notes: result.notes}); err != nil {
			return err
		}
	}
	return w.Send(wire.Step{Done: done})
}

func question(w Wire, ask wire.Ask) ([]wire.Answer, error) {
	if err := w.Send(wire.Step{Ask: &ask}); err != nil {
		return nil, err
	}
	answers := make([]wire.Answer, len(ask.Paths))
	for i := range answers {
		var err error
		if answers[i], err = w.Receive(); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// dispatch lets the engine of d.Kind render, or the one that takes what lies
// in the directory.
func dispatch(files fs.FS, d wire.Directory) (kind string, result rendition, err error) {
	kind = d.Kind
	if kind == "" || kind == "Auto" {
		if kind, err = detect(files, d.Path); err != nil {
			return "Auto", rendition{}, err
		}
	}
	render := engines[kind]
	if render == nil {
		return kind, rendition{}, blame(wire.NotRenderable, d.Path, 0, "cannot be rendered by an unknown renderer")
	}
	result, err = guarded(render, files, d)
	return kind, result, err
}

// guarded makes a panic of an engine a fault: its text can hold a value.
func guarded(render func(fs.FS, wire.Directory) (rendition, error), files fs.FS, d wire.Directory) (r rendition, err error) {
	defer func() {
		if recover() != nil {
			r, err = rendition{}, blame(wire.EngineFailed, d.Path, 0, "made the renderer panic")
		}
	}()
	return render(files, d)
}

// markers are the files that tell the kind of a directory, in the order in
// which they count.
var markers = []struct{ name, kind string }{
	{"kustomization.yaml", "Kustomize"},
	{"kustomization.yml", "Kustomize"},
	{"Kustomization", "Kustomize"},
	{"Chart.yaml", "Helm"},
	{"main.jsonnet", "Jsonnet"},
}

func detect(files fs.FS, dir string) (kind string, err error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return "", noDirectory(err, dir)
	}
	has := map[string]bool{}
	kind = "Plain"
	for _, e := range entries {
		has[e.Name()] = !e.IsDir()
		if !e.IsDir() && path.Ext(e.Name()) == ".jsonnet" {
			kind = "Jsonnet"
		}
	}
	for _, m := range markers {
		if has[m.name] {
			return m.kind, nil
		}
	}
	return kind, nil
}

// sendObjects sends objects in frames of a mebibyte or one object.
func sendObjects(w Wire, objects []wire.Object) (*wire.Fault, error) {
	const chunk = 1 << 20
	from, size := 0, 0
	for i, o := range objects {
		if len(o.Content) > wire.MaxObject {
			return blame(wire.LimitExceeded, o.File, o.Line, "holds an object of more than 4 MiB").wire(), nil
		}
		if size += len(o.Content) + 256; size < chunk && i+1 < len(objects) {
			continue
		}
		if err := w.Send(wire.Step{Objects: objects[from : i+1]}); err != nil {
			return nil, err
		}
		from, size = i+1, 0
	}
	return nil, nil
}
