package seal

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What a server or a client wrote into metadata and no manifest should carry.
var (
	serverMetadata = []string{
		"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
		"deletionGracePeriodSeconds", "selfLink", "managedFields", "ownerReferences", "generateName",
	}
	copiesOfObject = []string{ // annotations with a plain copy of the Secret
		"kubectl.kubernetes.io/last-applied-configuration",
		"kubecfg.ksonnet.io/last-applied-configuration",
		"kapp.k14s.io/original",
		"objectset.rio.cattle.io/applied",
		"banzaicloud.com/last-applied",
	}
	ownAnnotations = []string{AnnotationKey, AnnotationInputs, AnnotationPlain}
)

// source is a Secret that is about to be sealed.
type source struct {
	node            *yaml.Node
	namespace, name string
	annotations     map[string]string
	scope           Scope
	final           Place // where it will stand
	isPatch         bool
	items           []item
}

// item is one value of a Secret.
type item struct {
	key      string
	value    []byte
	keyNode  *yaml.Node
	textNode *yaml.Node
}

// secret makes the SealedSecret of a Secret.
func (s *Sealer) secret(n *yaml.Node, o Options, w *walk) (*yaml.Node, error) {
	src, err := readSecret(n, o)
	if err != nil {
		return nil, err
	}
	w.values = append(w.values, src.items...)
	w.result.Objects = append(w.result.Objects, src.namespace+"/"+src.name)
	encrypted, err := s.encrypted(src, w)
	if err != nil {
		return nil, err
	}
	return src.assemble(encrypted, s.Fingerprints()), nil
}

func readSecret(n *yaml.Node, o Options) (*source, error) {
	meta := get(n, "metadata")
	src := &source{node: n, annotations: stringMap(get(meta, "annotations")), scope: o.Scope, isPatch: o.Patch}
	if src.scope == "" {
		src.scope = ScopeOf(src.annotations)
	}
	var err error
	if src.name, err = agree("name", text(get(meta, "name")), o.Name, n.Line); err != nil {
		return nil, err
	}
	if src.namespace, err = agree("namespace", text(get(meta, "namespace")), o.Namespace, n.Line); err != nil {
		return nil, err
	}
	src.namespace = cmp.Or(src.namespace, o.DefaultNamespace)
	if err := src.checkPlace(o.Final); err != nil {
		return nil, err
	}
	return src, src.readItems(o.AllowEmpty)
}

// agree takes what the manifest says, else what was asked for; a manifest that
// says otherwise belongs elsewhere.
func agree(part, says, asked string, line int) (string, error) {
	if says != "" && asked != "" && says != asked {
		return "", refuseAt(line, "change the manifest or the flag", "its %s is %q, not %q", part, says, asked)
	}
	if says != "" {
		return says, nil
	}
	return asked, nil
}

func (src *source) checkPlace(final Final) error {
	line := src.node.Line
	for _, part := range []string{src.name, src.namespace} {
		if isTemplate(part) {
			return refuseAt(line, templateHint, "its name is a Helm or Go template")
		}
	}
	if !isName(src.name) {
		return about(line, "", missing("name", src.name, "add metadata.name, or give --name NAME"))
	}
	var err error
	if src.final, err = final.of(Place{src.scope, src.namespace, src.name, "k"}); err != nil {
		return refusal(line, fmt.Sprintf("Secret %q: ", src.name), err)
	}
	return about(line, fmt.Sprintf("Secret %q: ", src.name), src.final.check())
}

func (src *source) readItems(allowEmpty bool) error {
	for _, field := range []string{"data", "stringData"} {
		m := get(src.node, field)
		if m == nil || m.Kind == yaml.ScalarNode && m.Tag == "!!null" {
			continue
		}
		if m.Kind != yaml.MappingNode {
			return src.refuse(m, "", "", "%s is %s; it maps keys to values", field, describe(m))
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if err := src.readItem(m.Content[i], m.Content[i+1], field == "data"); err != nil {
				return err
			}
		}
	}
	if len(src.items) == 0 && !allowEmpty {
		return src.refuse(src.node, "", "give it values, or --allow-empty-data", "it holds no value")
	}
	return nil
}

// readItem adds a value; stringData comes last and wins, as in Kubernetes.
func (src *source) readItem(keyNode, valueNode *yaml.Node, encoded bool) error {
	key := keyNode.Value
	if !IsKey(key) {
		return src.refuse(keyNode, "", "use letters, digits, '-', '_' and '.'", "%.40q is no key of a Secret", key)
	}
	value, err := src.decode(key, valueNode, encoded)
	if err != nil {
		return err
	}
	if len(value) > MaxValue {
		return src.refuse(valueNode, key, "a Secret holds 1 MiB in all", "%d bytes", len(value))
	}
	it := item{key, value, keyNode, valueNode}
	if i := slices.IndexFunc(src.items, func(other item) bool { return other.key == key }); i >= 0 {
		src.items[i] = it
		return nil
	}
	src.items = append(src.items, it)
	return nil
}

func (src *source) decode(key string, n *yaml.Node, encoded bool) ([]byte, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return []byte{}, nil
	case n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Style&yaml.FlowStyle != 0:
		return nil, src.refuse(n, key, templateHint, "%s, not text", describe(n))
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str" && n.Tag != "!!timestamp" && n.Tag != "!!binary":
		return nil, src.refuse(n, key, "quote it", "%s, not text", describe(n))
	case n.Tag != "!!str" && !encoded:
		return nil, src.refuse(n, key, "quote it", "%s, not text", strings.TrimPrefix(n.Tag, "!!"))
	case !encoded:
		return []byte(n.Value), nil
	}
	value, err := base64.StdEncoding.DecodeString(strings.TrimSpace(n.Value))
	switch {
	case err != nil && isTemplate(n.Value):
		return nil, src.refuse(n, key, templateHint, "a Helm or Go template, not base64")
	case err != nil:
		return nil, src.refuse(n, key, "put plain text under stringData", "not base64")
	}
	return value, nil
}

