package render

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fuin.dev/lazy"
	"fuin.dev/render/reference"
)

// elsewhere looks for references where none is resolved: there the text would
// reach the cluster as it is, and an application as its password.
func (r *referring) elsewhere() {
	if suspicious(r.object.Content) {
		r.search(r.object.Content, nil)
	}
}

// suspicious tells whether it is worth to search, which costs more.
func suspicious(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, item := range v {
			if strings.Contains(name, reference.Prefix) || suspicious(item) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, suspicious)
	case string:
		return strings.Contains(v, reference.Prefix) || reference.ContainsForeign(v)
	}
	return false
}

// search goes through v, to which at is the way.
func (r *referring) search(v any, at []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			way := append(slices.Clip(at), name)
			if strings.Contains(name, reference.Prefix) {
				r.misplaced(way[:len(at)], "the name of a field")
			}
			if !r.isPlace(way) {
				r.search(v[name], way)
			}
		}
	case []any:
		for i, item := range v {
			r.search(item, append(slices.Clip(at), "["+strconv.Itoa(i)+"]"))
		}
	case string:
		r.stray(v, at)
	}
}

// isPlace reports whether values at this way were read already, or are none of
// this object's: what an Environment gives its own renderer is read in what
// that makes.
func (r *referring) isPlace(way []string) bool {
	places := [][]string{}
	switch r.object.Group() + "/" + r.object.Kind() {
	case "/Secret":
		places = [][]string{{"stringData", "*"}, {"data", "*"}}
	case ofSealed:
		places = [][]string{{"spec", "template", "data", "*"}, {"spec", "encryptedData"}}
	case "fuin.dev/Environment":
		places = [][]string{{"spec", "helm", "values"}, {"spec", "jsonnet", "externalVariables"}}
	}
	return slices.ContainsFunc(places, func(place []string) bool {
		return slices.EqualFunc(place, way, func(want, name string) bool { return want == "*" || want == name })
	})
}

// stray reports a text that holds a reference. Of other tools' forms it
// reports those that nothing in a cluster resolves: vault:PATH#KEY in a pod may
// be for the webhook of bank-vaults.
func (r *referring) stray(text string, at []string) {
	if strings.Contains(text, reference.Prefix) {
		r.misplaced(at, "")
		return
	}
	for _, f := range reference.FindForeign(text, reference.Placeholders{Ignore: placeholdersOf(r.object).Ignore}) {
		if f.Writes || strings.HasPrefix(text[f.Offset:], "<") {
			r.foreign(FieldPath(at), text, []reference.Foreign{f})
		}
	}
}

func (r *referring) misplaced(at []string, what string) {
	place, hint := Misplaced(r.object.Kind(), at)
	r.fault(FieldPath(at), "", -1, hint, "a reference to Vault stands in %s, where it is not resolved", cmp.Or(what, place))
}

// Misplaced names what a reference stands in that is at this way in an object
// of a kind, but in no place where one is resolved, and tells what to do.
func Misplaced(kind string, way []string) (place, hint string) {
	const there = "put it into a Secret's stringData or a SealedSecret's spec.template.data"
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(way, name) })
	}
	switch {
	case has("annotations"):
		return "an annotation", there
	case has("labels"):
		return "a label", there
	case kind == "ConfigMap":
		return "a ConfigMap", there + ", and mount that in place of the ConfigMap"
	case has("args", "command"):
		return "an argument", there + ", take it into the environment with valueFrom.secretKeyRef, and write $(NAME) here"
	case has("env"):
		return "an environment variable", there + ", and name that with valueFrom.secretKeyRef"
	}
	return "this field", there
}

// FieldPath writes the way to a field as people read it; an index is [N] in it.
// Names that are more than a word are in brackets and quotes.
func FieldPath(at []string) string {
	var out strings.Builder
	for _, name := range at {
		switch {
		case isIndex().MatchString(name):
			out.WriteString(name)
		case !isWord(name):
			out.WriteString("[" + strconv.Quote(clip(name)) + "]")
		case out.Len() == 0:
			out.WriteString(name)
		default:
			out.WriteString("." + name)
		}
	}
	return out.String()
}

var isIndex = lazy.Regexp(`\A\[[0-9]{1,9}\]\z`)

// within is the path of a key.
func within(field, key string) string { return FieldPath(append(strings.Split(field, "."), key)) }

func isWord(name string) bool {
	return name != "" && len(name) <= 80 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}
