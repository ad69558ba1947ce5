package check

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds the nesting of documents, and of documents in them.
const (
	maxDepth    = 200
	maxEmbedded = 4
)

// node visits a node whose context is known.
func (d *document) node(a at, n *yaml.Node) {
	if d.budget--; d.budget < 0 || n == nil || len(a.within) > maxDepth {
		d.budget = min(d.budget, -1)
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		d.alias(a, n)
	case yaml.MappingNode:
		d.mapping(a, n)
	case yaml.SequenceNode:
		d.sequence(a, n)
	case yaml.ScalarNode:
		d.scalar(a, n)
	}
}

// alias visits what it stands for, reported where it stands.
func (d *document) alias(a at, n *yaml.Node) {
	a.fixed, a.indent = a.line(n), a.column(n)
	a.within = append(a.within[:len(a.within):len(a.within)], n.Line)
	d.node(a, n.Alias)
}

func (d *document) mapping(a at, n *yaml.Node) {
	if d.object(a, n) {
		return
	}
	if d.operation(a, n) {
		return
	}
	name := pairName(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		below := a.below(n.Content[i])
		if name != "" && n.Content[i].Value == "value" {
			below.key = name
		}
		d.node(below, n.Content[i+1])
	}
}

// object visits an object of Kubernetes of a kind that is known; false for all
// else.
func (d *document) object(a at, n *yaml.Node) bool {
	kind := strings.TrimSpace(text(get(n, "kind")))
	if kind == "" {
		if isKustomization(d.file.name) && len(a.within) == 0 {
			d.kustomization(a, n)
			return true
		}
		return false
	}
	read := kinds[strings.ToLower(kind)]
	apiVersion := text(get(n, "apiVersion"))
	if read.visit == nil || read.group != "" && !strings.HasPrefix(apiVersion, read.group) {
		if apiVersion != "" || get(n, "metadata") != nil {
			d.other(a, n, kind)
			return true
		}
		return false
	}
	a.object = objectName(kind, n)
	return read.visit(d, a, n)
}

// kinds are read in a way of their own; group is how their apiVersion begins.
// It returns false for what only shares the name.
var kinds map[string]struct {
	group string
	visit func(*document, at, *yaml.Node) bool
}

func init() {
	kinds = map[string]struct {
		group string
		visit func(*document, at, *yaml.Node) bool
	}{
		"secret":        {"", (*document).secret},
		"secretlist":    {"", (*document).secretList},
		"sealedsecret":  {"bitnami.com/", (*document).sealedSecret},
		"kustomization": {"kustomize.config.k8s.io/", (*document).kustomization},
		"component":     {"kustomize.config.k8s.io/", (*document).kustomization},
		"configmap":     {"v1", (*document).configMap},
		"config":        {"v1", (*document).kubeConfig},
	}
}

// declarations are kinds whose fields name secrets that are elsewhere.
var declarations = map[string]bool{
	"ExternalSecret": true, "ClusterExternalSecret": true, "PushSecret": true, "CustomResourceDefinition": true,
	"SecretProviderClass": true, "VaultStaticSecret": true, "VaultDynamicSecret": true, "VaultConnection": true,
	"Certificate": true, "Issuer": true, "ClusterIssuer": true, "Role": true, "ClusterRole": true, "ValidatingAdmissionPolicy": true,
	"ClusterPolicy": true, "Policy": true, "NetworkPolicy": true, "EncryptionConfig": false, "Generator": true, "Password": true,
}

// other visits an object of any other kind.
func (d *document) other(a at, n *yaml.Node, kind string) {
	a.object, a.rule = objectName(kind, n), PlaintextField
	switch kind {
	case "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet", "Rollout", "PodTemplate", "ReplicationController",
		"Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow", "Sensor", "EventSource", "Task", "Pipeline", "TaskRun", "PipelineRun":
		a.rule = Workload
	case "HelmRelease", "Application", "ApplicationSet", "HelmChartConfig", "HelmChart":
		a.rule = HelmValues
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Value == "metadata":
			d.metadata(a, value)
		case !declarations[kind]:
			d.node(a.below(key), value)
		case d.budget > 0:
			d.note(a.below(key), value)
		}
	}
}

