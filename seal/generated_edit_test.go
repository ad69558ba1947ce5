package seal_test

import (
	"fmt"
	"strings"
	"testing"

	"fuin.dev/seal"
)

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
