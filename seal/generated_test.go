package seal_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"fuin.dev/seal"
	"go.yaml.in/yaml/v3"
)

// A generator writes files of manifests as people do: comments everywhere, all
// kinds of quotes and blocks, anchors, other objects between, CRLF at times.
type generator struct {
	*rand.Rand
	t      testing.TB
	sealer *seal.Sealer
	words  int
}

func newGenerator(t testing.TB, seed uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed, seed)), t, sealer(t, "x25519"), 0}
}

func (g *generator) word() string {
	g.words++
	return fmt.Sprintf("w%d%s", g.words, strings.Repeat("x", g.IntN(4)))
}

// maybe writes text one time in n.
func (g *generator) maybe(n int, text string) string {
	if g.IntN(n) > 0 {
		return ""
	}
	return text
}

func (g *generator) comment(indent string) string {
	return g.maybe(3, indent+"# "+g.word()+": "+g.word()+"\n") + g.maybe(8, "\n")
}

func (g *generator) behind() string { return g.maybe(4, " # "+g.word()) }

// A generated file, and what stands in it.
type generated struct {
	text string
	keys map[string][]string // by the name of the object
	open map[string]string   // values by NAME/KEY
}

func (g *generator) file() generated {
	f := generated{keys: map[string][]string{}, open: map[string]string{}}
	var b strings.Builder
	for i := range 1 + g.IntN(3) {
		if i > 0 || g.IntN(2) == 0 {
			b.WriteString(g.comment("") + "---" + g.behind() + "\n")
		}
		if g.IntN(3) == 0 {
			fmt.Fprintf(&b, "%skind: ConfigMap\nmetadata: {name: c%d} # %s\ndata:\n  text: |+\n    # no comment\n\n---\n", g.comment(""), i, g.word())
		}
		g.object(&b, &f, fmt.Sprintf("db%d", i))
	}
	f.text = b.String()
	if g.IntN(4) == 0 {
		f.text = strings.ReplaceAll(f.text, "\n", "\r\n")
	}
	return f
}

func (g *generator) object(b *strings.Builder, f *generated, name string) {
	step := strings.Repeat(" ", 1+g.IntN(4))
	b.WriteString(g.comment("") + "apiVersion: bitnami.com/v1alpha1\n" + g.comment("") + "kind: SealedSecret" + g.behind() + "\n")
	b.WriteString("metadata:\n" + g.comment(step) + step + "name: " + name + "\n" + step + "namespace: shop" + g.behind() + "\n")
	if g.IntN(2) == 0 {
		b.WriteString(step + "annotations:" + g.behind() + "\n" + g.comment(step+step) + step + step + "note: &" + name + " " + g.word() + "\n" + step + step + "again: *" + name + "\n")
	}
	b.WriteString(g.comment("") + "spec:\n")
	b.WriteString(g.maybe(3, step+"template:\n"+step+step+"type: Opaque"+g.behind()+"\n"))
	b.WriteString(g.comment(step) + step + "encryptedData:" + g.behind() + "\n")
	for range 1 + g.IntN(5) {
		key := "k-" + g.word()
		f.keys[name] = append(f.keys[name], key)
		f.open[name+"/"+key] = g.word()
		b.WriteString(g.comment(step + step))
		b.WriteString(g.value(step+step, key, g.sealed(name, key, f.open[name+"/"+key])))
	}
	b.WriteString(g.comment(step) + g.maybe(2, "status: {}\n"))
}

func (g *generator) sealed(name, key, value string) string {
	sealed, err := g.sealer.Seal(seal.Place{Scope: seal.Strict, Namespace: "shop", Name: name, Key: key}, []byte(value))
	if err != nil {
		g.t.Fatal(err)
	}
	return sealed
}

// value writes an entry in one of the ways of YAML.
func (g *generator) value(indent, key, sealed string) string {
	switch g.IntN(7) {
	case 0:
		return indent + `"` + key + `": "` + sealed + `"` + g.behind() + "\n"
	case 1:
		return indent + "'" + key + "':   '" + sealed + "'" + g.behind() + "\n"
	case 2:
		return indent + key + ": |-" + g.behind() + "\n" + indent + "   " + sealed + "\n" + g.maybe(2, "\n")
	case 3:
		return indent + key + ": >-\n" + indent + " " + sealed + "\n"
	case 4:
		return indent + key + ":\n" + indent + "  " + sealed + g.behind() + "\n"
	case 5:
		return indent + key + ": &" + key + " " + sealed + g.behind() + "\n"
	}
	return indent + key + ": " + sealed + g.behind() + "\n"
}

const generations = 120

// generate calls a property with files of many seeds.
func generate(t *testing.T, property func(t *testing.T, g *generator, f generated)) {
	for seed := range uint64(generations) {
		g := newGenerator(t, seed)
		f := g.file()
		property(t, g, f)
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, f.text)
		}
	}
}

