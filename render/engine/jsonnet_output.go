package engine

import (
	"encoding/json"
	"strconv"
	"strings"

	"fuin.dev/render/wire"
)

// A leafFinder finds the objects in what a program made: an object of
// Kubernetes, or arrays and objects of them to any depth, in the order of their
// fields. null is nothing.
type leafFinder struct {
	file  string
	known func(field string) bool // that it may be named
	found []wire.Object
}

func (l *leafFinder) all(text string) error {
	var root any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&root) != nil {
		return blame(wire.EngineFailed, l.file, 0, "makes no JSON")
	}
	return l.find(root, "", 0)
}

func (l *leafFinder) find(v any, at string, depth int) error {
	if depth > wire.MaxNesting {
		return blame(wire.LimitExceeded, l.file, 0, "nests what it makes too deeply")
	}
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return l.each(v, at, depth)
	case map[string]any:
		return l.object(v, at, depth)
	}
	return blame(wire.NotAnObject, l.file, 0, "makes what is no object of Kubernetes at %s", place(at)).
		advise("the program is to make an object, an array or an object of objects")
}

func (l *leafFinder) each(items []any, at string, depth int) error {
	for i, item := range items {
		if err := l.find(item, at+"["+strconv.Itoa(i)+"]", depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (l *leafFinder) object(v map[string]any, at string, depth int) error {
	version, isVersion := v["apiVersion"].(string)
	kind, isKind := v["kind"].(string)
	switch {
	case isKind && isVersion && kind != "" && version != "":
		content, err := json.Marshal(v)
		l.found = append(l.found, wire.Object{Content: content, File: l.file})
		return err
	case isKind != isVersion:
		return blame(wire.NotAnObject, l.file, 0, "makes half of an object at %s: it has only one of apiVersion and kind", place(at))
	}
	for _, field := range sortedKeys(v) {
		name := "…"
		if l.known(field) {
			name = field
		}
		if err := l.find(v[field], at+"."+name, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// place is a path for a message.
func place(at string) string {
	if at == "" {
		return "the top"
	}
	return abridge(at)
}
