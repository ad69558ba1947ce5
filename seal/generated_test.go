package seal_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"fuin.dev/seal"
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
