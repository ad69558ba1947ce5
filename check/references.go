package check

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// misplaced reports sealed tokens and Vault references that stand where nothing
// resolves them: in an object that is no Secret and not a chart's values.
func (d *document) misplaced(a at, n *yaml.Node) {
	value := text(n)
	switch a.rule {
	case PlaintextSecret, HelmValues, SecretGenerator:
		d.reference(a, n)
		d.tokens(a, n, value)
		return
	case PlaintextField:
		if a.object == "" || strings.HasPrefix(a.object, "Kustomization") {
			d.tokens(a, n, value)
			return
		}
	}
	if strings.Contains(value, "fuin1") && tokenForm.MatchString(value) {
		d.found(a, n, Finding{Rule: TokenMisplaced, Message: "a sealed token stands in plain text here; it becomes a value in a Secret only"})
	}
	if a.rule != SealedTemplate && a.rule != CopyOfObject && strings.Contains(value, vaultScheme) {
		d.found(a, n, Finding{Rule: ReferenceMisplaced, Message: "a Vault reference is not resolved here; it is in a Secret only"})
	}
}

const vaultScheme = "ref+vault://"

// reference checks the Vault references of a value that resolves them.
func (d *document) reference(a at, n *yaml.Node) {
	if d.file.Reference == nil || !strings.Contains(text(n), vaultScheme) {
		return
	}
	if err := d.file.Reference(text(n)); err != nil {
		d.found(a, n, Finding{Rule: ReferenceInvalid, Message: "a Vault reference does not parse: " + err.Error()})
	}
}

// tokens checks those that stand where they may.
func (d *document) tokens(a at, n *yaml.Node, value string) {
	if d.file.Token == nil || !strings.Contains(value, "fuin1") {
		return
	}
	if err := d.file.Token(value); err != nil {
		d.found(a, n, Finding{Rule: TokenDamaged, Message: "a sealed token is damaged: " + err.Error()})
	}
}
