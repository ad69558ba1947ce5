package engine

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"fuin.dev/render/wire"

	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// output takes over the objects of what Helm rendered, by template: CRDs
// first, then the templates in the order of their names.
func (c *helmChart) output(rendered map[string]string) error {
	if err := c.crds(c.Chart); err != nil {
		return err
	}
	for _, name := range sortedKeys(rendered) {
		if strings.HasSuffix(name, "NOTES.txt") {
			continue
		}
		objects, err := documents(c.templates[name].origin, rendered[name], "renders to")
		if err != nil {
			return err
		}
		for _, o := range objects {
			if err := c.hashes.refuse(o); err != nil {
				return err
			}
			c.sort(o)
		}
	}
	return nil
}

// crds takes over the files in crds/ of a chart and of its subcharts, which
// are no templates.
func (c *helmChart) crds(of *chart.Chart) error {
	for _, f := range of.Files {
		if !strings.HasPrefix(f.Name, "crds/") || !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(f.Name)) {
			continue
		}
		objects, err := documents(c.origins[f], string(f.Data), "holds")
		if err != nil {
			return err
		}
		for _, o := range objects {
			c.result.objects = append(c.result.objects, o.Object)
		}
	}
	for _, sub := range of.Dependencies() {
		if err := c.crds(sub); err != nil {
			return err
		}
	}
	return nil
}

// hookAnnotation means something to Helm alone.
const hookAnnotation = "helm.sh/hook"

// sort keeps an object of a template, unless it is a hook: what Helm runs once
// at a step of its own cannot be a state to keep up.
func (c *helmChart) sort(o chartObject) {
	if hook, ok := o.head.Metadata.Annotations[hookAnnotation]; ok {
		c.result.note(o.File, 0, "makes %s, a hook (%s), which is not applied: only Helm runs hooks; "+
			"remove the annotation %s to have it applied with the rest", o.head.name(), hookEvents(hook), hookAnnotation)
		return
	}
	c.result.objects = append(c.result.objects, o.Object)
}

// hookEvents are the events of a hook that Helm knows: another word could be
// anything.
func hookEvents(annotation string) string {
	known := []string{
		"pre-install", "post-install", "pre-delete", "post-delete", "pre-upgrade", "post-upgrade",
		"pre-rollback", "post-rollback", "test", "test-success", "test-failure", "crd-install",
	}
	var events []string
	for event := range strings.SplitSeq(annotation, ",") {
		event = strings.ToLower(strings.TrimSpace(event))
		if !slices.Contains(known, event) {
			event = "unknown to Helm"
		}
		events = append(events, event)
	}
	return abridged(slices.Compact(events))
}

// A chartObject is an object that a chart makes.
type chartObject struct {
	wire.Object
	head objectHead
}

// objectHead is what of an object has to be known.
type objectHead struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

func (h objectHead) name() string {
	name := h.Metadata.Name
	if h.Metadata.Namespace != "" {
		name = h.Metadata.Namespace + "/" + name
	}
	return abridge(h.Kind + " " + name)
}

// separator is where Helm ends a document: also before what follows on the
// same line.
var separator = regexp.MustCompile(`(?m)^---[ \t]*`)

// documents reads the objects of a text of many documents as Helm does. The
// verb tells what the text is to its origin.
func documents(from origin, text, verb string) ([]chartObject, error) {
	var out []chartObject
	for _, doc := range separator.Split(strings.TrimLeftFunc(text, unicode.IsSpace), -1) {
		d := document{[]byte(strings.TrimLeftFunc(doc, unicode.IsSpace)), 1}
		if len(d.text) == 0 {
			continue
		}
		m, err := d.parse()
		if err != nil {
			f := yamlFault(from.file, d, err)
			f.line, f.message = 0, verb+" what "+f.message+from.within()
			return nil, f.advise("helm template shows what it is")
		}
		if m.json == nil {
			continue
		}
		var head objectHead
		if json.Unmarshal(m.json, &head) != nil || head.APIVersion == "" || head.Kind == "" {
			return nil, blame(wire.NotAnObject, from.file, 0, "%s a document that is no object of Kubernetes%s", verb, from.within()).
				advise("every document has apiVersion, kind and metadata")
		}
		out = append(out, chartObject{wire.Object{Content: m.json, File: from.file}, head})
	}
	return out, nil
}

// abridged lists the first few names.
func abridged(names []string) string {
	const most = 8
	if len(names) > most {
		names = append(slices.Clone(names[:most]), "…")
	}
	return abridge(strings.Join(names, ", "))
}

// abridge makes a text fit into a message: one line, not too long.
func abridge(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
