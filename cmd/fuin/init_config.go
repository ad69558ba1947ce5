package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fuin.dev/config"
	"fuin.dev/keys"
	"fuin.dev/lazy"
)

// configText is the new file, and which clusters no rule names.
func configText(root string, clusters []*newCluster, recovery []listedKey) (text []byte, bare []string, err error) {
	var b bytes.Buffer
	b.WriteString("# Whom Secrets are sealed for, by their path. docs/configuration.md of Fuin tells\n" +
		"# the rest; fuin config explain PATH tells what holds for a path.\nversion: 1\nclusters:\n")
	for _, c := range clusters {
		fmt.Fprintf(&b, "  %s: {recipients: [%s]", plainYAML(c.name), plainYAML(c.file))
		if c.context != "" {
			fmt.Fprintf(&b, ", context: %s", plainYAML(c.context))
		}
		b.WriteString("}\n")
	}
	if len(recovery) > 0 {
		b.WriteString("recovery:\n")
		for _, k := range recovery {
			fmt.Fprintf(&b, "  - %s\n", k.Recipient)
		}
	}
	rules, bare, err := rulesFor(root, clusters)
	if err != nil {
		return nil, nil, err
	}
	if len(rules) == 0 {
		b.WriteString("rules: []\n")
	} else {
		b.WriteString("rules: # the first one that matches a path counts\n")
	}
	for _, r := range rules {
		fmt.Fprintf(&b, "  - {path: %s, clusters: [%s]}\n", plainYAML(r.Path), plainYAML(r.Clusters[0]))
	}
	for _, name := range bare {
		fmt.Fprintf(&b, "#  - {path: overlays/%s/**, clusters: [%s]}\n", name, name)
	}
	return b.Bytes(), bare, nil
}

var plain = lazy.Regexp(`^[A-Za-z][A-Za-z0-9_./-]*$`)

// plainYAML quotes a text where YAML could take it for something else.
func plainYAML(s string) string {
	if plain().MatchString(s) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(s) // JSON, for what is printable, which is YAML
}

// rulesFor makes a rule for each directory that is called like a cluster; a
// single cluster without one gets all paths. bare are those without a rule.
func rulesFor(root string, clusters []*newCluster) (rules []config.Rule, bare []string, err error) {
	dirs, err := directoriesOf(root)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range clusters {
		patterns := patternsOf(c.name, dirs)
		switch {
		case len(patterns) == 0 && len(clusters) == 1:
			patterns = []string{"**"}
		case len(patterns) == 0:
			bare = append(bare, c.name)
		}
		for _, pattern := range patterns {
			rules = append(rules, config.Rule{Path: pattern, Clusters: []string{c.name}})
		}
	}
	return rules, bare, nil
}

// patternsOf are for the directories of a name: one for each, or one for all
// where they are many.
func patternsOf(name string, dirs []string) []string {
	const few = 4
	var out []string
	for _, dir := range dirs {
		if path.Base(dir) == name {
			out = append(out, dir+"/**")
		}
	}
	if len(out) > few {
		return []string{"**/" + name + "/**"}
	}
	return out
}

// Bounds of the look at a repository.
const (
	initDepth = 4      // of directories that may be called like a cluster
	initFiles = 20_000 // that are looked at
)

// directoriesOf are the directories of a repository, but for those that are
// hidden, keep keys, or are deep.
func directoriesOf(root string) ([]string, error) {
	var out []string
	err := walkShallow(root, initDepth, func(name string, d fs.DirEntry) error {
		if d.IsDir() && strings.IndexFunc(name, func(r rune) bool { return strings.ContainsRune(`*?[]{}\`, r) }) < 0 {
			out = append(out, name)
		}
		return nil
	})
	return out, err
}

// walkShallow visits what is below a directory, to a depth.
func walkShallow(root string, depth int, visit func(name string, d fs.DirEntry) error) error {
	count := 0
	return fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return fileError(root, err)
		case err != nil:
			return fs.SkipDir
		case name == ".":
			return nil
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || name == "keys"):
			return fs.SkipDir
		}
		if count++; count > initFiles {
			return fs.SkipAll
		}
		if err := visit(name, d); err != nil {
			return err
		}
		if d.IsDir() && strings.Count(name, "/")+1 >= depth {
			return fs.SkipDir
		}
		return nil
	})
}

// tryConfig reads what is about to be written, as every command will.
func tryConfig(text []byte, clusters []*newCluster, u *ui) error {
	c, err := config.Parse(text)
	if err != nil {
		return err
	}
	for _, one := range clusters {
		rs, err := keys.ParseSealing(one.public, u.now())
		if err == nil && rs[0].Kind().Age() {
			err = keys.Compatible(append(rs, c.Recovery...))
		}
		if err != nil {
			return &named{"cluster " + one.name, err}
		}
	}
	return nil
}

// writeConfig writes keys first, so that the configuration never names what is
// not there.
func writeConfig(u *ui, root string, text []byte, clusters []*newCluster) error {
	for _, c := range clusters {
		at := filepath.Join(root, filepath.FromSlash(c.file))
		if c.kept {
			u.note("%s holds the keys of %s already", fromHere(root, c.file), c.name)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil { //nolint:gosec // public keys
			return fileError(filepath.Dir(at), err)
		}
		if err := createNew(at, c.public); err != nil {
			return err
		}
		u.note("wrote %s, the public keys of %s", fromHere(root, c.file), c.name)
	}
	if err := createNew(filepath.Join(root, config.File), text); err != nil {
		return err
	}
	u.note("wrote %s", fromHere(root, config.File))
	return nil
}

// createNew writes a public file that must not be there yet.
func createNew(at string, data []byte) error {
	if _, err := os.Lstat(at); err == nil {
		return failAt(at, "move it away", "exists already")
	}
	return writeFile(at, data, modePublic)
}

// sourceIgnore is where Flux is told what of a repository is not its concern.
const sourceIgnore = ".sourceignore"

// ignoreConfig keeps other GitOps tools from reading .fuin.yaml as a manifest.
func ignoreConfig(ctx context.Context, u *ui, root string) error {
	at := filepath.Join(root, sourceIgnore)
	old, err := readFile(ctx, at, 1<<20)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return err
	}
	for line := range strings.Lines(string(old)) {
		if line = strings.TrimSpace(line); strings.TrimPrefix(line, "/") == config.File {
			return nil
		}
	}
	if absent && !usesFlux(root) {
		return nil
	}
	if len(old) > 0 && !bytes.HasSuffix(old, []byte("\n")) {
		old = append(old, '\n')
	}
	if err := writeFile(at, append(old, "/"+config.File+"\n"...), modePublic); err != nil {
		return err
	}
	u.note("added %s to %s: other GitOps tools read no manifest in it", config.File, fromHere(root, sourceIgnore))
	return nil
}

// usesFlux looks for objects of Flux in a repository's manifests.
func usesFlux(root string) bool {
	errFound := errors.New("found")
	err := walkShallow(root, 8, func(name string, d fs.DirEntry) error {
		if !d.Type().IsRegular() || !isManifestName(name) {
			return nil
		}
		f, err := os.Open(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return nil
		}
		defer f.Close()
		head := make([]byte, 16<<10)
		n, _ := f.Read(head)
		if bytes.Contains(head[:n], []byte("toolkit.fluxcd.io/")) {
			return errFound
		}
		return nil
	})
	return errors.Is(err, errFound)
}
