package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestReference holds docs/cli.md to the commands' own help.
func TestReference(t *testing.T) {
	const file = "../../docs/cli.md"
	var want bytes.Buffer
	want.WriteString("# Command reference\n\nMade from the commands' own help by `make generate`.\n")
	writeReference(&want, newRoot(newUI()))
	if *update {
		if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not as the commands say: run make generate", file)
	}
	for line := range strings.Lines(want.String()) {
		if len([]rune(strings.TrimRight(line, "\n"))) > helpWidth {
			t.Errorf("wider than %d columns: %s", helpWidth, line)
		}
	}
}

func writeReference(out *bytes.Buffer, cmd *cobra.Command) {
	var text bytes.Buffer
	printHelp(&text, cmd)
	fmt.Fprintf(out, "\n## %s\n\n```\n%s```\n", cmd.CommandPath(), text.String())
	for _, sub := range cmd.Commands() {
		if sub.Name() != "help" {
			writeReference(out, sub)
		}
	}
}
