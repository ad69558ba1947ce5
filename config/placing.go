package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fuin.dev/seal"
)

// A Placing is what the kustomizations between a file and one that is rendered
// make of the namespace and the names in the file.
type Placing struct {
	Top           string   // the directory that is rendered
	Through       []string // the kustomization files on the way, from the file outward; components, too
	Namespace     string   // of all objects; "" leaves their own
	NamespaceFrom string   // the file that says so
	Prefix        string   // before each name
	Suffix        string   // behind it
	Unsure        string   // a file on the way with transformers, which can do more; "" if none
}

// Place is the final namespace and name of an object in the file.
func (p Placing) Place(namespace, name string) (finalNamespace, finalName string) {
	return cmp.Or(p.Namespace, namespace), p.Prefix + name + p.Suffix
}

// through adds what one kustomization does.
func (p Placing) through(k *kustomization) Placing {
	p.Through = append(slices.Clone(p.Through), k.file)
	if k.namespace != "" {
		p.Namespace, p.NamespaceFrom = k.namespace, k.file
	}
	p.Prefix, p.Suffix = k.prefix+p.Prefix, p.Suffix+k.suffix
	if k.renames != "" && p.Unsure == "" {
		p.Unsure = k.file
	}
	return p
}

// does is all that two ways have to have in common to be one.
func (p Placing) does() [5]string {
	return [5]string{p.Namespace, p.NamespaceFrom, p.Prefix, p.Suffix, p.Unsure}
}

// Bounds of one search; more means a circle, or names that no one asked for.
const (
	maxDepth = 64    // kustomizations between a file and the one that is rendered
	maxWays  = 1_000 // through them that differ in what they do
)

// Placings follows the kustomizations outward from a file of the repository, to
// those that nothing includes, and to those that rendered reports to be
// rendered though others include them; nil reports none. They come in the order
// of their directories; there are none if no kustomization reaches the file.
// Errors are of type *[Error].
func (k *Kustomizations) Placings(file string, rendered func(dir string) bool) ([]Placing, error) {
	s := &search{all: k, rendered: rendered, seen: map[way]bool{}, tops: map[way]bool{}}
	for _, by := range k.including(file) {
		if err := s.include(by, file, Placing{}); err != nil {
			return nil, err
		}
	}
	return s.finish()
}

// PlacingsIn are those of a new file in a directory, once the kustomization
// there lists it; none if there is no kustomization. See
// [Kustomizations.Placings].
func (k *Kustomizations) PlacingsIn(dir string, rendered func(dir string) bool) ([]Placing, error) {
	by := k.in(dir)
	if by == nil {
		return nil, nil
	}
	s := &search{all: k, rendered: rendered, seen: map[way]bool{}, tops: map[way]bool{}}
	if err := s.apply(by, by.components, Placing{}); err != nil {
		return nil, err
	}
	return s.finish()
}

// FileIn is the kustomization file of a directory; "" if there is none.
func (k *Kustomizations) FileIn(dir string) string {
	if by := k.in(dir); by != nil {
		return by.file
	}
	return ""
}

