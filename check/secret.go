package check

import (
	"encoding/base64"
	"strings"

	"go.yaml.in/yaml/v3"
)

// secret checks a Secret; false for what is none, as a reference to one.
func (d *document) secret(a at, n *yaml.Node) bool {
	_, data := entry(n, "data")
	_, stringData := entry(n, "stringData")
	if data == nil && stringData == nil && get(n, "metadata") == nil {
		return false
	}
	if a.rule != CopyOfObject {
		a.rule = PlaintextSecret
	}
	d.metadata(a, get(n, "metadata"))
	public := argoFields(n)
	for _, field := range []string{"data", "stringData"} {
		k, m := entry(n, field)
		if k == nil {
			continue
		}
		d.entries(a.below(k), m, 0, func(a at, key string, v *yaml.Node) {
			if !public[key] || strings.Contains(v.Value, "@") {
				d.secretValue(a, key, v, field == "data")
			}
		})
	}
	return true
}

// argoFields are those that tell Argo CD of a repository, and are no secret.
func argoFields(n *yaml.Node) map[string]bool {
	if text(get(n, "metadata", "labels", "argocd.argoproj.io/secret-type")) == "" {
		return nil
	}
	return map[string]bool{"type": true, "url": true, "name": true, "project": true, "server": true, "enableOCI": true, "insecure": true, "namespaces": true}
}

// entries visits a mapping, what it merges included.
func (d *document) entries(a at, m *yaml.Node, depth int, visit func(a at, key string, v *yaml.Node)) {
	if m = resolved(m); m == nil || m.Kind != yaml.MappingNode || depth > 10 {
		return
	}
	for i := 0; i+1 < len(m.Content) && d.budget > 0; i += 2 {
		d.budget--
		k, v := m.Content[i], m.Content[i+1]
		below := a.below(k)
		if v.Kind == yaml.AliasNode {
			below.fixed, below.indent = a.line(v), a.column(v)
			v = v.Alias
		}
		switch {
		case k.Tag == "!!merge" && v.Kind == yaml.SequenceNode:
			for _, source := range v.Content {
				d.entries(below, source, depth+1, visit)
			}
		case k.Tag == "!!merge":
			d.entries(below, v, depth+1, visit)
		default:
			visit(below, k.Value, v)
		}
	}
}

func (d *document) secretValue(a at, key string, v *yaml.Node, encoded bool) {
	d.remember(a, v)
	if v.Kind != yaml.ScalarNode {
		d.node(a, v)
		return
	}
	value := text(v)
	if !encoded {
		d.reference(a, v)
		d.tokens(a, v, value)
	}
	if !isPlain(key, value, inSecret) {
		return
	}
	if encoded {
		if decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), "")); err == nil {
			d.values[key] = decoded
			d.references(a, v, string(decoded))
			d.tokens(a, v, string(decoded))
			if inner := string(decoded); isText(decoded) && !isPlain(key, inner, inSecret) {
				return
			}
		}
	} else {
		d.values[key] = []byte(value)
	}
	d.plain(a, key, v)
}

// secretList completes the items, of which an API server leaves out the kind.
func (d *document) secretList(a at, n *yaml.Node) bool {
	items := get(n, "items")
	if items == nil || items.Kind != yaml.SequenceNode {
		return false
	}
	for _, item := range items.Content {
		if item = resolved(item); item.Kind == yaml.MappingNode {
			a.object = objectName("Secret", item)
			d.secret(a, item)
		}
	}
	return true
}

// copied checks the copy of an object in an annotation.
func (d *document) copied(a at, n *yaml.Node) {
	if isSecretKind(text(get(n, "kind"))) {
		for _, field := range []string{"data", "stringData"} {
			k, m := entry(n, field)
			if k != nil {
				d.entries(a, m, 0, func(a at, key string, v *yaml.Node) { d.secretValue(a, key, v, field == "data") })
			}
		}
		return
	}
	d.node(a, n)
}

// isSecretKind also takes what Kubernetes would refuse: it stays in plain.
func isSecretKind(kind string) bool { return strings.EqualFold(strings.TrimSpace(kind), "Secret") }

// configMap checks what stands in a ConfigMap.
func (d *document) configMap(a at, n *yaml.Node) bool {
	a.rule = ConfigMap
	d.metadata(a, get(n, "metadata"))
	for _, field := range []string{"data", "binaryData"} {
		k, m := entry(n, field)
		if k == nil {
			continue
		}
		d.entries(a.below(k), m, 0, func(a at, _ string, v *yaml.Node) { d.node(a, v) })
	}
	return true
}

// kubeConfig checks the users of a kubeconfig.
func (d *document) kubeConfig(a at, n *yaml.Node) bool {
	users := get(n, "users")
	if users == nil || users.Kind != yaml.SequenceNode {
		return false
	}
	a.object, a.rule = "Config", KubeConfig
	for _, item := range users.Content {
		user := get(item, "user")
		name := text(get(item, "name"))
		for _, field := range []string{"token", "password", "client-key-data"} {
			if k, v := entry(user, field); k != nil && isPlain(field, text(v), inSecret) {
				a.object = strings.TrimSpace("Config user " + name)
				d.plain(a.below(k), field, v)
			}
		}
	}
	return true
}