func (src *source) refuse(n *yaml.Node, key, hint, format string, args ...any) error {
	where := "Secret " + strings.TrimPrefix(src.namespace+"/"+src.name, "/")
	if key != "" {
		where += ": key " + `"` + key + `"`
	}
	return refuseAt(n.Line, hint, where+": "+format, args...)
}

// encrypted seals the items, each with the comments it had.
func (s *Sealer) encrypted(src *source, w *walk) (*yaml.Node, error) {
	out := mapping()
	for _, it := range src.items {
		at := src.final
		at.Key = it.key
		sealed, err := s.again(at, it.value)
		if err != nil {
			return nil, src.refuse(it.textNode, it.key, "", "%v", err)
		}
		if isTemplate(string(it.value)) {
			w.warn(it.textNode.Line, "key %q holds {{ … }}; it is sealed as text and never rendered", it.key)
		}
		if refersToVault(it.value) {
			w.warn(it.textNode.Line, "key %q refers to Vault; sealed, it is text that nothing resolves: %s", it.key, whereReferences)
		}
		key := *it.keyNode
		out.Content = append(out.Content, &key, withComments(scalar(sealed), it.textNode))
	}
	return out, nil
}

// assemble lays the SealedSecret out as Sealed Secrets does.
func (src *source) assemble(encrypted *yaml.Node, fingerprints []string) *yaml.Node {
	out := mapping()
	replace(out, src.node, "apiVersion", scalar("bitnami.com/v1alpha1"))
	replace(out, src.node, "kind", scalar("SealedSecret"))
	replace(out, src.node, "metadata", src.metadata(fingerprints))
	spec := mapping()
	set(spec, "encryptedData", encrypted)
	src.dataComments(spec.Content[0])
	if template := src.template(); len(template.Content) > 0 {
		set(spec, "template", template)
	}
	set(out, "spec", spec)
	return out
}

// dataComments joins what stood above, on and below data and stringData.
func (src *source) dataComments(key *yaml.Node) {
	for _, field := range []string{"data", "stringData"} {
		k, v := entry(src.node, field)
		if k == nil {
			continue
		}
		if key.Line == 0 {
			key.Line = k.Line
		}
		for _, n := range []*yaml.Node{k, v} {
			key.HeadComment = joined(key.HeadComment, n.HeadComment, "\n")
			key.LineComment = joined(key.LineComment, strings.ReplaceAll(n.LineComment, "\n", " "), " ")
			key.FootComment = joined(key.FootComment, n.FootComment, "\n")
		}
	}
}

func joined(a, b, sep string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + sep + b
}

func (src *source) metadata(fingerprints []string) *yaml.Node {
	meta, from := mapping(), get(src.node, "metadata")
	replace(meta, from, "name", scalar(src.name))
	if src.namespace != "" {
		replace(meta, from, "namespace", scalar(src.namespace))
	}
	annotations := mapping()
	if a := src.scope.annotation(); a != "" {
		set(annotations, a, scalar("true"))
	}
	if inputs := src.annotations[AnnotationInputs]; inputs != "" {
		set(annotations, AnnotationInputs, scalar(inputs))
	}
	if len(fingerprints) > 0 {
		set(annotations, AnnotationKey, scalar(strings.Join(fingerprints, ",")))
	}
	set(meta, "annotations", annotations)
	return meta
}

// template is the Secret without its values.
func (src *source) template() *yaml.Node {
	out := mapping()
	if metadata := src.templateMetadata(); len(metadata.Content) > 0 {
		set(out, "metadata", metadata)
	}
	move(out, src.node, "type")
	move(out, src.node, "immutable")
	return out
}

// templateMetadata names the place that the values are sealed for, which shows
// later whether a kustomization moved them.
func (src *source) templateMetadata() *yaml.Node {
	out := mapping()
	if !src.isPatch {
		set(out, "name", scalar(cmp.Or(src.final.Name, src.name)))
	}
	if namespace := cmp.Or(src.final.Namespace, src.namespace); namespace != "" && !src.isPatch {
		set(out, "namespace", scalar(namespace))
	}
	meta := get(src.node, "metadata")
	if meta == nil {
		return out
	}
	for i := 0; i+1 < len(meta.Content); i += 2 {
		key := meta.Content[i].Value
		if key == "name" || key == "namespace" || key == "annotations" || slices.Contains(serverMetadata, key) {
			continue
		}
		out.Content = append(out.Content, meta.Content[i], meta.Content[i+1])
	}
	if annotations := src.templateAnnotations(); len(annotations.Content) > 0 {
		replace(out, meta, "annotations", annotations)
	}
	return out
}

// templateAnnotations are the Secret's, with the scope that is sealed for and
// without copies of the Secret itself.
func (src *source) templateAnnotations() *yaml.Node {
	out := mapping()
	drop := slices.Concat(copiesOfObject, ownAnnotations, []string{AnnotationClusterWide, AnnotationNamespaceWide})
	if a := get(src.node, "metadata", "annotations"); a != nil {
		for i := 0; i+1 < len(a.Content); i += 2 {
			if name := a.Content[i].Value; !slices.Contains(drop, name) && !hasPrefix(name, forTools) {
				out.Content = append(out.Content, a.Content[i], a.Content[i+1])
			}
		}
	}
	if a := src.scope.annotation(); a != "" {
		set(out, a, scalar("true"))
	}
	return out
}