// sealedValues lists the values of a file by NAME/KEY.
func sealedValues(t *testing.T, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, ob := range objects(t, []byte(text)) {
		for key, value := range ob.Values {
			out[ob.Name+"/"+key] = value
		}
	}
	return out
}

// comments lists the comments of a generated file, of which each is another.
func comments(text string) map[string]int {
	out := map[string]int{}
	for line := range strings.Lines(text) {
		if _, comment, ok := strings.Cut(line, "# w"); ok {
			out[strings.TrimSpace(comment)]++
		}
	}
	return out
}

// withoutValues is the file with a word in place of each value.
func withoutValues(t *testing.T, text string) string {
	t.Helper()
	out, err := seal.Masked([]byte(text), func(seal.Value) string { return "V" })
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Masking takes the values out, and nothing else.
func TestMaskingGeneratedFiles(t *testing.T) {
	generate(t, func(t *testing.T, _ *generator, f generated) {
		out := withoutValues(t, f.text)
		want := f.text
		for _, sealed := range sealedValues(t, f.text) {
			if strings.Contains(out, sealed) {
				t.Error("a value is left")
			}
			want = strings.ReplaceAll(want, sealed, "V")
		}
		for block := range strings.SplitSeq("|-,>-", ",") { // which become one line
			want = strings.NewReplacer(block+"\r\n", block+"\n").Replace(want)
		}
		if strings.Join(strings.Fields(unblocked(out)), " ") != strings.Join(strings.Fields(unblocked(want)), " ") {
			t.Errorf("came out as\n%s", out)
		}
		if len(comments(out)) != len(comments(f.text)) {
			t.Error("a comment is gone")
		}
	})
}

// unblocked leaves out what a value in a block is written with.
func unblocked(text string) string {
	return strings.NewReplacer("|-", "", ">-", "", " V", "").Replace(text)
}

// Set changes one value, and no other byte but the hint's line.
func TestSettingInGeneratedFiles(t *testing.T) {
	generate(t, func(t *testing.T, g *generator, f generated) {
		name, key := g.pick(f)
		r, err := g.sealer.Set([]byte(f.text), seal.Target{Key: key, Name: name}, []byte("new"))
		if err != nil {
			if strings.Contains(err.Error(), "an anchor (&) stands") {
				return // it is refused, and said
			}
			t.Fatal(err)
		}
		before, after := sealedValues(t, f.text), sealedValues(t, string(r.Out))
		for at := range before {
			if (before[at] == after[at]) == (at == name+"/"+key) {
				t.Errorf("%s", at)
			}
		}
		if len(comments(string(r.Out))) != len(comments(f.text)) {
			t.Error("a comment is gone")
		}
		if !isSubsequence([]byte(withoutValues(t, f.text)), []byte(withoutValues(t, string(r.Out)))) {
			t.Errorf("came out as\n%s", r.Out)
		}
	})
}

func (g *generator) pick(f generated) (name, key string) {
	names := make([]string, 0, len(f.keys))
	for i := range 3 {
		if name := fmt.Sprintf("db%d", i); f.keys[name] != nil {
			names = append(names, name)
		}
	}
	name = names[g.IntN(len(names))]
	return name, f.keys[name][g.IntN(len(f.keys[name]))]
}

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

// Resealing changes values and hints, and no other byte: anchors, comments,
// quotes and order stay. Again, it changes nothing.
func TestResealingGeneratedFiles(t *testing.T) {
	o, to := opener("x25519", "third"), resealer(t, "third")
	generate(t, func(t *testing.T, _ *generator, f generated) {
		r, err := o.Reseal(t.Context(), []byte(f.text), to, seal.ResealOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out := string(r.Out)
		for at, value := range openedValues(t, out, "third") {
			if f.open[at] != value {
				t.Errorf("%s opens as %q", at, value)
			}
		}
		if len(openedValues(t, out, "third")) != len(f.open) || len(comments(out)) != len(comments(f.text)) {
			t.Error("something is gone")
		}
		if !isSubsequence([]byte(withoutValues(t, f.text)), []byte(withoutValues(t, out))) {
			t.Errorf("came out as\n%s", out)
		}
		again, err := o.Reseal(t.Context(), r.Out, to, seal.ResealOptions{})
		if err != nil || string(again.Out) != out || len(again.Current) != len(again.Objects) {
			t.Errorf("again: %v, %v", err, again.Current)
		}
		exchanged, err := seal.Exchange([]byte(f.text), objects(t, r.Out))
		if err != nil || string(exchanged.Out) != out {
			t.Errorf("exchanged: %v\n%s", err, exchanged.Out)
		}
	})
}
