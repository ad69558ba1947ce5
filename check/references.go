package check

import (
	"cmp"
	"errors"
	"strings"

	"fuin.dev/render/reference"
	"fuin.dev/seal"
	"go.yaml.in/yaml/v3"
)

// misplaced reports sealed tokens and Vault references that stand where nothing
// resolves them: in an object that is no Secret and not a chart's values.
func (d *document) misplaced(a at, n *yaml.Node) {
	value := text(n)
	switch a.rule {
	case PlaintextSecret, SecretGenerator:
		d.reference(a, n)
		d.tokens(a, n, value)
		return
	case HelmValues:
		if d.renderedElsewhere(a, n, value) {
			return
		}
		d.reference(a, n)
		d.tokens(a, n, value)
		return
	case PlaintextField:
		if a.object == "" || strings.HasPrefix(a.object, "Kustomization") {
			d.tokens(a, n, value)
			return
		}
	}
	if strings.Contains(value, "fuin1") && len(seal.FindTokens(value)) > 0 {
		d.found(a, n, Finding{Rule: TokenMisplaced, Message: "a sealed token stands in plain text here; it becomes a value in a Secret only"})
	}
	if a.rule != SealedTemplate && a.rule != CopyOfObject && strings.Contains(value, vaultScheme) {
		d.found(a, n, Finding{Rule: ReferenceMisplaced, Message: "a Vault reference is not resolved here; it is in a Secret only"})
	}
}

// renderedElsewhere reports a token in an object of which another controller
// renders a chart: nothing converts what that makes.
func (d *document) renderedElsewhere(a at, n *yaml.Node, value string) bool {
	if a.object == "" || !strings.Contains(value, "fuin1") || len(seal.FindTokens(value)) == 0 {
		return false
	}
	kind, _, _ := strings.Cut(a.object, " ")
	found := Finding{
		Rule: TokenMisplaced, Object: a.object, Key: a.key,
		Message: "a sealed token stands in a " + kind + ", whose chart is rendered where nothing turns tokens into values",
	}
	found.Hint = elsewhereHint(found)
	d.found(a, n, found)
	return true
}

// elsewhereHint is for values of charts that other controllers render.
func elsewhereHint(f Finding) string {
	hint := "seal a Secret with it (fuin seal --name NAME --from-file " + cmp.Or(f.Key, "KEY") + "=PATH), and "
	if strings.HasPrefix(f.Object, "HelmRelease") {
		return hint + "name that under spec.valuesFrom"
	}
	return hint + "have the chart take it, by existingSecret in many"
}

const vaultScheme = "ref+vault://"

// reference checks the Vault references of a value that resolves them. In a
// template they stand in its literal text.
func (d *document) reference(a at, n *yaml.Node) {
	d.references(a, n, text(n))
}

func (d *document) references(a at, n *yaml.Node, value string) {
	if !reference.Contains(value) {
		return
	}
	parse := reference.Parse
	if strings.Contains(value, "{{") {
		parse = reference.ParseTemplate
	}
	_, err := parse(value)
	var e *reference.Error
	if errors.As(err, &e) {
		d.found(a, n, Finding{Rule: ReferenceInvalid, Message: "a Vault reference does not parse: " + e.Message, Hint: e.Hint()})
	}
}

// tokens checks those that stand where they may.
func (d *document) tokens(a at, n *yaml.Node, value string) {
	if !strings.Contains(value, "fuin1") {
		return
	}
	for _, token := range seal.FindTokens(value) {
		var e *seal.Error
		if errors.As(token.Err, &e) {
			d.found(a, n, Finding{Rule: TokenDamaged, Message: "a sealed token is damaged: " + e.Reason, Hint: e.Hint()})
			return
		}
	}
}
