package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fuin.dev/render/reference"
)

// grants are what the references of a tree need of Vault.
type grants struct {
	connection *manifestConnection
	engines    map[string]vaultEngine // nil: not known
	accessor   string

	seen       map[string]engineKind // by first segment, as the references tell
	all        map[string]*grant     // by path and how the namespace stands in it
	namespaces []string              // that refer, sorted
	elsewhere  int                   // objects that another connection reads
	templated  bool                  // a namespace's name became a template
	endless    bool                  // all that is read stays as it is
}

// A grant is one path of a policy.
type grant struct {
	path       []string // as the reference has it, the namespace's segment as ownNamespace
	depth      int      // of the mount, in segments
	engine     engineKind
	issues     bool
	parameters map[string][]string // of a certificate, all that are asked for
	unbound    bool                // a reference leaves them open
	uses       []string            // what refers, NAMESPACE/NAME: KEY
	namespaces []string
}

// ownNamespace stands for the segment that is the name of the namespace. No
// segment has a slash.
const ownNamespace = "/namespace"

type engineKind int

const (
	unknownEngine engineKind = iota
	kv1
	kv2
	otherEngine
)

// addAll takes the references of all objects. The error tells all that can be
// granted to nobody.
func (g *grants) addAll(objects []referringObject) error {
	g.all, g.seen, g.endless = map[string]*grant{}, map[string]engineKind{}, true
	objects = slices.DeleteFunc(objects, g.isElsewhere)
	g.look(objects)
	var wrong faults
	for _, o := range objects {
		namespace := o.object.Namespace()
		if namespace == "" {
			wrong = append(wrong, fail("give it with -n NAMESPACE", "%s: %s %s names no namespace", origin(o.object), o.object.Kind(), o.object.Name()))
			continue
		}
		for _, v := range o.values {
			use := fmt.Sprintf("%s/%s: %s", namespace, o.object.Name(), v.Key)
			for _, r := range reference.Of(v.Parts) {
				if err := g.add(namespace, use, r); err != nil {
					wrong = append(wrong, &named{origin(o.object) + ": " + o.object.Kind() + " " + use, err})
				}
			}
		}
	}
	return wrong.orNil()
}

