package environment

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"sync"

	"fuin.dev/config"
	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/render"
	corev1 "k8s.io/api/core/v1"
)

// render turns the directory into objects, sealed still.
func (p *pass) render(ctx context.Context) *failure {
	if f := p.inRightCluster(); f != nil {
		return f
	}
	d := directoryOf(p.env)
	key := renderKey(p.env, p.checkout.Revision, d)
	if set := p.renders.get(key); set != nil {
		p.set = set
		return nil
	}
	d.Files = p.checkout.Files
	if p.env.Spec.AllowRemote {
		d.Remote = p.remote
	}
	set, err := p.Render(ctx, p.name.Namespace, d)
	if err != nil {
		return p.renderFailure(err)
	}
	if !p.env.Spec.AllowRemote { // else it rests on more than the revision
		p.renders.put(key, set)
	}
	p.set = set
	p.tellNotes()
	return nil
}

// tellNotes passes on what a user should know of a set that was just rendered.
func (p *pass) tellNotes() {
	notes := make([]string, 0, len(p.set.Notes))
	for _, n := range p.set.Notes {
		notes = append(notes, n.File+" "+n.Message)
	}
	if len(notes) > 0 {
		p.tell(corev1.EventTypeNormal, "Rendered", atMost(notes, 5))
	}
}

func (p *pass) renderFailure(err error) *failure {
	if errors.Is(err, render.ErrUnavailable) || errors.Is(err, render.ErrClosed) {
		return fail("RenderUnavailable", "%s", err)
	}
	return fail("RenderFailed", "%s", withHint(err))
}

// withHint is an error and what to do about it.
func withHint(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		return err.Error() + ": " + hinted.Hint()
	}
	return err.Error()
}

// inRightCluster refuses a path that the repository's .fuin.yaml gives to
// clusters of which none has a key here: the ring is the identity of a cluster.
func (p *pass) inRightCluster() *failure {
	cfg, err := config.Read(p.checkout.Files)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fail("InvalidConfig", "%s", withHint(err))
	}
	clusters, foreign, err := cfg.ForeignTo(pathOf(p.env), p.checkout.Files, p.Known)
	switch {
	case err != nil:
		return fail("InvalidConfig", "%s", withHint(err))
	case foreign:
		return stall("WrongCluster", "by .fuin.yaml %s belongs to %s, and this cluster has none of its keys; nothing was applied",
			pathOf(p.env), strings.Join(clusters, ", "))
	}
	return nil
}

func pathOf(env *v1alpha1.Environment) string {
	path := strings.Trim(strings.TrimPrefix(env.Spec.Path, "./"), "/")
	if path == "" {
		return "."
	}
	return path
}

func directoryOf(env *v1alpha1.Environment) render.Directory {
	d := render.Directory{
		Path: pathOf(env), Kind: render.Kind(env.Spec.Renderer),
		TargetNamespace: env.Spec.TargetNamespace, ImagesFrom: env.Spec.ImagesFrom,
		Helm: render.HelmOptions{ReleaseName: env.Name, Namespace: env.Namespace},
	}
	if env.Spec.TargetNamespace != "" {
		d.Helm.Namespace = env.Spec.TargetNamespace
	}
	for _, image := range env.Spec.Images {
		d.Images = append(d.Images, render.Image(image))
	}
	if h := env.Spec.Helm; h != nil {
		if h.ReleaseName != "" {
			d.Helm.ReleaseName = h.ReleaseName
		}
		d.Helm.ValuesFiles = h.ValuesFiles
		if h.Values != nil {
			d.Helm.Values = h.Values.Raw
		}
	}
	if j := env.Spec.Jsonnet; j != nil {
		d.Jsonnet = render.JsonnetOptions{ExternalVariables: j.ExternalVariables, LibraryPaths: j.LibraryPaths}
	}
	return d
}

// renderKey tells what a rendered set depends on: where the source is, its
// revision, and what the Environment says of rendering. It is asked only once
// the Environment's own credentials have fetched the revision.
func renderKey(env *v1alpha1.Environment, revision string, d render.Directory) [sha256.Size]byte {
	text, err := json.Marshal([]any{
		env.Spec.Source, revision, d.Path, d.Kind, d.TargetNamespace, d.Images, d.ImagesFrom, d.Helm, d.Jsonnet,
	})
	if err != nil {
		panic(err) // these are all of text
	}
	return sha256.Sum256(text)
}

// renders keeps the sets that were rendered last.
type renders struct {
	mu   sync.Mutex
	sets map[[sha256.Size]byte]*list.Element
	used list.List // the most recently used first
	size int
}

type rendered struct {
	key  [sha256.Size]byte
	set  *render.Set
	size int
}

// maxRendered bounds the sets that are kept, in bytes of memory, about.
const maxRendered = 64 << 20

// weight is about how much memory a value of a set takes.
func weight(v any) (n int) {
	const value = 16 // an interface
	switch v := v.(type) {
	case map[string]any:
		n = 48
		for key, item := range v {
			n += value + len(key) + weight(item)
		}
	case []any:
		for _, item := range v {
			n += weight(item)
		}
	case string:
		n = len(v)
	}
	return n + value
}

func (r *renders) get(key [sha256.Size]byte) *render.Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.sets[key]
	if e == nil {
		return nil
	}
	r.used.MoveToFront(e)
	return e.Value.(rendered).set
}

func (r *renders) put(key [sha256.Size]byte, set *render.Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sets == nil {
		r.sets = map[[sha256.Size]byte]*list.Element{}
	}
	if r.sets[key] != nil {
		return
	}
	one := rendered{key, set, 256}
	for _, o := range set.Objects {
		one.size += weight(o.Content)
	}
	if one.size > maxRendered/4 {
		return // one tenant's would push out those of many
	}
	r.sets[key] = r.used.PushFront(one)
	for r.size += one.size; r.size > maxRendered && r.used.Len() > 0; {
		last := r.used.Remove(r.used.Back()).(rendered)
		delete(r.sets, last.key)
		r.size -= last.size
	}
}
