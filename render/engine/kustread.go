package engine

import (
	_ "embed"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"fuin.dev/render/wire"
)

// reader serves the checkout to kustomize. Each kustomization it brings up to
// date, checks and remembers on the way.
type reader struct {
	files  fs.FS
	remote bool
	root   string
	notes  []wire.Note

	kustomizations map[string]*kustomization // by directory
	read           []string                  // other files, in order
	found          map[[2]string][]lineage   // by kind and name, once all is read
	fault          *fault                    // the first that a check found
}

func newReader(files fs.FS, d wire.Directory) *reader {
	return &reader{
		files: files, remote: d.Remote, root: d.Path,
		kustomizations: map[string]*kustomization{},
	}
}

// names is the configuration that lets names follow SealedSecrets. Each
// kustomization refers to it as namesFile, for it holds only where it stands.
//
//go:embed names.yaml
var names []byte

const namesFile = ".fuin-names.yaml"

// system is the file system that kustomize sees: the checkout as the root.
func (r *reader) system() filesys.FileSystem { return kustomizeFiles{r, filesys.MakeFsInMemory()} }

// kustomizeFiles implements [filesys.FileSystem]. What kustomize does not need
// to read is left to a file system in memory, which stays empty.
type kustomizeFiles struct {
	*reader
	filesys.FileSystem
}

func inCheckout(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
	if name == "" {
		return "."
	}
	return name
}

func (k kustomizeFiles) IsDir(name string) bool {
	info, err := fs.Stat(k.files, inCheckout(name))
	return err == nil && info.IsDir()
}

func (k kustomizeFiles) Exists(name string) bool {
	_, err := fs.Stat(k.files, inCheckout(name))
	return err == nil
}

// CleanedAbs splits a path into a directory and the file in it, if it is one.
func (k kustomizeFiles) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	clean := inCheckout(name)
	info, err := fs.Stat(k.files, clean)
	if err != nil {
		return "", "", err
	}
	abs := path.Join("/", clean)
	if info.IsDir() {
		return filesys.ConfirmedDir(abs), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(abs)), path.Base(abs), nil
}

// ReadFile reads a file, and a kustomization as it is to be today.
func (k kustomizeFiles) ReadFile(name string) ([]byte, error) {
	name = inCheckout(name)
	if path.Base(name) == namesFile {
		return names, nil
	}
	if k.fault != nil {
		return nil, k.fault
	}
	data, err := fs.ReadFile(k.files, name)
	if err != nil {
		return nil, err
	}
	if kindOfMarker(path.Base(name)) != "Kustomize" {
		k.read = append(k.read, name)
		return data, k.screen(name, data)
	}
	text, err := k.kustomization(name, data)
	if f := (*fault)(nil); errors.As(err, &f) && k.fault == nil {
		k.fault = f
	}
	return text, err
}

// RoundTrip implements [http.RoundTripper]: files by URL that no check found.
func (r *reader) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	url := req.URL.String()
	name, err := r.fetchFile(url)
	if err == nil {
		var body fs.File
		if body, err = r.files.Open(name); err == nil {
			return &http.Response{StatusCode: http.StatusOK, Body: body, Request: req}, nil
		}
	}
	if r.fault == nil {
		why := faultOf(err, "", "")
		r.fault = blame(wire.RemoteRefused, r.rootFile(), 0, "names %s, which %s", clip(withoutUser(url)), why.message).advise(why.hint)
	}
	return nil, err
}

// screen refuses a file of aliases that kustomize would write out.
func (r *reader) screen(name string, data []byte) error {
	if !mayExpand(data) {
		return nil
	}
	for _, d := range splitDocuments(data) {
		if expanded(d.text) > wire.MaxObject {
			if r.fault == nil {
				r.fault = yamlFault(name, d, errAliases)
			}
			return r.fault
		}
	}
	return nil
}
