package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fuin.dev/config"
	"fuin.dev/keys"
	"fuin.dev/seal"
	"go.yaml.in/yaml/v3"
)

// sealedSecret checks what stands in plain in a SealedSecret, and whether it
// is sealed for where it stands.
func (d *document) sealedSecret(a at, n *yaml.Node) bool {
	d.metadata(a, get(n, "metadata"))
	d.sealedValues(a, n)
	d.sealedTemplate(a, n)
	if isIndirect(text(get(n, "metadata", "name"))) || strings.Contains(text(get(n, "metadata", "name")), "{{") {
		return true
	}
	d.sealedPlace(a, n)
	d.sealedKeys(a, n)
	return true
}

func (d *document) sealedValues(a at, n *yaml.Node) {
	k, values := entry(get(n, "spec"), "encryptedData")
	if k == nil {
		return
	}
	d.entries(a.below(k), values, 0, func(a at, key string, v *yaml.Node) {
		d.remember(a, v)
		value := text(v)
		d.sealed[a.line(v)] = true
		if literal(value) != value { // a chart's, filled in later
			return
		}
		if _, err := seal.Inspect(value); err != nil && !strings.HasPrefix(value, "<") {
			d.found(a, v, Finding{Rule: NotSealed, Key: key, Message: quoteKey(key) + " holds no sealed value"})
		}
	})
}

// sealedTemplate checks the literal text that becomes part of the Secret.
func (d *document) sealedTemplate(a at, n *yaml.Node) {
	a.rule = SealedTemplate
	template := get(n, "spec", "template")
	if template == nil {
		return
	}
	d.metadata(a, get(template, "metadata"))
	for _, field := range []string{"data", "stringData"} {
		k, m := entry(template, field)
		if k == nil {
			continue
		}
		d.entries(a.below(k), m, 0, func(a at, key string, v *yaml.Node) {
			d.reference(a, v)
			d.templateText(a, key, v)
		})
	}
}

func (d *document) templateText(a at, key string, v *yaml.Node) {
	value := text(v)
	if !strings.Contains(strings.TrimSpace(value), "\n") && isPlain(key, value, inField) {
		d.plain(a, key, v)
		return
	}
	d.remember(a, v)
	d.misplaced(a, v)
	if v.Kind == yaml.ScalarNode {
		d.embedded(a, v)
	}
}

// sealedPlace compares where a SealedSecret stands with what it says, and with
// what the rules say of its path.
func (d *document) sealedPlace(a at, n *yaml.Node) {
	meta, template := get(n, "metadata"), get(n, "spec", "template", "metadata")
	scope := seal.ScopeOf(annotations(meta))
	d.sealedName(a, meta, template, scope)
	if template != nil && hasScope(annotations(template)) && seal.ScopeOf(annotations(template)) != scope {
		d.mismatch(a, get(template, "annotations"), "its template's scope is %s, and its own %s", seal.ScopeOf(annotations(template)), scope)
	}
	if d.file.Config == nil {
		return
	}
	rule, ok := d.file.Config.RuleFor(d.file.name)
	if !ok {
		return
	}
	if rule.Scope != "" && rule.Scope != scope {
		d.mismatch(a, meta, "its scope is %s, and that of the rule for %s is %s", scope, rule.Path, rule.Scope)
	}
	if own := text(get(meta, "namespace")); rule.Namespace != "" && own != "" && own != rule.Namespace && scope != seal.ClusterWide {
		d.mismatch(a, get(meta, "namespace"), "its namespace is %q, and that of the rule for %s is %q", own, rule.Path, rule.Namespace)
	}
}

