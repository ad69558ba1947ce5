package check

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func isKustomization(name string) bool {
	switch path.Base(name) {
	case "kustomization.yaml", "kustomization.yml", "Kustomization":
		return true
	}
	return false
}

// kustomization checks generators and patches.
func (d *document) kustomization(a at, n *yaml.Node) bool {
	a.object, a.rule = "Kustomization", PlaintextField
	for i := 0; i+1 < len(n.Content); i += 2 {
		below := a.below(n.Content[i])
		value := resolved(n.Content[i+1])
		switch n.Content[i].Value {
		case "secretGenerator":
			below.rule = SecretGenerator
			d.generators(below, value)
		case "configMapGenerator":
			below.rule = ConfigMap
			d.generators(below, value)
		case "patches", "patchesJson6902":
			d.patches(below, value)
		default:
			d.node(below, n.Content[i+1])
		}
	}
	return true
}

func (d *document) generators(a at, list *yaml.Node) {
	if list.Kind != yaml.SequenceNode {
		return
	}
	for _, g := range list.Content {
		g = resolved(g)
		a.object = strings.TrimSuffix(a.rule, "-generator") + "Generator " + text(get(g, "name"))
		if a.rule == ConfigMap {
			a.object = "configMapGenerator " + text(get(g, "name"))
		}
		for _, field := range []string{"literals", "envs", "env", "files"} {
			k, items := entry(g, field)
			if k == nil {
				continue
			}
			below := a.below(k)
			each(items, func(item *yaml.Node) {
				d.remember(below, item)
				if field == "literals" {
					d.literal(below, item)
				} else if a.rule == SecretGenerator {
					d.sourceFile(below, item)
				}
			})
		}
	}
}

func each(n *yaml.Node, visit func(*yaml.Node)) {
	if n.Kind == yaml.ScalarNode {
		visit(n)
		return
	}
	for _, item := range n.Content {
		if item = resolved(item); item.Kind == yaml.ScalarNode {
			visit(item)
		}
	}
}

func (d *document) literal(a at, n *yaml.Node) {
	key, value, ok := strings.Cut(n.Value, "=")
	if !ok {
		return
	}
	value = strings.Trim(value, `"'`)
	a.key = key
	where := inSecret
	if a.rule == ConfigMap {
		where = inField
		d.misplaced(a, n)
	}
	d.reference(a, n)
	if isPlain(key, value, where) {
		d.plain(a, key, n)
	}
}

// sourceFile reports a file of the repository that a secretGenerator reads.
// Certificates are no secret; what is not committed is not known to be any.
func (d *document) sourceFile(a at, n *yaml.Node) {
	key, name, ok := strings.Cut(n.Value, "=")
	if !ok {
		name = n.Value
		key = path.Base(name)
	}
	if IsPublicFile(name) || path.IsAbs(name) || strings.Contains(name, "://") {
		return
	}
	full := path.Join(path.Dir(d.file.name), name)
	if d.file.Exists == nil || !d.file.Exists(full) {
		return
	}
	a.key = key
	d.found(a, n, Finding{Rule: SecretGenerator, Message: "a Secret is made of a file that is in the repository, " + quoteKey(full)})
}

// IsPublicFile goes by the name: certificates and public keys are no secret.
func IsPublicFile(name string) bool {
	return strings.HasSuffix(name, ".crt") || strings.HasSuffix(name, ".pub")
}

// patches checks what kustomize changes. A patch of a Secret may leave out
// that it is one where the target says so.
func (d *document) patches(a at, list *yaml.Node) {
	if list.Kind != yaml.SequenceNode {
		return
	}
	for _, p := range list.Content {
		p = resolved(p)
		_, patch := entry(p, "patch")
		if !isSecretKind(text(get(p, "target", "kind"))) || patch == nil {
			d.node(a, p)
			continue
		}
		below := a
		below.object = strings.TrimSpace("Secret " + text(get(p, "target", "name")))
		below.rule = PlaintextSecret
		d.secretPatch(below, patch)
	}
}

func (d *document) secretPatch(a at, n *yaml.Node) {
	var root yaml.Node
	if yaml.Unmarshal([]byte(n.Value), &root) != nil || len(root.Content) == 0 {
		return
	}
	d.remember(a, n)
	inner := d.inside(a, n)
	doc := root.Content[0]
	if doc.Kind == yaml.MappingNode {
		inner.object = a.object
		d.secret(inner, withMetadata(doc))
		return
	}
	for _, op := range doc.Content {
		where := strings.Split(text(get(op, "path")), "/")
		_, value := entry(op, "value")
		if value == nil || len(where) < 2 || where[1] != "data" && where[1] != "stringData" {
			continue
		}
		if len(where) > 2 {
			inner.key = where[2]
			d.secretValue(inner, where[2], value, where[1] == "data")
			continue
		}
		d.entries(inner, value, 0, func(a at, key string, v *yaml.Node) { d.secretValue(a, key, v, where[1] == "data") })
	}
}

// withMetadata lets a patch that names nothing pass for the object it patches.
func withMetadata(n *yaml.Node) *yaml.Node {
	if get(n, "metadata") != nil {
		return n
	}
	out := *n
	out.Content = slices.Concat(n.Content, []*yaml.Node{{Kind: yaml.ScalarNode, Value: "metadata"}, {Kind: yaml.MappingNode}})
	return &out
}
