package seal

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tokenSource is a Secret on its way to a SealedSecret by the tokens in it.
type tokenSource struct {
	*filter
	src    *source
	label  string
	values []tokenValue
	keys   map[Token]string // under which each token stands
	inputs []string         // of keys, those that only templates need
}

// tokenValue is a value of the Secret. Its parts are nil if it holds no token.
type tokenValue struct {
	item
	parts   []fragment
	isBlock bool // of stringData, where a line end behind all is the manifest's
}

// read reads the Secret's values, and reports whether one holds a token. What
// is wrong with a Secret without tokens is not told here.
func (t *tokenSource) read(n *yaml.Node) (holds bool, err error) {
	meta := get(n, "metadata")
	t.src = &source{
		node: n, annotations: stringMap(get(meta, "annotations")),
		namespace: text(get(meta, "namespace")), name: text(get(meta, "name")),
	}
	if err := t.rawTokens(n); err != nil {
		return false, err
	}
	if err := t.src.readItems(true); err != nil {
		if MayHoldTokens(flat(n)) {
			return false, err
		}
		return false, nil
	}
	for _, it := range t.src.items {
		v := tokenValue{item: it, isBlock: isUnder(it.keyNode, get(n, "stringData"))}
		if v.parts, err = t.parts(it); err != nil {
			return false, err
		}
		holds = holds || v.parts != nil
		t.met = append(t.met, tokensOf(v.parts)...)
		t.values = append(t.values, v)
	}
	slices.SortStableFunc(t.values, func(a, b tokenValue) int { return strings.Compare(a.key, b.key) })
	return holds, nil
}

// flat is all text of a tree.
func flat(n *yaml.Node) string {
	var out strings.Builder
	_ = eachText(n, "", func(n *yaml.Node, _ string) error {
		out.WriteString(n.Value + "\n")
		return nil
	})
	return out.String()
}

func isUnder(key, m *yaml.Node) bool { return m != nil && slices.Contains(m.Content, key) }

// rawTokens refuses tokens under data as they are: they would have to be in
// base64, which no value is that a chart does not put through b64enc.
func (t *tokenSource) rawTokens(n *yaml.Node) error {
	data := get(n, "data")
	if data == nil || data.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(data.Content); i += 2 {
		key, value := data.Content[i], data.Content[i+1]
		if _, err := base64.StdEncoding.DecodeString(text(value)); err != nil && nextToken(text(value), 0) >= 0 {
			return t.refuse(value, key.Value, "put it through b64enc, or under stringData", "a token under data that is not in base64")
		}
	}
	return nil
}

func (t *tokenSource) refuse(n *yaml.Node, key, hint, format string, args ...any) error {
	return refuseAt(n.Line, hint, t.label+": key "+strings.ReplaceAll(quoted(key), "%", "%%")+": "+format, args...)
}

// parts divides a value.
func (t *tokenSource) parts(it item) ([]fragment, error) {
	whole := string(it.value)
	if strings.Contains(whole, bcryptFailure) {
		return nil, t.hashed(it, "bcrypt or htpasswd")
	}
	t.suspect(t, it)
	if !MayHoldTokens(whole) {
		return nil, nil
	}
	parts, err := readParts(whole)
	var e *Error
	if errors.As(err, &e) {
		return nil, t.refuse(it.textNode, it.key, e.hint, "%s", e.Reason)
	}
	return parts, err
}

// hashed refuses what a function made of a token that should have been made of
// the value.
func (t *tokenSource) hashed(it item, function string) error {
	return t.refuse(it.textNode, it.key, "make it of the value, and seal that with fuin seal --token",
		"%s of a token: nothing can make it that of the value", function)
}

// sealed makes the SealedSecret.
func (t *tokenSource) sealed() (*yaml.Node, error) {
	if !isName(t.src.name) {
		return nil, about(t.src.node.Line, t.label+": ", missing("name", t.src.name, "add metadata.name"))
	}
	if err := t.scope(); err != nil {
		return nil, err
	}
	t.nameTokens()
	encrypted, templates := mapping(), mapping()
	for _, v := range t.values {
		if err := t.add(v, encrypted, templates); err != nil {
			return nil, err
		}
	}
	for _, key := range t.inputs {
		set(encrypted, key, scalar(t.tokenUnder(key).Sealed))
	}
	t.walk.result.Objects = append(t.walk.result.Objects, strings.TrimPrefix(t.src.namespace+"/"+t.src.name, "/"))
	return t.assemble(encrypted, templates), nil
}

// scope takes that of the tokens; they open under one only.
func (t *tokenSource) scope() error {
	for _, v := range t.values {
		for _, token := range tokensOf(v.parts) {
			if t.src.scope == "" {
				t.src.scope = token.Scope
			}
			if token.Scope != t.src.scope {
				return t.refuse(v.textNode, v.key, "seal all values of one Secret in the same scope",
					"its token is %s, and others of the Secret are %s", token.Scope, t.src.scope)
			}
		}
	}
	return nil
}

// tokensOf are the tokens of parts, in the order of the text.
func tokensOf(parts []fragment) []Token {
	var all []Token
	for _, p := range parts {
		if p.token != nil {
			all = append(all, *p.token)
		}
		all = append(all, tokensOf(p.parts)...)
	}
	return all
}

// whole is the token that a value consists of.
func (v tokenValue) whole() (Token, bool) {
	if len(v.parts) != 1 || v.parts[0].token == nil || v.parts[0].within != (within{}) {
		return Token{}, false
	}
	return *v.parts[0].token, true
}

