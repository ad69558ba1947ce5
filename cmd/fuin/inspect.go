package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// An inspection is an object with the file it stands in.
type inspection struct {
	File string `json:"file"`
	seal.ObjectInfo
	References []inspectedReference `json:"references,omitempty"`
}

func newInspect(u *ui) *cobra.Command {
	var format choice
	cmd := &cobra.Command{
		Use:   "inspect PATH...|-",
		Short: "Tell what SealedSecrets are, without any key",
		Long: `Tell what can be known of SealedSecrets without a key: scope, encoding, for how
many recipients of which type each value was sealed, sizes in bytes, and the
fingerprints of the keys that the file claims were used (a hint, never
trusted); and the references to Vault in its templates. A PATH is a file, a
directory, or - for standard input.`,
		Example: `  fuin inspect sealed.yaml
  fuin inspect -o json overlays/production`,
		Args: needArgs("a manifest to inspect, or - for standard input,", 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inspect(cmd.Context(), u, args, format.value)
		},
	}
	addChoice(cmd, &format, "output", "o", "`FORMAT`: text, yaml or json; the default is text", "text", "text", "yaml", "json")
	return cmd
}

func inspect(ctx context.Context, u *ui, args []string, format string) error {
	inputs, err := u.inputs(args)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	found := map[input][]inspection{}
	b := batch{verb: "inspecting", want: kindSealedSecret, inputs: inputs}
	b.do = func(_ context.Context, in input, data []byte) (seal.Result, error) {
		infos, err := seal.InspectManifest(data)
		mu.Lock()
		defer mu.Unlock()
		for _, info := range infos {
			found[in] = append(found[in], inspection{in.name(), info, inspectReferences(info.Texts)})
		}
		return seal.Result{}, err
	}
	done, failed := b.run(ctx, u)
	all := []inspection{}
	for _, out := range done {
		all = append(all, found[out.input]...)
	}
	if err := printInspections(u.stdout, all, format); err != nil {
		return err
	}
	return failed
}

func printInspections(w io.Writer, all []inspection, format string) error {
	if format != "text" {
		return encode(w, format, all)
	}
	for i, in := range all {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := in.print(w); err != nil {
			return err
		}
	}
	return nil
}

// The widths of the table, in columns.
const (
	keyColumn       = 33
	encodingColumn  = 9
	recipientColumn = 26
)

// print writes a table of at most helpWidth columns, but for long file names.
func (in inspection) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", printable(in.File), printable(strings.TrimPrefix(in.Namespace+"/"+in.Name, "/")))
	scope := string(in.Scope)
	if in.Legacy {
		scope += ", in the older format of one value"
	}
	fmt.Fprintf(&b, "  scope   %s\n  size    %s\n", scope, size(in.Size))
	for i, key := range in.Keys {
		fmt.Fprintf(&b, "  %-7s %s\n", map[bool]string{true: "keys"}[i == 0], shorten(key, helpWidth-10))
	}
	if len(in.Templates) > 0 {
		for i, line := range wrap(strings.Join(in.Templates, " "), helpWidth-12) {
			fmt.Fprintf(&b, "  %-9s %s\n", map[bool]string{true: "templates"}[i == 0], shorten(line, helpWidth-12))
		}
	}
	for i, r := range in.References {
		fmt.Fprintf(&b, "  %-10s %s\n", map[bool]string{true: "references"}[i == 0], shorten(r.text(), helpWidth-13))
	}
	if len(in.Values) > 0 {
		fmt.Fprintf(&b, "  %-*s %-*s%-*s%8s\n", keyColumn, "KEY", encodingColumn, "ENCODING", recipientColumn, "RECIPIENTS", "SIZE")
	}
	for _, v := range in.Values {
		b.WriteString(valueLine(v))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r inspectedReference) text() string {
	if r.Error != "" {
		return r.Key + ": invalid: " + r.Error
	}
	return r.Key + ": " + r.Reference
}

func valueLine(v seal.KeyInfo) string {
	key := shorten(v.Key, keyColumn)
	if v.Error != "" {
		return fmt.Sprintf("  %-*s %s\n", keyColumn, key, shorten("invalid: "+v.Error, helpWidth-keyColumn-3))
	}
	return fmt.Sprintf("  %-*s %-*s%-*s%8s\n", keyColumn, key, encodingColumn, v.Encoding,
		recipientColumn, shorten(recipientText(v.ValueInfo), recipientColumn-1), size(v.Size))
}

// recipientText counts stanzas by their type: "2 mlkem768x25519".
func recipientText(v seal.ValueInfo) string {
	if v.RSABits > 0 {
		return fmt.Sprintf("1 of %d bits", v.RSABits)
	}
	counts := map[string]int{}
	for _, stanza := range v.Stanzas {
		counts[stanza]++
	}
	var parts []string
	for stanza, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, stanza))
	}
	slices.SortFunc(parts, cmp.Compare)
	return strings.Join(parts, ", ")
}

// shorten makes text from a file fit a column.
func shorten(s string, width int) string {
	r := []rune(printable(s))
	if len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return string(r)
}

func size(n int) string {
	if n < 10<<10 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