// note visits what is only looked at for misplaced tokens, and for its lines.
func (d *document) note(a at, n *yaml.Node) {
	if d.budget--; d.budget < 0 || len(a.within) > maxDepth {
		return
	}
	if n.Kind == yaml.ScalarNode {
		d.remember(a, n)
	}
	for i, child := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			d.note(a, child)
		case i%2 == 1:
			d.note(a.below(n.Content[i-1]), child)
		}
	}
}

// metadata looks for copies of objects in annotations.
func (d *document) metadata(a at, n *yaml.Node) {
	for _, field := range []string{"annotations", "labels"} {
		m := get(n, field)
		if m == nil || m.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			below := a.below(m.Content[i])
			d.remember(below, m.Content[i+1])
			d.misplaced(below, m.Content[i+1])
			if value := text(m.Content[i+1]); strings.Contains(value, `"data"`) || strings.Contains(value, `"stringData"`) {
				below.rule = CopyOfObject
				d.embedded(below, m.Content[i+1])
			}
		}
	}
}

// pairName is the name of {name: X, value: Y}, as in the environment of
// containers and the parameters of charts and pipelines; else "".
func pairName(n *yaml.Node) string {
	if value := get(n, "value"); value == nil || value.Kind != yaml.ScalarNode {
		return ""
	}
	for _, field := range []string{"name", "key", "parameter"} {
		if name := text(get(n, field)); name != "" {
			return name[strings.LastIndexByte(name, '.')+1:]
		}
	}
	return ""
}

// operation visits one of a JSON patch, if it sets a value by its path.
func (d *document) operation(a at, n *yaml.Node) bool {
	k, value := entry(n, "value")
	where := strings.Split(text(get(n, "path")), "/")
	if k == nil || get(n, "op") == nil || len(where) < 2 {
		return false
	}
	below := a.below(k)
	below.key = where[len(where)-1]
	if len(where) > 2 && where[1] == "stringData" {
		below.rule = PlaintextSecret
		d.secretValue(below, below.key, value, false)
		return true
	}
	d.node(below, value)
	return true
}

func (d *document) sequence(a at, n *yaml.Node) {
	flag := ""
	for _, item := range n.Content {
		if s := text(resolved(item)); s != "" {
			if flag != "" && isPlain(flag, s, inField) && !strings.HasPrefix(s, "-") {
				d.plain(a, flag, item)
			}
			flag = flagName(s)
			d.scalar(a, item)
			continue
		}
		flag = ""
		d.node(a, item)
	}
}

// flagName is that of an argument whose value is the next one.
func flagName(s string) string {
	if strings.HasPrefix(s, "-") && !strings.ContainsAny(s, "= \n") {
		return strings.TrimLeft(s, "-")
	}
	return ""
}

// scalar checks a value by the name of its field, and else what it holds.
func (d *document) scalar(a at, n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		d.alias(a, n)
		return
	}
	d.remember(a, n)
	d.misplaced(a, n)
	if n.Tag == "!!null" || n.Tag == "!!bool" || n.Value == "" {
		return
	}
	isNumber := n.Tag == "!!int" || n.Tag == "!!float"
	switch {
	case isNumber && (senseOf(a.key) != password || len(n.Value) < 4):
	case !strings.Contains(strings.TrimSpace(n.Value), "\n") && isPlain(a.key, n.Value, inField):
		d.plain(a, a.key, n)
	case !isNumber:
		d.embedded(a, n)
	}
}

// remember notes where a scalar stands: to name what patterns find, and since
// # begins no comment in it.
func (d *document) remember(a at, n *yaml.Node) {
	if n == nil || n.Kind != yaml.ScalarNode {
		return
	}
	first, last := a.line(n), d.end(a, n)
	d.texts = append(d.texts, span{first, last, a.object, a.key, a.within})
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && a.fixed == 0 {
		d.blocks = append(d.blocks, [2]int{first + 1, last})
	}
}

func objectName(kind string, n *yaml.Node) string {
	name, namespace := text(get(n, "metadata", "name")), text(get(n, "metadata", "namespace"))
	if namespace != "" {
		name = namespace + "/" + name
	}
	return strings.TrimSpace(kind + " " + name)
}
