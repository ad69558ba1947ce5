package environment

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/render"
	"fuin.dev/render/reference"
)

// A Secret whose values all hold references to Vault is as good as sealed: it is
// applied as a SealedSecret that has these values as templates, so that the
// opener makes the Secret, keeps it up to date and reports, as of any other.

// refer finds references: where they may not stand they are refused, and a Secret
// that holds some becomes a SealedSecret.
func (p *pass) refer() *failure {
	var refused []string
	for _, o := range p.set.Objects {
		found, err := render.References(o)
		if err != nil {
			refused = append(refused, whyRefused(err))
			continue
		}
		if len(found) == 0 || idOf(o).groupKind() != secretKind || malformed(o.Content) != "" {
			p.referring = append(p.referring, referring{Object: o})
			continue
		}
		one, fault := p.asSealed(o, found)
		if fault != "" {
			refused = append(refused, fmt.Sprintf("%s: %s: %s", whereOf(o.File), idOf(o), fault))
		}
		p.referring = append(p.referring, one)
	}
	if len(refused) > 0 {
		return fail("InvalidReference", "%s", atMost(refused, 3))
	}
	return nil
}

// whyRefused is a fault of references with what to do about it; of several, the
// first.
func whyRefused(err error) string {
	text := withHint(err)
	var faults render.ReferenceErrors
	if errors.As(err, &faults) && len(faults) > 0 {
		text = withHint(faults[0])
		if len(faults) > 1 {
			text += fmt.Sprintf(" (and %d more like it)", len(faults)-1)
		}
	}
	return text
}

// referring is an object of the set as it will be applied.
type referring struct {
	render.Object
	refers bool     // a Secret that holds references, as a SealedSecret
	plain  []string // keys of it without one
}

// asSealed makes the SealedSecret of a Secret, unless values without references
// keep it from that; these are refused later. The fault is why it cannot be.
func (p *pass) asSealed(o render.Object, found []render.Referring) (one referring, fault string) {
	one = referring{Object: o}
	texts, fault := textsOf(o.Content)
	if fault != "" {
		return one, fault
	}
	holds := map[string]bool{}
	for _, f := range found {
		holds[f.Key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		switch {
		case holds[key]:
		case !utf8.ValidString(texts[key]):
			return one, fmt.Sprintf("key %q is no text, and stands beside references: seal it, in a Secret of its own", key)
		default:
			one.plain = append(one.plain, key)
		}
	}
	if len(one.plain) > 0 && p.env.Spec.Secrets.Plaintext != "Allow" {
		return one, ""
	}
	one.refers, one.Content = true, sealedOf(o, texts)
	return one, ""
}

// textsOf are the values of a Secret as the API server reads them: stringData
// over data.
func textsOf(secret map[string]any) (texts map[string]string, fault string) {
	texts = map[string]string{}
	data, _ := secret["data"].(map[string]any)
	for key, value := range data {
		text, _ := value.(string)
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Sprintf("key %q of data is no base64", key)
		}
		texts[key] = string(decoded)
	}
	given, _ := secret["stringData"].(map[string]any)
	for key, value := range given {
		text, isText := value.(string)
		if !isText && value != nil {
			return nil, fmt.Sprintf("key %q of stringData is no text: put it in quotes", key)
		}
		texts[key] = text
	}
	return texts, ""
}

// sealedOf is the SealedSecret that makes a Secret of these texts. What of the
// annotations tells Fuin or Helm how to treat the object stands on it.
func sealedOf(o render.Object, texts map[string]string) map[string]any {
	from, _ := o.Content["metadata"].(map[string]any)
	annotations, _ := from["annotations"].(map[string]any)
	own, others := map[string]any{}, map[string]any{}
	for name, value := range annotations {
		if strings.HasPrefix(name, "fuin.dev/") || name == helmPolicy {
			own[name] = value
		} else {
			others[name] = value
		}
	}
	templates := map[string]any{}
	for key, text := range texts {
		templates[key] = reference.Template(text)
	}
	template := map[string]any{"data": templates, "metadata": filled(map[string]any{"labels": from["labels"], "annotations": others})}
	for _, field := range []string{"type", "immutable"} {
		if value, given := o.Content[field]; given {
			template[field] = value
		}
	}
	return map[string]any{
		"apiVersion": bitnami.GroupVersion.String(), "kind": bitnami.Kind,
		"metadata": filled(map[string]any{"name": o.Name(), "namespace": from["namespace"], "labels": from["labels"], "annotations": own}),
		"spec":     map[string]any{"encryptedData": map[string]any{}, "template": template},
	}
}

// filled leaves out what is empty.
func filled(fields map[string]any) map[string]any {
	for name, value := range fields {
		if m, isMap := value.(map[string]any); value == nil || isMap && len(m) == 0 {
			delete(fields, name)
		}
	}
	return fields
}
