package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fuin.dev/render"
	"fuin.dev/seal"
)

// Rendered is a directory of the repository with what it renders to.
type Rendered struct {
	Directory string
	Cluster   string // that it is for; directories of one cluster see each other's objects
	Namespace string // of objects that name none
	Set       *render.Set
}

// Directories reports SealedSecrets that do not open where kustomizations put
// them, and what names a Secret or a key that no directory of the same cluster
// and namespace makes. find reads an object in a file, as [Locate] does.
func Directories(all []Rendered, find func(file, kind, namespace, name string) Located) []Finding {
	r := &renderedCheck{find: find, made: map[secretName]madeSecret{}, told: map[Known]bool{}}
	for _, one := range all {
		for _, o := range one.Set.Objects {
			r.provides(one, o)
		}
	}
	for _, one := range all {
		for _, o := range one.Set.Objects {
			r.object(one, o)
		}
	}
	return r.found
}

// secretName is a Secret of a cluster.
type secretName struct{ cluster, namespace, name string }

// madeSecret is one that something makes. Without keys, they are not known.
type madeSecret struct {
	keys  []string
	known bool
}

type renderedCheck struct {
	find  func(file, kind, namespace, name string) Located
	made  map[secretName]madeSecret
	found []Finding
	told  map[Known]bool
}

func (r *renderedCheck) add(one Rendered, o render.Object, f Finding) {
	f.File, f.Directory = cmp.Or(o.File, one.Directory), one.Directory
	f.Object = strings.TrimSpace(o.Kind() + " " + strings.TrimPrefix(cmp.Or(o.Namespace(), one.Namespace)+"/"+o.Name(), "/"))
	f.Line = max(1, r.source(o).Line)
	rule := ruleNamed(f.Rule)
	f.Severity = cmp.Or(f.Severity, rule.Severity)
	f.Hint = cmp.Or(f.Hint, strings.ReplaceAll(rule.Hint, "FILE", f.File))
	if known := (Known{f.File, f.Object, f.Key + f.Message, f.Rule}); !r.told[known] {
		r.told[known] = true
		r.found = append(r.found, f)
	}
}

// source is the object as its file has it.
func (r *renderedCheck) source(o render.Object) Located {
	if o.File == "" {
		return Located{}
	}
	return r.find(o.File, o.Kind(), o.WasNamespace, cmp.Or(o.WasName, o.Name()))
}

// object reports what is wrong with one.
func (r *renderedCheck) object(one Rendered, o render.Object) {
	if isSealedSecret(o) {
		r.binding(one, o)
		return
	}
	for _, use := range usesOf(o) {
		r.use(one, o, use)
	}
}

func isSealedSecret(o render.Object) bool {
	return o.Kind() == "SealedSecret" && o.Group() == "bitnami.com"
}

// binding compares where a SealedSecret comes to stand with what it was sealed
// for. The template in its file keeps that: kubeseal and fuin seal write it
// there; rendering lets the template follow.
func (r *renderedCheck) binding(one Rendered, o render.Object) {
	if len(o.MovedBy) == 0 {
		return
	}
	scope := seal.ScopeOf(texts(mapAt(o.Content, "metadata", "annotations")))
	source := r.source(o)
	name, namespace := cmp.Or(source.TemplateName, o.WasName), cmp.Or(source.TemplateNamespace, o.WasNamespace)
	var moved []string
	if scope == seal.Strict && name != o.Name() {
		moved = append(moved, fmt.Sprintf("name %q, and gets %q", name, o.Name()))
	}
	if scope != seal.ClusterWide && namespace != "" && o.Namespace() != "" && namespace != o.Namespace() {
		moved = append(moved, fmt.Sprintf("namespace %q, and gets %q", namespace, o.Namespace()))
	}
	if len(moved) == 0 {
		return
	}
	r.add(one, o, Finding{Rule: BrokenBinding, Message: fmt.Sprintf("it is sealed for %s by %s", strings.Join(moved, ", for "), strings.Join(o.MovedBy, ", "))})
}

// use reports one that nothing makes.
func (r *renderedCheck) use(one Rendered, o render.Object, use secretUse) {
	if use.optional || strings.ContainsAny(use.name, "{$") { // filled in when it runs
		return
	}
	namespace := cmp.Or(use.namespace, o.Namespace(), one.Namespace)
	made, ok := r.made[secretName{one.Cluster, namespace, use.name}]
	if !ok {
		made, ok = r.made[secretName{one.Cluster, anyNamespace, use.name}]
	}
	switch {
	case !ok && use.pull: // pods start without it, if the image is there
		r.add(one, o, Finding{Rule: MissingSecret, Key: use.name, Severity: Advice, Message: fmt.Sprintf("%s names Secret %q to fetch images, and nothing in %s makes it", use.path, use.name, where(one, namespace))})
	case !ok:
		r.add(one, o, Finding{Rule: MissingSecret, Key: use.name, Message: fmt.Sprintf("%s names Secret %q, and nothing in %s makes it", use.path, use.name, where(one, namespace))})
	case made.known:
		for _, key := range use.keys {
			if !slices.Contains(made.keys, key) {
				r.add(one, o, Finding{Rule: MissingKey, Key: key, Message: fmt.Sprintf("%s names key %q of Secret %q, which does not have it", use.path, key, use.name)})
			}
		}
	}
}

func where(one Rendered, namespace string) string {
	text := "any directory that is rendered"
	if one.Cluster != "" {
		text += " for " + one.Cluster
	}
	if namespace != "" {
		text += " in namespace " + namespace
	}
	return text
}

// anyNamespace is where a ClusterExternalSecret makes its Secrets.
const anyNamespace = "*"