// isElsewhere reports whether an object is read by another connection.
func (g *grants) isElsewhere(o referringObject) bool {
	metadata, _ := o.object.Content["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	named, _ := annotations[annotationConnection].(string)
	if named == "" || g.connection.Metadata.Name == "" || named == g.connection.Metadata.Name {
		return false
	}
	g.elsewhere++
	return true
}

// look takes from the references what they tell of engines: one mount has one.
func (g *grants) look(objects []referringObject) {
	for _, o := range objects {
		for _, v := range o.values {
			for _, r := range reference.Of(v.Parts) {
				mount, rest, _ := strings.Cut(r.Path, "/")
				kind := saidEngine(r)
				if kind == unknownEngine && strings.HasPrefix(rest, "data/") {
					kind = kv2
				}
				g.seen[mount] = max(g.seen[mount], kind)
			}
		}
	}
}

func (g *grants) add(namespace, use string, r reference.Reference) error {
	if err := exact(r); err != nil {
		return err
	}
	path := strings.Split(r.Path, "/")
	own, err := g.ownSegment(namespace, path)
	if err != nil {
		return err
	}
	if own >= 0 {
		path[own], g.templated = ownNamespace, true
	}
	kind, depth, err := g.engineOf(r)
	if err != nil {
		return err
	}
	if kind == kv2 && len(path) > depth+1 && path[depth] == "data" {
		path = slices.Delete(path, depth, depth+1) // it is written, and would be put there twice
	}
	one := g.at(path, kind, depth)
	one.issues = one.issues || r.Issues() && kind != kv1 && kind != kv2
	g.endless = g.endless && (kind == kv1 || kind == kv2)
	one.ask(r.Parameters)
	one.uses = withName(one.uses, use)
	one.namespaces = withName(one.namespaces, namespace)
	g.namespaces = withName(g.namespaces, namespace)
	return nil
}

// exact refuses what a policy would read as something else: a glob, a template.
func exact(r reference.Reference) error {
	for _, text := range append(slices.Collect(maps.Values(r.Parameters)), r.Path) {
		if strings.ContainsAny(text, "{}$\"\\") || text == r.Path && strings.ContainsAny(text, "*+") {
			return fail("write its policy by hand", "%s: with one of * + { } $ \" it cannot be granted exactly", r.Path)
		}
	}
	return nil
}

// at is the grant of a path. Where engines are known, namespaces may have
// different ones at what is one path for the policy.
func (g *grants) at(path []string, kind engineKind, depth int) *grant {
	key := strings.Join(path, "\x00")
	if g.engines != nil {
		key += fmt.Sprint("\x00", kind, depth)
	}
	if g.all[key] == nil {
		g.all[key] = &grant{path: path, depth: depth}
	}
	g.all[key].engine = max(g.all[key].engine, kind)
	return g.all[key]
}

// withName adds to a sorted list what it lacks.
func withName(names []string, name string) []string {
	at, found := slices.BinarySearch(names, name)
	if found {
		return names
	}
	return slices.Insert(names, at, name)
}

// ask notes the parameters of a certificate.
func (o *grant) ask(parameters map[string]string) {
	if len(parameters) == 0 {
		o.unbound = true
	}
	for name, value := range parameters {
		if o.parameters == nil {
			o.parameters = map[string][]string{}
		}
		o.parameters[name] = withName(o.parameters[name], value)
	}
}

// ownSegment is the index of the segment that is the namespace's name, and -1 if
// none is or Vault would not know it. Where the connection has prefixes, one must
// admit the path, and its {namespace} is the segment.
func (g *grants) ownSegment(namespace string, path []string) (int, error) {
	own, ok := segmentOf(namespace, path), true
	for _, prefix := range g.connection.Spec.PathPrefixes {
		if own, ok = admits(strings.Split(strings.Trim(prefix, "/"), "/"), namespace, path); ok {
			break
		}
	}
	switch {
	case !ok:
		return -1, fail("spec.pathPrefixes of the VaultConnection say what is", "%s: no path prefix of VaultConnection %s admits it", strings.Join(path, "/"), g.connection.Metadata.Name)
	case !g.connection.knowsNamespaces():
		return -1, nil
	}
	return own, nil
}

// segmentOf is where the namespace's name stands, rather behind the first segment,
// which is a mount's; -1 if nowhere.
func segmentOf(namespace string, path []string) int {
	if i := slices.Index(path[1:], namespace); i >= 0 {
		return i + 1
	}
	return slices.Index(path, namespace)
}

// placeholder in a path prefix stands for the namespace.
const placeholder = "{namespace}"

// admits reports whether a path begins with a prefix, and where the namespace's
// segment is. Either may have the data/ of KV version 2 where the other has not.
func admits(prefix []string, namespace string, path []string) (own int, ok bool) {
	own, at := -1, 0
	for i, want := range prefix {
		fits := func() bool {
			return at < len(path) && (path[at] == want || want == placeholder && path[at] == namespace)
		}
		if i > 0 && !fits() && at < len(path) && path[at] == "data" {
			at++
		}
		switch {
		case i > 0 && !fits() && want == "data":
			continue
		case !fits():
			return -1, false
		case want == placeholder:
			own = at
		}
		at++
	}
	return own, true
}

// engineOf tells what the reference leads to, and how many segments its mount has.
func (g *grants) engineOf(r reference.Reference) (kind engineKind, depth int, err error) {
	said := saidEngine(r)
	if g.engines == nil {
		if said == unknownEngine {
			mount, _, _ := strings.Cut(r.Path, "/")
			said = g.seen[mount]
		}
		return said, 1, nil
	}
	mount, engine, ok := g.mountOf(r.Path)
	if !ok {
		return 0, 0, fail("vault secrets list tells what there is", "%s: nothing is mounted there", r.Path)
	}
	there := engine.kind()
	if said != unknownEngine && said != there {
		return 0, 0, fail("change the options of the reference", "%s: the engine at %s is another than the reference says", r.Path, mount)
	}
	return there, strings.Count(mount, "/"), nil
}

// saidEngine is the engine by the options of a reference.
func saidEngine(r reference.Reference) engineKind {
	switch {
	case r.Engine == reference.KV1:
		return kv1
	case r.Engine == reference.KV2, r.Version > 0:
		return kv2
	case len(r.Parameters) > 0:
		return otherEngine
	}
	return unknownEngine
}

func (e vaultEngine) kind() engineKind {
	switch {
	case e.Type == "kv" && e.Options["version"] == "2":
		return kv2
	case e.Type == "kv" || e.Type == "generic":
		return kv1
	}
	return otherEngine
}

// mountOf is the mount of a path.
func (g *grants) mountOf(path string) (mount string, engine vaultEngine, ok bool) {
	for mount, engine := range g.engines {
		if strings.HasPrefix(path, mount) {
			return mount, engine, true // one mount is never in another
		}
	}
	return "", vaultEngine{}, false
}

// sorted are the grants in the order of their paths.
func (g *grants) sorted() []*grant {
	var all []*grant
	for _, key := range slices.Sorted(maps.Keys(g.all)) {
		all = append(all, g.all[key])
	}
	return all
}
