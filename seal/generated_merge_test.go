package seal_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"fuin.dev/seal"
	"go.yaml.in/yaml/v3"
)

// Merging what two sides did to different keys keeps all that either did, and
// with one side alone it is that side: in documents, in Lists, and in JSON.
func TestMergingGeneratedFiles(t *testing.T) {
	for name, as := range writtenAs {
		t.Run(name, func(t *testing.T) {
			generate(t, func(t *testing.T, g *generator, f generated) {
				f.text = as(t, g, f)
				testMerging(t, g, f)
			})
		})
	}
}

func testMerging(t *testing.T, g *generator, f generated) {
	m := merger(t)
	merge := func(base, ours, theirs string) string {
		got, err := m.Files([]byte(base), []byte(ours), []byte(theirs))
		if err != nil || len(got.Conflicts) > 0 {
			t.Fatalf("%v, %v\nours:\n%s\ntheirs:\n%s\nmerged:\n%s", err, got.Conflicts, ours, theirs, got.Out)
		}
		return string(got.Out)
	}
	ours, theirs := g.revise(f, 0), g.revise(f, 1)
	for i, row := range [][2]string{
		{merge(f.text, f.text, f.text), f.text}, {merge(f.text, ours, f.text), ours},
		{merge(f.text, f.text, theirs), theirs}, {merge(f.text, ours, ours), ours},
	} {
		if row[0] != row[1] {
			t.Errorf("%d: came out as\n%s\nwant\n%s", i, row[0], row[1])
		}
	}
	out := merge(f.text, ours, theirs)
	base, one, other, got := sealedValues(t, f.text), sealedValues(t, ours), sealedValues(t, theirs), sealedValues(t, out)
	for at, value := range one {
		if base[at] != value && got[at] != value {
			t.Errorf("%s of ours is lost", at)
		}
	}
	for at, value := range other {
		if base[at] != value && got[at] != value {
			t.Errorf("%s of theirs is lost", at)
		}
	}
	for at, value := range got {
		if value != one[at] && value != other[at] {
			t.Errorf("%s is nobody's", at)
		}
	}
	oursComments, theirsComments, outComments := comments(ours), comments(theirs), comments(out)
	for comment := range comments(f.text) {
		if want := min(oursComments[comment], theirsComments[comment]); outComments[comment] != want {
			t.Errorf("comment %q stands there %d times, want %d", comment, outComments[comment], want)
		}
	}
}

// Whichever side is chosen at conflicts, manifests come out, and each value is
// of a side; what only one side did is there.
func TestConflictsOfGeneratedFiles(t *testing.T) {
	for name, as := range writtenAs {
		t.Run(name, func(t *testing.T) {
			conflicts := 0
			generate(t, func(t *testing.T, g *generator, f generated) {
				f.text = as(t, g, f)
				ours, theirs := g.revise(f, 0), g.revise(f, 0)
				got, err := merger(t).Files([]byte(f.text), []byte(ours), []byte(theirs))
				if err != nil {
					t.Fatalf("%v\nours:\n%s\ntheirs:\n%s", err, ours, theirs)
				}
				conflicts += len(got.Conflicts)
				base, one, other := sealedValues(t, f.text), sealedValues(t, ours), sealedValues(t, theirs)
				for side, wanted := range map[string]map[string]string{"ours": one, "theirs": other} {
					chosen := sealedValues(t, choose(string(got.Out), side))
					for at, value := range chosen {
						if value != one[at] && value != other[at] {
							t.Errorf("%s is nobody's", at)
						}
					}
					for at, value := range wanted {
						if value != base[at] && chosen[at] != value {
							t.Errorf("%s of %s is lost in\n%s", at, side, got.Out)
						}
					}
				}
			})
			if conflicts < generations/4 {
				t.Errorf("only %d conflicts", conflicts)
			}
		})
	}
}

// choose takes one side of every conflict.
func choose(text, side string) string {
	var b strings.Builder
	in := ""
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "<<<<<<< "):
			in = "ours"
		case strings.HasPrefix(line, "=======") && in == "ours":
			in = "theirs"
		case strings.HasPrefix(line, ">>>>>>> "):
			in = ""
		case in == "" || in == side:
			b.WriteString(line)
		}
	}
	return b.String()
}

// revise rewrites, removes and adds values of a file; side 0 takes the even
// keys and side 1 the others.
func (g *generator) revise(f generated, side int) string {
	text := []byte(f.text)
	set := func(name, key string) {
		r, err := g.sealer.Set(text, seal.Target{Key: key, Name: name}, []byte(g.word()))
		if err == nil {
			text = r.Out
		}
	}
	for name, keys := range f.keys {
		for i, key := range keys {
			switch {
			case i%2 != side:
			case g.IntN(4) == 0:
				if r, err := seal.Unset(text, seal.Target{Key: key, Name: name}); err == nil {
					text = r.Out
				}
			case g.IntN(2) == 0:
				set(name, key)
			}
		}
		if g.IntN(2) == 0 {
			set(name, fmt.Sprintf("added-%d", side))
		}
	}
	return string(text)
}

// writtenAs are the ways to write the same objects.
var writtenAs = map[string]func(t *testing.T, g *generator, f generated) string{
	"documents": func(_ *testing.T, _ *generator, f generated) string { return f.text },
	"a List":    func(_ *testing.T, g *generator, f generated) string { return g.list(f) },
	"a List of JSON": func(t *testing.T, g *generator, f generated) string {
		return asJSON(t, g.list(f))
	},
	"JSON": func(t *testing.T, _ *generator, f generated) string {
		for _, part := range seal.Split([]byte(f.text)) {
			if strings.Contains(string(part.Raw), "kind: SealedSecret") {
				return asJSON(t, string(part.Raw))
			}
		}
		return ""
	},
}

// list writes the SealedSecrets of a file as items of a List.
func (g *generator) list(f generated) string {
	var b strings.Builder
	indent := strings.Repeat(" ", g.IntN(3))
	b.WriteString(g.comment("") + "apiVersion: v1\nkind: List\n" + g.maybe(2, "metadata: {}\n") + "items:" + g.behind() + "\n")
	for _, part := range seal.Split([]byte(strings.ReplaceAll(f.text, "\r\n", "\n"))) {
		if !strings.Contains(string(part.Raw), "kind: SealedSecret") {
			continue
		}
		begun := false
		for line := range strings.Lines(string(part.Raw)) {
			switch isContent := line[0] != '#' && line[0] != '\n' && !strings.HasPrefix(line, "---"); {
			case strings.HasPrefix(line, "---"):
			case line == "\n":
				b.WriteString(line)
			case isContent && !begun:
				begun = true
				b.WriteString(indent + []string{"- ", "-   # of it\n" + indent + "  "}[g.IntN(2)] + line)
			default:
				b.WriteString(indent + "  " + line)
			}
		}
	}
	return b.String()
}

func asJSON(t *testing.T, manifest string) string {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(manifest), &v); err != nil {
		t.Fatalf("%v\n%s", err, manifest)
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + "\n"
}
