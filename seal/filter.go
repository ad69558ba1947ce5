package seal

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// AnnotationPlain of a Secret lists the keys that may stay in plain beside
// those that hold tokens, comma-separated.
const AnnotationPlain = "fuin.dev/plain"

// FilterOptions say how rendered manifests are filtered.
type FilterOptions struct {
	// Plain are keys that may stay in plain in a Secret that holds tokens,
	// as AnnotationPlain says of one Secret; "*" is all.
	Plain []string
	// Known are tokens of which the manifests may hold no more than a hash.
	Known []Token
	// Sealer seals what is in plain; nil refuses it beside tokens, and passes
	// Secrets on that hold no token.
	Sealer *Sealer
	// Options are for what Sealer seals.
	Options Options
}

// Filter makes SealedSecrets of the Secrets in rendered manifests that hold
// tokens; no key is needed. A token may stand in the text of a value several
// times, with others, and below base64, base32, hex and JSON: the SealedSecret
// gets it as an item, and a template that writes the text around it.
//
// Everything else is passed on, byte for byte. What holds a token and is no
// Secret is an error, as is what is left of a token behind a transformation
// that cannot be undone, and a Secret with tokens of two scopes. The same
// manifests give the same SealedSecrets, unless there is a Sealer, and one
// without a memory. A ResourceList of a KRM function is filtered like a List.
func Filter(data []byte, o FilterOptions) (Result, error) {
	f := newFilter(o)
	f.walk.format = o.Options.Format
	r, err := f.walk.run(data)
	if err == nil {
		err = f.convict()
	}
	if err != nil {
		return Result{}, err
	}
	return r, nil
}

// filter is a walk that converts Secrets, and looks at all else.
type filter struct {
	FilterOptions
	walk     *walk
	met      []Token // in Secrets
	suspects []suspect
}

func newFilter(o FilterOptions) *filter {
	f := &filter{FilterOptions: o}
	f.walk = &walk{want: "Secret", passes: true, convert: f.secret, other: f.other}
	return f
}

// other refuses an object that holds a token and is no Secret.
func (f *filter) other(n *yaml.Node) error {
	return f.misplaced(n, labelOf(n), func(string) bool { return false })
}

// secret converts a Secret that holds tokens, and returns one that holds none
// as it is.
func (f *filter) secret(n *yaml.Node) (*yaml.Node, error) {
	label := labelOf(n)
	isData := func(path string) bool {
		return strings.HasPrefix(path, ".data.") || strings.HasPrefix(path, ".stringData.")
	}
	if err := f.misplaced(n, label, isData); err != nil {
		return nil, err
	}
	src := &tokenSource{filter: f, label: label}
	switch holds, err := src.read(n); {
	case err != nil:
		return nil, err
	case holds:
		out, err := src.sealed()
		if err == nil {
			takeOver(out, n)
		}
		return out, err
	case f.Sealer == nil:
		return n, nil
	}
	out, err := f.Sealer.secret(n, f.Options, f.walk)
	if err != nil {
		return nil, err
	}
	if renamedLater(n) && ScopeOf(stringMap(get(out, "metadata", "annotations"))) == Strict {
		return nil, refuseAt(n.Line, "bind it to the namespace alone: scope: namespace-wide, or --scope namespace-wide",
			"%s: kustomize gives it a name with a hash when it is sealed, under which a strict value does not open", strings.ReplaceAll(label, "%", "%%"))
	}
	takeOver(out, n)
	return out, nil
}

// renamedLater reports whether kustomize is to put a hash behind the name.
func renamedLater(secret *yaml.Node) bool {
	return text(get(secret, "metadata", "annotations", "internal.config.kubernetes.io/needsHashSuffix")) != ""
}

// labelOf is KIND NAMESPACE/NAME, for messages.
func labelOf(n *yaml.Node) string {
	name := text(get(n, "metadata", "namespace")) + "/" + text(get(n, "metadata", "name"))
	return fmt.Sprintf("%.60s %.320s", text(get(n, "kind")), strings.Trim(name, "/"))
}

// FilterObject is [Filter] for one object, as encoding/json decodes it; nil if
// it stays as it is. plain are the keys that stay in plain and of which nothing
// says that they may: it is the caller's to refuse them.
func FilterObject(object []byte) (filtered []byte, plain []string, err error) {
	if !MayHoldTokens(string(object)) {
		return nil, nil, nil
	}
	f := newFilter(FilterOptions{Plain: []string{anyKey}})
	docs, err := documents(object)
	if err != nil || len(docs) != 1 {
		return nil, nil, err
	}
	if err := f.walk.document(docs[0]); err != nil || !docs[0].changed {
		return nil, nil, err
	}
	filtered, err = docs[0].encode(JSON)
	return filtered, f.walk.plain, err
}

// anyKey stands for all keys.
const anyKey = "*"

// MayHoldTokens reports, in little time, whether there can be a token in a
// text, in plain or encoded; false is certain.
func MayHoldTokens(text string) bool {
	if nextToken(text, 0) >= 0 {
		return true
	}
	for _, c := range codings {
		if slices.ContainsFunc(c.stems, func(s beginning) bool { return strings.Contains(text, s.text) }) {
			return true
		}
	}
	nested := codings[0] // the letters of the others are among its
	for from := 0; ; {
		start, end, ok := nested.run(text, from)
		switch {
		case !ok:
			return false
		case end-start >= minNested:
			return true
		}
		from = end
	}
}
