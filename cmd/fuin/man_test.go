package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

var manPages = flag.String("man", "", "write the man pages to this `directory`")

// TestManPages makes a man page of every command from its help, and has man
// read them where it is installed.
func TestManPages(t *testing.T) {
	dir := *manPages
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // for all to read
		t.Fatal(err)
	}
	root := newRoot(newUI())
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Source: "Fuin", Manual: "Fuin"}
	if err := doc.GenManTree(root, header, dir); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range commands(root) {
		page := filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
		text := contentOf(t, page)
		for _, part := range []string{".SH NAME", ".SH SYNOPSIS", cmd.Short} {
			if plain := strings.ReplaceAll(text, `\-`, "-"); !strings.Contains(plain, part) {
				t.Errorf("%s lacks %s", page, part)
			}
		}
		if man, err := exec.LookPath("man"); err == nil {
			if out, err := exec.Command(man, "--warnings", "-l", page).CombinedOutput(); err != nil || len(out) == 0 { //nolint:gosec // of our own making
				t.Errorf("man %s: %v: %.200s", page, err, out)
			}
		}
	}
}

// commands are a command and all below it that help shows.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			all = append(all, commands(sub)...)
		}
	}
	return all
}
