package engine

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"fuin.dev/render/wire"
)

// check finds what a kustomization names that is not there, lies elsewhere or
// includes it, and says so with file and line. Errors of kustomize have neither.
// What lies elsewhere and may be fetched is replaced in fields by its mount.
func (r *reader) check(k *kustomization, fields map[string]any) error {
	for _, list := range []string{"resources", "components", "generators", "transformers", "validators"} {
		items, _ := fields[list].([]any)
		for i, item := range items {
			named, ok := item.(string)
			if !ok || isInline(named) {
				continue
			}
			local, err := r.include(k, named)
			if err != nil {
				return err
			}
			items[i] = local
			if list == "resources" || list == "components" {
				k.includes = append(k.includes, include{path.Join(k.dir, local), list == "components"})
			}
		}
	}
	for _, named := range k.otherFiles() {
		if err := r.file(k, named); err != nil {
			return err
		}
	}
	return nil
}

// isInline tells YAML that stands where a path may stand.
func isInline(named string) bool { return strings.ContainsAny(named, "\n{") }

// include checks a file or a directory with a kustomization, and returns its
// path relative to k.
func (r *reader) include(k *kustomization, named string) (string, error) {
	if isRemote(named) {
		return r.fetch(k, named)
	}
	target, info, err := r.stat(k, named)
	if err != nil || !info.IsDir() {
		return named, err
	}
	if r.reaches(target, k.dir) {
		return "", k.blame(wire.Cycle, named, "includes %s, which includes it", named)
	}
	if kind, err := detect(r.files, target); err != nil || kind != "Kustomize" {
		return "", k.blame(wire.NotFound, named, "names the directory %s, in which is no kustomization", named).
			advise("list its files under resources, or add a kustomization.yaml")
	}
	return named, nil
}

// reaches tells whether a directory is the other or lies above it, or includes
// it, as far as is known.
func (r *reader) reaches(from, to string) bool {
	if from == to || from == "." || strings.HasPrefix(to, from+"/") {
		return true
	}
	k := r.kustomizations[from]
	if k == nil {
		return false
	}
	for _, i := range k.includes {
		if r.kustomizations[i.path] != nil && r.reaches(i.path, to) {
			return true
		}
	}
	return false
}

// file checks a file that is no manifest of the set: a patch, a value.
func (r *reader) file(k *kustomization, named string) error {
	if isRemote(named) {
		if r.remote {
			return nil // by way of RoundTrip
		}
		return k.refuseRemote(named)
	}
	_, info, err := r.stat(k, named)
	if err == nil && info.IsDir() {
		return k.blame(wire.NotFound, named, "names %s, which is a directory and no file", named)
	}
	return err
}

func (r *reader) stat(k *kustomization, named string) (string, fs.FileInfo, error) {
	target, ok := k.resolve(named)
	if !ok {
		return "", nil, k.blame(wire.OutsideRefused, named, "names %s, which is not in the checkout", named).
			advise("keep all files that are rendered in the repository, and name them by relative paths")
	}
	info, err := fs.Stat(r.files, target)
	if err == nil {
		return target, info, nil
	}
	f := k.blame(wire.NotFound, named, "names %s, which is not there", named).advise("add the file, or correct its name")
	if why := faultOf(err, "", ""); why.cause != wire.EngineFailed {
		f.cause, f.message, f.hint = why.cause, fmt.Sprintf("names %s, which %s", clip(named), why.message), why.hint
	}
	return "", nil, f
}

// resolve makes a path one of the checkout, or of the mount in which k is; ok
// is false if it leads elsewhere.
func (k *kustomization) resolve(named string) (target string, ok bool) {
	if path.IsAbs(named) || named == "" {
		return "", false
	}
	target = path.Join(k.dir, filepath.ToSlash(named))
	root := "."
	if rest, remote := strings.CutPrefix(k.dir+"/", wire.RemotePrefix); remote {
		root = wire.RemotePrefix + rest[:strings.IndexByte(rest, '/')]
	}
	ok = fs.ValidPath(target) && (root == "." || target == root || strings.HasPrefix(target, root+"/"))
	return target, ok && (root != "." || !strings.HasPrefix(target+"/", wire.RemotePrefix))
}

func (k *kustomization) blame(cause wire.Cause, named, format string, args ...any) *fault {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = clip(s)
		}
	}
	return blame(cause, k.file, k.lineOf(named), format, args...)
}

// otherFiles are the files that k names, but for manifests.
func (k *kustomization) otherFiles() []string {
	files := append(append([]string{}, k.Crds...), k.Configurations...)
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // old fields are read
		if !isInline(string(p)) {
			files = append(files, string(p))
		}
	}
	for _, p := range append(append([]patch{}, k.Patches...), k.PatchesJson6902...) { //nolint:staticcheck // likewise
		files = append(files, p.Path)
	}
	for _, p := range k.Replacements {
		files = append(files, p.Path)
	}
	for _, g := range k.generated() {
		for _, f := range g.FileSources {
			files = append(files, f[strings.IndexByte(f, '=')+1:])
		}
		files = append(append(files, g.EnvSources...), g.EnvSource)
	}
	files = append(files, k.OpenAPI["path"])
	named := files[:0]
	for _, f := range files {
		if f != "" {
			named = append(named, f)
		}
	}
	return named
}

// lineOf finds the first key or value that reads so; 0 if there is none.
func (k *kustomization) lineOf(value string) int {
	var root yaml.Node
	if value == "" || yaml.Unmarshal(bytes.TrimPrefix(k.text, []byte("\xef\xbb\xbf")), &root) != nil {
		return 0
	}
	return lineIn(&root, value)
}

func lineIn(n *yaml.Node, value string) int {
	if n.Kind == yaml.ScalarNode && (n.Value == value || strings.HasSuffix(n.Value, "="+value)) {
		return n.Line
	}
	for _, child := range n.Content { // aliases have no content of their own
		if line := lineIn(child, value); line > 0 {
			return line
		}
	}
	return 0
}

// remote is what kustomize takes for a URL: with a scheme, as scp writes it,
// or of the one host that needs neither.
var remote = regexp.MustCompile(`^(git::|[A-Za-z][A-Za-z0-9+.-]*://|[^/\s]+@[^/\s]+[:/]|(?i:(www\.)?github\.com[:/]))|\?(ref|version)=`)

func isRemote(named string) bool { return remote.MatchString(named) }

func (k *kustomization) refuseRemote(named string) *fault {
	return k.blame(wire.RemoteRefused, named, "names %s, which lies elsewhere, and is not fetched", withoutUser(named)).
		advise("copy it into the repository, or allow it: allowRemote: true")
}

// withoutUser takes credentials out of a URL.
func withoutUser(named string) string {
	scheme, rest, ok := strings.Cut(named, "://")
	if !ok {
		scheme, rest = "", named
	} else {
		scheme += "://"
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + rest[strings.LastIndexByte(host, '@')+1:]
}
