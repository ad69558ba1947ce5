package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"fuin.dev/keys"
	"fuin.dev/seal"
)

// printExplanations writes for people, in lines of TITLE and text.
func printExplanations(u *ui, all []*explanation) error {
	t := table{now: u.now()}
	for i, e := range all {
		if i > 0 {
			t.line("")
		}
		e.print(&t)
	}
	_, err := u.stdout.Write(t.Bytes())
	return err
}

// fact writes a title once, and its texts below each other, folded.
func (t *table) fact(title string, texts ...string) {
	const column = 12
	for _, text := range texts {
		for _, line := range fold(printable(text), tableWidth-column) {
			fmt.Fprintf(t, "%-*s%s\n", column, title, line)
			title = ""
		}
	}
}

func (e *explanation) print(t *table) {
	t.fact("path", e.Path)
	rule := "none of " + e.Config + " matches"
	if e.Rule != nil {
		rule = fmt.Sprintf("%s, %s line %d", e.Rule.Path, e.Config, e.Rule.Line)
	}
	t.fact("rule", rule)
	for _, c := range e.Clusters {
		t.fact("cluster", c.Name)
		replaced := 0
		for _, k := range c.Keys {
			if k.State == keys.State(keys.WasReplaced) {
				replaced++
				continue
			}
			t.fact("  key", keyText(t.now, k.listedKey, k.Seals), "of "+k.File)
		}
		if replaced > 0 {
			t.fact("", "and "+plural(replaced, "key")+" that newer ones replaced: -o json")
		}
	}
	for _, k := range e.Recovery {
		t.fact("recovery", keyText(t.now, k, true))
	}
	t.fact("scope", cmp.Or(string(e.Scope), "as the Secret says, else "+string(seal.Strict)))
	if e.Namespace != "" {
		t.fact("namespace", e.Namespace+", for what has none")
	}
	e.printPlacings(t)
	for _, o := range e.Objects {
		t.fact("object", o.text())
	}
}

func keyText(now time.Time, k listedKey, seals bool) string {
	text := string(k.Kind) + " " + k.Fingerprint
	switch {
	case k.Since != nil:
		text += " (" + string(k.State) + " since " + date(k.Since) + ")"
	case !seals:
		text += " (not used)" // an age recipient is beside it
	case k.Expires != nil && now.After(*k.Expires):
		text += " (expired on " + date(k.Expires) + ")"
	case k.Expires != nil:
		text += " (until " + date(k.Expires) + ")"
	}
	return text
}

func (e *explanation) printPlacings(t *table) {
	if len(e.Kustomizations) == 0 {
		t.fact("final", "as the file says: no kustomization reaches it")
	}
	for i, p := range e.Kustomizations {
		if i == tableRows {
			t.fact("", fmt.Sprintf("and %d more: -o json", len(e.Kustomizations)-i))
			break
		}
		t.fact("final", p.text())
		t.fact("", "by "+strings.Join(p.Through, ", "))
		if p.Unsure != "" {
			t.fact("", p.Unsure+" has transformers, which are not followed")
		}
	}
	if e.Unlisted != "" {
		t.fact("", e.Unlisted+" does not list it yet")
	}
}

// text says what is made of names, and of which namespace.
func (p explainedPlacing) text() string {
	name := "NAME"
	if p.Prefix+p.Suffix != "" {
		name = p.Prefix + "NAME" + p.Suffix
	}
	return cmp.Or(p.Namespace, "NAMESPACE") + "/" + name + " in " + p.Directory
}

func (o explainedObject) text() string {
	text := o.Kind + " " + o.Name + ", " + string(o.Scope)
	if o.Problem != "" {
		return text + ": in no one place"
	}
	return text + ": " + strings.TrimPrefix(o.FinalNamespace+"/"+o.FinalName, "/")
}
