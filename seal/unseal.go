package seal

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readObject reads a SealedSecret's node. Only the older format has an error.
func readObject(n *yaml.Node) (Object, error) {
	meta, spec := get(n, "metadata"), get(n, "spec")
	ob := Object{
		Namespace: text(get(meta, "namespace")), Name: text(get(meta, "name")),
		Annotations: stringMap(get(meta, "annotations")),
		Values:      stringMap(get(spec, "encryptedData")),
		Templates:   stringMap(get(spec, "template", "data")),
	}
	if legacy := text(get(spec, "data")); legacy != "" {
		raw, err := decode(legacy)
		if err != nil {
			return ob, refuseAt(n.Line, "", "SealedSecret %s/%s: spec.data: %v", ob.Namespace, ob.Name, err)
		}
		ob.Legacy = raw
	}
	return ob, nil
}

// sealedSecret makes the Secret of a SealedSecret.
func (o Opener) sealedSecret(ctx context.Context, n *yaml.Node, w *walk) (*yaml.Node, error) {
	ob, err := readObject(n)
	if err != nil {
		return nil, err
	}
	standing, err := o.standing(ob, n.Line)
	if err != nil {
		return nil, err
	}
	opened, err := o.Object(ctx, standing)
	if err != nil {
		return nil, err
	}
	w.result.Objects = append(w.result.Objects, ob.Namespace+"/"+ob.Name)
	template := get(n, "spec", "template")
	if opened.Legacy != nil {
		template = opened.Legacy.node()
	}
	out := mapping()
	set(out, "apiVersion", scalar("v1"))
	set(out, "kind", scalar("Secret"))
	set(out, "metadata", openedMetadata(ob, get(template, "metadata")))
	move(out, template, "type")
	move(out, template, "immutable")
	set(out, "data", dataNode(opened.Data))
	return out, nil
}

// standing is the object where it will stand.
func (o Opener) standing(ob Object, line int) (Object, error) {
	at, err := o.Final.of(ob.Place(""))
	if err != nil {
		return ob, refusal(line, "SealedSecret "+strings.TrimPrefix(ob.Namespace+"/"+ob.Name, "/")+": ", err)
	}
	ob.Namespace, ob.Name = at.Namespace, at.Name
	return ob, nil
}

// openedMetadata is the template's; only the SealedSecret decides the place.
func openedMetadata(ob Object, template *yaml.Node) *yaml.Node {
	out := mapping()
	set(out, "name", scalar(ob.Name))
	if ob.Namespace != "" {
		set(out, "namespace", scalar(ob.Namespace))
	}
	if template == nil {
		return out
	}
	for i := 0; i+1 < len(template.Content); i += 2 {
		key := template.Content[i].Value
		if key != "name" && key != "namespace" && !slices.Contains(serverMetadata, key) {
			out.Content = append(out.Content, template.Content[i], template.Content[i+1])
		}
	}
	return out
}

func dataNode(data map[string][]byte) *yaml.Node {
	out := mapping()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		set(out, key, scalar(base64.StdEncoding.EncodeToString(data[key])))
	}
	return out
}

// node lays a V1 Secret's metadata out as a template's.
func (l *LegacySecret) node() *yaml.Node {
	out, meta := mapping(), mapping()
	setMap(meta, "labels", l.Labels)
	setMap(meta, "annotations", l.Annotations)
	set(out, "metadata", meta)
	if l.Type != "" {
		set(out, "type", scalar(l.Type))
	}
	if l.Immutable != nil {
		n := &yaml.Node{}
		_ = n.Encode(*l.Immutable) // a boolean always encodes
		set(out, "immutable", n)
	}
	return out
}

func setMap(to *yaml.Node, field string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	entries := mapping()
	for _, key := range slices.Sorted(maps.Keys(m)) {
		set(entries, key, scalar(m[key]))
	}
	set(to, field, entries)
}

// Objects reads every SealedSecret in a file, and refuses a file with more
// than atMost of them. The error wraps [ErrNothing] if there is none.
func Objects(data []byte, atMost int) ([]Object, error) {
	var out []Object
	err := each(data, func(_ *document, n *yaml.Node) error {
		if len(out) == atMost {
			return refuseAt(n.Line, "split it", "more than %d SealedSecrets", atMost)
		}
		ob, err := readObject(n)
		out = append(out, ob)
		return err
	})
	return out, err
}

// each visits every SealedSecret in a file, with the document it stands in.
func each(data []byte, visit func(*document, *yaml.Node) error) error {
	docs, err := documents(data)
	if err != nil {
		return err
	}
	w := &walk{want: "SealedSecret"}
	found := false
	for _, d := range docs {
		if d.root == nil {
			continue
		}
		w.convert = func(n *yaml.Node) (*yaml.Node, error) {
			found = true
			return n, visit(d, n)
		}
		if _, err := w.object(&d.root); err != nil {
			return d.at(err)
		}
	}
	if !found {
		return w.nothing()
	}
	return nil
}