// nameTokens finds a key for each token: that of a value that consists of it,
// or one of its own, which is called after the first value that needs it.
func (t *tokenSource) nameTokens() {
	t.keys = map[Token]string{}
	taken := map[string]bool{}
	for _, v := range t.values {
		taken[v.key] = true
		if token, ok := v.whole(); ok && t.keys[token] == "" {
			t.keys[token] = v.key
		}
	}
	for _, v := range t.values {
		for _, token := range tokensOf(v.parts) {
			if t.keys[token] == "" {
				key := freeKey(v.key+".token", taken)
				t.keys[token], taken[key] = key, true
				t.inputs = append(t.inputs, key)
			}
		}
	}
}

// freeKey is a key that nothing has yet.
func freeKey(wish string, taken map[string]bool) string {
	if !IsKey(wish + ".00000") {
		wish = "token"
	}
	key := wish
	for i := 2; taken[key]; i++ {
		key = wish + "." + strconv.Itoa(i)
	}
	return key
}

func (t *tokenSource) tokenUnder(key string) Token {
	for token, at := range t.keys {
		if at == key {
			return token
		}
	}
	return Token{}
}

// add puts a value where it belongs: a whole token among the sealed values,
// text around tokens, and what is in plain, among the templates.
func (t *tokenSource) add(v tokenValue, encrypted, templates *yaml.Node) error {
	if token, ok := v.whole(); ok {
		set(encrypted, v.key, scalar(token.Sealed))
		return nil
	}
	if v.parts != nil {
		set(templates, v.key, scalar(t.template(v)))
		return nil
	}
	switch {
	case len(v.value) == 0 || isReference(string(v.value)) || t.mayStayPlain(v.key):
	case t.Sealer != nil:
		sealed, err := t.Sealer.again(Place{t.src.scope, t.src.namespace, t.src.name, v.key}, v.value)
		if err != nil {
			return t.refuse(v.textNode, v.key, "", "%v", err)
		}
		set(encrypted, v.key, scalar(sealed))
		return nil
	case slices.Contains(t.Plain, anyKey):
		t.walk.plain = append(t.walk.plain, v.key)
	default:
		return t.refuse(v.textNode, v.key, "seal it, too (fuin seal --token); or let it be: --plain "+v.key+", or annotation "+AnnotationPlain+" on the Secret",
			"it is in plain, in a Secret with tokens")
	}
	set(templates, v.key, scalar(plainTemplate(string(v.value))))
	return nil
}

func (t *tokenSource) mayStayPlain(key string) bool {
	allowed := list(t.src.annotations[AnnotationPlain])
	return slices.Contains(t.Plain, key) || slices.Contains(allowed, key) || slices.Contains(allowed, anyKey)
}

// isReference takes text that holds a reference to Vault: it stays as it is, and
// is resolved in the cluster.
func isReference(text string) bool { return strings.Contains(text, "ref+vault://") }

// template is the template of a value. In a block of YAML the line end behind
// the last line is one, however many the value of a token ends in.
func (t *tokenSource) template(v tokenValue) string {
	name := naming(func(token Token) string { return t.keys[token] })
	if last := len(v.parts) - 1; v.isBlock && last > 0 && v.parts[last].text == "\n" && v.parts[last-1].token != nil {
		v.parts[last-1].within.clip = true
	}
	return name.template(v.parts)
}

// plainTemplate is the template that makes a text.
func plainTemplate(text string) string {
	if isPrintable(text) {
		return escapeBraces(text, false)
	}
	return "{{ " + strconv.Quote(base64.StdEncoding.EncodeToString([]byte(text))) + " | b64dec }}"
}

// assemble lays the SealedSecret out.
func (t *tokenSource) assemble(encrypted, templates *yaml.Node) *yaml.Node {
	if len(t.inputs) > 0 {
		all := append(list(t.src.annotations[AnnotationInputs]), t.inputs...)
		t.src.annotations = maps.Clone(t.src.annotations)
		if t.src.annotations == nil {
			t.src.annotations = map[string]string{}
		}
		t.src.annotations[AnnotationInputs] = strings.Join(all, ",")
	}
	out := t.src.assemble(encrypted, t.fingerprints())
	if len(templates.Content) > 0 {
		set(get(out, "spec", "template"), "data", templates)
	}
	return out
}

func (t *tokenSource) fingerprints() []string {
	if t.Sealer == nil {
		return nil
	}
	return t.Sealer.Fingerprints()
}

// forAppliers are the prefixes of annotations that tell whoever applies an
// object what to do with it; forTools of those that are gone by then.
var (
	forAppliers = []string{"helm.sh/", "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "kapp.k14s.io/", "fuin.dev/prune"}
	forTools    = []string{"internal.config.kubernetes.io/", "config.kubernetes.io/", "config.k8s.io/", "internal.kpt.dev/"}
)

func hasPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// takeOver gives a SealedSecret what of a Secret's metadata is for those who
// apply it, or choose it by its labels.
func takeOver(sealed, secret *yaml.Node) {
	meta := get(sealed, "metadata")
	move(meta, get(secret, "metadata"), "labels")
	from, to := get(secret, "metadata", "annotations"), get(meta, "annotations")
	for i := 0; from != nil && i+1 < len(from.Content); i += 2 {
		if name := from.Content[i].Value; hasPrefix(name, forAppliers) || hasPrefix(name, forTools) {
			to.Content = append(to.Content, from.Content[i], from.Content[i+1])
		}
	}
}