// sealedName compares the place in the template, which it was sealed for, with
// the one where it stands or where kustomizations put it.
func (d *document) sealedName(a at, meta, template *yaml.Node, scope seal.Scope) {
	stands := Place{text(get(meta, "namespace")), text(get(meta, "name"))}
	says := Place{cmp.Or(text(get(template, "namespace")), stands.Namespace), cmp.Or(text(get(template, "name")), stands.Name)}
	if stands.Namespace == "" && d.file.Final == nil {
		says.Namespace = ""
	}
	if says == stands || scope == seal.ClusterWide {
		return
	}
	if d.file.Final != nil {
		final, ok := d.file.Final(d.file.name, scope, stands)
		if !ok {
			return
		}
		stands = Place{cmp.Or(final.Namespace, says.Namespace), cmp.Or(final.Name, says.Name)}
	}
	switch {
	case says.Namespace != stands.Namespace:
		d.mismatch(a, get(template, "namespace"), "by its template it is sealed for namespace %q, and it stands in %q", says.Namespace, stands.Namespace)
	case says.Name != stands.Name && scope == seal.Strict:
		d.mismatch(a, get(template, "name"), "by its template it is sealed for name %q, and its name is %q", says.Name, stands.Name)
	}
}

func (d *document) mismatch(a at, n *yaml.Node, format string, args ...any) {
	d.found(a, n, Finding{Rule: ScopeMismatch, Message: fmt.Sprintf(format, args...)})
}

func annotations(meta *yaml.Node) map[string]string {
	m := get(meta, "annotations")
	if m == nil || m.Kind != yaml.MappingNode {
		return nil
	}
	out := map[string]string{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		out[m.Content[i].Value] = text(m.Content[i+1])
	}
	return out
}

func hasScope(annotations map[string]string) bool {
	return annotations[seal.AnnotationClusterWide] != "" || annotations[seal.AnnotationNamespaceWide] != ""
}

// sealedKeys goes by the hint of the keys that were used, which kubeseal does
// not leave.
func (d *document) sealedKeys(a at, n *yaml.Node) {
	k, hint := entry(get(n, "metadata", "annotations"), seal.AnnotationKey)
	if k == nil || d.file.Config == nil || d.file.Clusters == nil {
		return
	}
	rule, ok := d.file.Config.RuleFor(d.file.name)
	if !ok || len(rule.Clusters) == 0 {
		return
	}
	for _, cluster := range rule.Clusters {
		d.sealedFor(a.below(k), hint, rule.Path, cluster)
	}
}

// sealedFor reports a SealedSecret that no committed key of a cluster is known
// to open, or only one that it gave up.
func (d *document) sealedFor(a at, hint *yaml.Node, path, cluster string) {
	fingerprints := seal.Object{Annotations: map[string]string{seal.AnnotationKey: text(hint)}}.Hints()
	var others []string
	var former []config.Former
	for _, fingerprint := range fingerprints {
		for _, known := range d.file.Clusters[fingerprint] {
			if known == cluster {
				return
			}
			others = append(others, known)
		}
		for _, f := range d.file.Former[fingerprint] {
			if f.Cluster == cluster {
				former = append(former, f)
			} else {
				others = append(others, f.Cluster)
			}
		}
	}
	switch {
	case len(fingerprints) == 0:
	case len(former) > 0:
		d.sealedFormerly(a, hint, former)
	case len(others) > 0:
		slices.Sort(others)
		d.found(a, hint, Finding{Rule: WrongCluster, Message: fmt.Sprintf("sealed for %s, and the rule for %s names %s", strings.Join(slices.Compact(others), ", "), path, cluster)})
	default:
		d.found(a, hint, Finding{Rule: UnknownKey, Message: "sealed with a key that no rule knows, and the rule for " + path + " names cluster " + cluster})
	}
}

// sealedFormerly reports the best of the keys that a cluster gave up. One that
// was only replaced is as good as any.
func (d *document) sealedFormerly(a at, hint *yaml.Node, former []config.Former) {
	order := []keys.Fate{keys.WasReplaced, keys.WasRetired, keys.WasRevoked, keys.WasRemoved}
	best := slices.MinFunc(former, func(a, b config.Former) int {
		return slices.Index(order, a.Fate) - slices.Index(order, b.Fate)
	})
	f := Finding{Rule: RevokedKey, Message: fmt.Sprintf("sealed with a key of cluster %s that is %s: it does not open there", best.Cluster, best)}
	switch {
	case best.Fate == keys.WasReplaced:
		return
	case best.Fate.Opens():
		f = Finding{Rule: RetiredKey, Message: fmt.Sprintf("sealed with a key of cluster %s that is %s", best.Cluster, best)}
	}
	d.found(a, hint, f)
}