// finish goes on until nothing includes what was reached.
func (s *search) finish() ([]Placing, error) {
	for len(s.todo) > 0 {
		next := s.todo[0]
		s.todo = s.todo[1:]
		if err := s.outward(next); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(s.found, func(a, b Placing) int { return cmp.Compare(a.Top, b.Top) })
	return s.found, nil
}

// search goes outward, breadth first.
type search struct {
	all      *Kustomizations
	rendered func(string) bool
	seen     map[way]bool
	tops     map[way]bool
	todo     []reached
	found    []Placing
}

// way is a kustomization that was reached, with what was done until then.
type way struct {
	dir  string
	does [5]string
}

type reached struct {
	by *kustomization
	Placing
}

// include adds what a kustomization does to one of its entries: its components
// see its resources, and what the components before them made, then itself.
func (s *search) include(by *kustomization, entry string, p Placing) error {
	var err error
	if slices.Contains(by.resources, entry) {
		if err = s.apply(by, by.components, p); err != nil {
			return err
		}
	}
	for i, component := range by.components {
		if component == entry {
			if err = s.apply(by, by.components[i+1:], p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *search) apply(by *kustomization, components []string, p Placing) error {
	p, err := s.components(by, components, p, 0)
	if err != nil {
		return err
	}
	p = p.through(by)
	at := way{by.dir, p.does()}
	switch {
	case len(p.Through) > maxDepth || len(p.Prefix)+len(p.Suffix) > maxName:
		return &Error{File: by.file, Reason: fmt.Sprintf("more than %d kustomizations above each other, or a circle of them", maxDepth)}
	case s.seen[at]:
		return nil
	case len(s.seen) == maxWays:
		return &Error{File: by.file, Reason: fmt.Sprintf("reached in more than %d ways that differ", maxWays)}
	}
	s.seen[at] = true
	s.todo = append(s.todo, reached{by, p})
	return nil
}

// components adds what components do to all that was there before them.
func (s *search) components(of *kustomization, list []string, p Placing, depth int) (Placing, error) {
	for _, dir := range list {
		c := s.all.in(dir)
		if c == nil {
			continue
		}
		if depth == maxDepth || len(p.Through) > maxDepth {
			return p, &Error{File: of.file, Reason: "its components include more than it takes to rename an object, or a circle"}
		}
		var err error
		if p, err = s.components(c, c.components, p, depth+1); err != nil {
			return p, err
		}
		p = p.through(c)
	}
	return p, nil
}

// outward goes on to what includes a kustomization.
func (s *search) outward(r reached) error {
	above := s.all.including(r.by.dir)
	if !r.by.component && (len(above) == 0 || s.rendered != nil && s.rendered(r.by.dir)) {
		s.top(r)
	}
	for _, by := range above {
		if err := s.include(by, r.by.dir, r.Placing); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) top(r reached) {
	p := r.Placing
	p.Top = r.by.dir
	if at := (way{p.Top, p.does()}); !s.tops[at] {
		s.tops[at] = true
		s.found = append(s.found, p)
	}
}

// Final is where an object of a file will stand, as far as the scope binds it
// to a place. Without kustomizations it is where the file says. The error is of
// type *[Error] and lists the places where they differ.
func Final(placings []Placing, fallback string, scope seal.Scope, namespace, name string) (finalNamespace, finalName string, err error) {
	if len(placings) == 0 {
		return cmp.Or(namespace, fallback), name, nil
	}
	for i, p := range placings {
		ns, n := p.Place(cmp.Or(namespace, fallback), name)
		if i == 0 {
			finalNamespace, finalName = ns, n
		}
		if scope != seal.ClusterWide && ns != finalNamespace || scope == seal.Strict && n != finalName {
			return "", "", differ(placings, fallback, namespace, name)
		}
	}
	return finalNamespace, finalName, nil
}

// differ lists the places of an object.
func differ(placings []Placing, fallback, namespace, name string) error {
	const shown = 8
	var places []string
	sameNamespace := true
	first, _ := placings[0].Place(cmp.Or(namespace, fallback), name)
	for i, p := range placings {
		ns, n := p.Place(cmp.Or(namespace, fallback), name)
		sameNamespace = sameNamespace && ns == first
		if i < shown {
			places = append(places, fmt.Sprintf("%s makes it %s/%s", p.Top, cmp.Or(ns, "(no namespace)"), n))
		}
	}
	if more := len(placings) - shown; more > 0 {
		places = append(places, fmt.Sprintf("and %d more", more))
	}
	hint := "move it into each overlay and seal it there, or bind it to no place: --scope cluster-wide"
	if sameNamespace {
		hint = "move it into each overlay and seal it there, or bind it to the namespace alone: --scope namespace-wide"
	}
	return &Error{Reason: "its overlays give it different places: " + strings.Join(places, ", "), hint: hint}
}
