package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestGuides follows what README and docs/developers.md tell a newcomer, in an
// empty directory and without a cluster.
func TestGuides(t *testing.T) {
	buildSandbox(t)
	for _, guide := range []struct {
		file, from, to string
	}{
		{"../../README.md", "## Ten minutes, without a cluster", "## In a cluster"},
		{"../../docs/developers.md", "# For developers", "## And then"},
	} {
		t.Run(filepath.Base(guide.file), func(t *testing.T) {
			text := section(t, guide.file, guide.from, guide.to)
			follow(t, text)
		})
	}
}

func section(t *testing.T, file, from, to string) string {
	t.Helper()
	_, after, found := strings.Cut(contentOf(t, file), from+"\n")
	text, _, ended := strings.Cut(after, "\n"+to)
	if !found || !ended {
		t.Fatalf("%s has no part from %q to %q", file, from, to)
	}
	return text
}

// codeBlock is one with a language; a file's name is its first line.
var codeBlock = regexp.MustCompile("(?ms)^```(yaml|sh)\n(.*?)^```$")

// follow writes the files of a guide and runs its commands, in their order. A
// command whose comment ends in "exit code N" is to end so.
func follow(t *testing.T, text string) {
	t.Helper()
	g := newGuide(t)
	blocks := codeBlock.FindAllStringSubmatch(text, -1)
	commands := 0
	for _, block := range blocks {
		if block[1] == "yaml" {
			g.write(t, block[2])
			continue
		}
		for line := range strings.Lines(block[2]) {
			g.run(t, strings.TrimSpace(line))
			commands++
		}
	}
	if commands < 10 {
		t.Fatalf("only %d commands were found", commands)
	}
	for _, file := range g.files(t) {
		if text := contentOf(t, file); strings.Contains(text, "correct-horse") || strings.Contains(text, "new-horse") {
			t.Errorf("%s holds a value", file)
		}
	}
}

// A guide is a newcomer at a terminal.
type guide struct {
	home, dir string
	env       []string
}

func newGuide(t *testing.T) *guide {
	t.Helper()
	home := t.TempDir()
	editor := filepath.Join(home, "editor")
	password := filepath.Join(home, "new-password")
	for path, text := range map[string]string{
		editor:   "#!/bin/sh\nsed -i 's/password: .*/password: edited-horse/' \"$1\"\n",
		password: "new-horse",
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	g := &guide{home: home, dir: filepath.Join(home, "work")}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g.env = append(os.Environ(), "HOME="+home, "EDITOR="+editor, "VISUAL=", "KUBECONFIG="+filepath.Join(home, "none"),
		"XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	return g
}

// write makes a file of a block whose first line names it.
func (g *guide) write(t *testing.T, block string) {
	t.Helper()
	first, rest, _ := strings.Cut(block, "\n")
	name, ok := strings.CutPrefix(first, "# ")
	if !ok {
		t.Fatalf("a block names no file: %s", first)
	}
	path := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(rest), 0o644); err != nil { //nolint:gosec // a manifest
		t.Fatal(err)
	}
}

var exitsWith = regexp.MustCompile(`exit code (\d+)$`)

// run runs one line in the directory that the line before left.
func (g *guide) run(t *testing.T, line string) {
	t.Helper()
	want := 0
	if m := exitsWith.FindStringSubmatch(line); m != nil {
		want, _ = strconv.Atoi(m[1])
	}
	line = strings.ReplaceAll(line, "/run/secrets/new-password", filepath.Join(g.home, "new-password"))
	cmd := exec.Command("bash", "-c", line+"\ncode=$?; pwd > "+filepath.Join(g.home, "at")+"; exit $code") //nolint:gosec // of our own page
	cmd.Dir, cmd.Env = g.dir, g.env
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Fatalf("%s\nexit code %d, want %d:\n%s", line, code, want, said.String())
	}
	if strings.Contains(said.String(), "correct-horse") && !strings.HasPrefix(line, "fuin open") {
		t.Errorf("%s\nsays a value:\n%s", line, said.String())
	}
	g.dir = strings.TrimSpace(contentOf(t, filepath.Join(g.home, "at")))
}

// files are those of the repository, Git's own left out.
func (g *guide) files(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir(g.dir, func(path string, d os.DirEntry, err error) error {
		switch {
		case err == nil && d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case err == nil && d.Type().IsRegular():
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
