package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"fuin.dev/render"
	"fuin.dev/render/reference"
	"fuin.dev/seal"
)

// A vaultMigration rewrites the references of one file.
type vaultMigration struct {
	file     string
	count    int      // references rewritten
	left     faults   // to be done by hand
	warnings []string // of what is of no use any longer
}

// places of references in a file.
type vaultPlace int

const (
	outside  vaultPlace = iota // none is resolved there
	resolved                   // the value of a Secret, or a template
	encoded                    // the same in base64
	literal                    // KEY=VALUE of a secretGenerator
	passed                     // text that a renderer may put into a longer one
)

func placeOf(t seal.Text) vaultPlace {
	way := strings.Join(t.Way, ".")
	group, _, _ := strings.Cut(t.APIVersion, "/")
	switch {
	case t.Kind == "Secret" && len(t.Way) == 2 && t.Way[0] == "stringData":
		return resolved
	case t.Kind == "Secret" && len(t.Way) == 2 && t.Way[0] == "data":
		return encoded
	case t.Kind == "SealedSecret" && len(t.Way) == 4 && strings.HasPrefix(way, "spec.template.data."):
		return resolved
	case (t.Kind == "" || t.Kind == "Kustomization") && len(t.Way) == 4 && t.Way[0] == "secretGenerator" && t.Way[2] == "literals":
		return literal
	case t.Kind == "" && (len(t.Way) == 0 || t.Way[0] != "configMapGenerator"):
		return passed
	case t.Kind == "Environment" && group == "fuin.dev" && (strings.HasPrefix(way, "spec.helm.values.") || strings.HasPrefix(way, "spec.jsonnet.externalVariables.")):
		return passed
	}
	return outside
}

// substitutions are what a text becomes; what is to be done by hand is noted.
func (m *vaultMigration) substitutions(t seal.Text) []seal.Substitution {
	with := reference.PlaceholdersOf(func(name string) string { return t.Annotations[name] })
	if len(t.Way) == 3 && t.Way[0] == "metadata" && t.Way[1] == "annotations" && m.annotation(t) {
		return nil
	}
	switch placeOf(t) {
	case encoded:
		return m.encoded(t, with)
	case literal:
		_, value, _ := strings.Cut(t.Value, "=")
		return m.plain(t, value, with, true)
	case resolved:
		return m.plain(t, t.Value, with, true)
	case passed:
		return m.plain(t, t.Value, with, false)
	}
	if found := reference.FindForeign(t.Value, with); len(found) > 0 {
		place, hint := render.Misplaced(t.Kind, t.Way)
		m.byHand(t, hint, "a reference to Vault stands in %s, where none is resolved", place)
	}
	return nil
}

// plain rewrites a text as it stands. The closing + stays off a reference that
// is the whole value for good.
func (m *vaultMigration) plain(t seal.Text, text string, with reference.Placeholders, whole bool) (made []seal.Substitution) {
	found := reference.FindForeign(text, with)
	if _, ok := m.rewrite(t, text, found); !ok {
		return nil
	}
	for _, f := range found {
		old, written := text[f.Offset:f.End], f.Reference.String()
		if whole && old == text {
			written = strings.TrimSuffix(written, "+")
		}
		made = append(made, seal.Substitution{Old: old, New: written})
	}
	m.count += len(found)
	return made
}

// rewrite is the whole text with our references; ok is false if there is
// nothing to do, or something only by hand.
func (m *vaultMigration) rewrite(t seal.Text, text string, found []reference.Foreign) (out string, ok bool) {
	ok = len(found) > 0
	for _, f := range found {
		if f.Encode && f.Err == nil {
			m.byHand(t, "take base64encode out if what reads it wants the value itself; else keep the value in base64 in Vault", "base64encode in text that is not encoded has no form here")
			ok = false
		}
		if f.Err != nil {
			m.byHand(t, f.Err.Hint(), "%s", f.Err.Message)
			ok = false
		}
	}
	if !ok {
		return "", false
	}
	out, err := reference.Rewrite(text, found)
	if err != nil {
		m.unread(t, err)
		return "", false
	}
	return out, true
}

func (m *vaultMigration) unread(t seal.Text, err error) {
	if e := (*reference.Error)(nil); errors.As(err, &e) {
		m.byHand(t, e.Hint(), "%s", e.Message)
	}
}

// encoded rewrites a value of data: references within base64, or one that
// stands there as it is, whose value is base64.
func (m *vaultMigration) encoded(t seal.Text, with reference.Placeholders) []seal.Substitution {
	if decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(t.Value)); err == nil {
		found := reference.FindForeign(string(decoded), with)
		return m.encode(t, string(decoded), found)
	}
	found := reference.FindForeign(t.Value, with)
	switch {
	case len(found) == 0:
		return nil
	case len(found) > 1 || found[0].End-found[0].Offset < len(t.Value) || !strings.HasPrefix(t.Value, "<"):
		m.byHand(t, "move it to stringData", "text beside a reference in data, where values are base64")
		return nil
	case found[0].Encode:
		found[0].Encode = false
	case found[0].Reference.Decode && found[0].Err == nil:
		m.byHand(t, "keep the value itself in Vault", "a value that is base64 twice")
		return nil
	default:
		found[0].Reference.Decode = true
	}
	return m.encode(t, t.Value, found)
}

func (m *vaultMigration) encode(t seal.Text, text string, found []reference.Foreign) []seal.Substitution {
	out, ok := m.rewrite(t, text, found)
	if !ok {
		return nil
	}
	m.count += len(found)
	return []seal.Substitution{{Old: t.Value, New: base64.StdEncoding.EncodeToString([]byte(out))}}
}

// annotation looks at one that tells another tool what to read, and reports
// whether it is one.
func (m *vaultMigration) annotation(t seal.Text) bool {
	name := t.Way[2]
	switch {
	case strings.HasPrefix(name, "vault.security.banzaicloud.io/") && strings.HasSuffix(name, "from-path"):
		m.byHand(t, "write a reference for each key into a Secret", "all keys of a path are taken at once, which has no form here")
	case strings.HasPrefix(name, "vault.security.banzaicloud.io/"), strings.HasPrefix(name, "avp.kubernetes.io/"):
		m.warnings = append(m.warnings, m.where(t)+": it says nothing to fuin; remove it when nothing else reads it")
	default:
		return false
	}
	return true
}

func (m *vaultMigration) byHand(t seal.Text, hint, format string, args ...any) {
	m.left = append(m.left, &fault{fmt.Errorf("%s: %s", m.where(t), fmt.Sprintf(format, args...)), hint, exitFindings})
}

// where is FILE:LINE: KIND NAME: FIELD.
func (m *vaultMigration) where(t seal.Text) string {
	at := fmt.Sprintf("%s:%d: ", m.file, t.Line)
	if t.Kind != "" {
		at += t.Kind + " " + strings.TrimPrefix(t.Namespace+"/"+t.Name, "/") + ": "
	}
	return at + render.FieldPath(t.Way)
}
