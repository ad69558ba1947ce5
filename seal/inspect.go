package seal

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"
	"go.yaml.in/yaml/v3"
)

// ValueInfo is what a sealed value tells without any key.
type ValueInfo struct {
	Encoding string   `json:"encoding"`          // rsa or age
	Size     int      `json:"size"`              // of the sealed bytes, without base64
	RSABits  int      `json:"rsaBits,omitempty"` // size of the RSA key
	Stanzas  []string `json:"stanzas,omitempty"` // types of the age stanzas, one a recipient, in their order
}

// Inspect reads the outside of a sealed value in base64.
func Inspect(sealed string) (ValueInfo, error) {
	raw, err := decode(sealed)
	if err != nil {
		return ValueInfo{}, err
	}
	if !bytes.HasPrefix(raw, []byte(ageMagic)) {
		size, err := rsaSize(raw)
		if err != nil {
			return ValueInfo{}, err
		}
		return ValueInfo{Encoding: "rsa", Size: len(raw), RSABits: size * 8}, nil
	}
	header, err := age.ExtractHeader(bytes.NewReader(raw))
	if err != nil {
		return ValueInfo{}, errAltered
	}
	info := ValueInfo{Encoding: "age", Size: len(raw)}
	for line := range strings.Lines(string(header)) {
		if stanza, ok := strings.CutPrefix(line, "-> "); ok {
			kind, _, _ := strings.Cut(strings.TrimSpace(stanza), " ")
			info.Stanzas = append(info.Stanzas, kind)
		}
	}
	return info, nil
}

// A Named is a Secret or SealedSecret of a file, by what it is called there.
type Named struct {
	Kind            string
	Namespace, Name string
	Scope           Scope // by its annotations
}

// Names lists the Secrets and SealedSecrets of a file, first the ones, then the
// others.
func Names(data []byte) ([]Named, error) {
	docs, err := documents(data)
	if err != nil {
		return nil, err
	}
	var out []Named
	for _, kind := range []string{"Secret", "SealedSecret"} {
		w := &walk{want: kind}
		w.convert = func(n *yaml.Node) (*yaml.Node, error) {
			meta := get(n, "metadata")
			out = append(out, Named{kind, text(get(meta, "namespace")), text(get(meta, "name")), ScopeOf(stringMap(get(meta, "annotations")))})
			return n, nil
		}
		for _, d := range docs {
			if d.root == nil {
				continue
			}
			if _, err := w.object(&d.root); err != nil {
				return nil, d.at(err)
			}
		}
	}
	return out, nil
}

// ObjectInfo is what a SealedSecret tells without any key.
type ObjectInfo struct {
	Namespace string            `json:"namespace,omitempty"`
	Name      string            `json:"name"`
	Scope     Scope             `json:"scope"`
	Keys      []string          `json:"keys,omitempty"` // fingerprints it claims were used: a hint
	Values    []KeyInfo         `json:"values"`         // in the order of the file
	Templates []string          `json:"templates,omitempty"`
	Texts     map[string]string `json:"-"`                // of the templates, by key
	Legacy    bool              `json:"legacy,omitempty"` // the V1 format
	Size      int               `json:"size"`             // of its document as it stands in the file, in bytes
}

// KeyInfo is a sealed value under its key, or why it is none.
type KeyInfo struct {
	Key string `json:"key"`
	ValueInfo
	Error string `json:"error,omitempty"`
}

// InspectManifest describes every SealedSecret in a file. The error wraps
// [ErrNothing] if there is none.
func InspectManifest(data []byte) ([]ObjectInfo, error) {
	var out []ObjectInfo
	err := each(data, func(d *document, n *yaml.Node) error {
		info, err := inspectObject(n)
		info.Size = len(d.raw)
		out = append(out, info)
		return err
	})
	return out, err
}

func inspectObject(n *yaml.Node) (ObjectInfo, error) {
	ob, err := readObject(n)
	info := ObjectInfo{
		Namespace: ob.Namespace, Name: ob.Name, Scope: ob.Scope(), Keys: ob.Hints(), Legacy: ob.Legacy != nil,
		Values: []KeyInfo{}, Templates: slices.Sorted(maps.Keys(ob.Templates)), Texts: ob.Templates,
	}
	values := get(n, "spec", "encryptedData")
	for i := 0; values != nil && i+1 < len(values.Content); i += 2 {
		k := KeyInfo{Key: values.Content[i].Value}
		var failed error
		if k.ValueInfo, failed = Inspect(text(values.Content[i+1])); failed != nil {
			k.Error = failed.Error()
		}
		info.Values = append(info.Values, k)
	}
	return info, err
}
