// Package config reads .fuin.yaml, the file at the root of a repository that
// says which clusters there are, which keys are theirs, and by rules on paths
// what is sealed for whom.
//
// [Read] parses it, [Config.RuleFor] tells what holds for a path,
// [Config.Recipients] reads a cluster's committed keys, and
// [Config.ForeignTo] tells a cluster whether a directory is another one's.
// What is read need not be trusted: everything is bounded, and no path leaves
// the repository.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"fuin.dev/keys"
	"fuin.dev/seal"
)

// File is the name of the configuration, at the root of a repository.
const File = ".fuin.yaml"

// Version is the one that this package reads.
const Version = 1

// Config is what a .fuin.yaml says. It is not to be changed.
type Config struct {
	Clusters []Cluster         // in the order of the file
	Recovery []*keys.Recipient // added to every age sealing; compatible with each other
	Rules    []Rule            // the first that matches a path counts
	Defaults Defaults
	Check    Check
}

// Defaults are what holds where nothing nearer says otherwise. The scope is
// that of all Rules which name none.
type Defaults struct {
	Scope  seal.Scope  // "" leaves it to the Secret
	Output seal.Format // that sealed files are written in; "" is that of the input
}

// Cluster is a cluster that values are sealed for.
type Cluster struct {
	Name       string
	Recipients []string // files of the repository with its public keys; one at least
	Context    string   // of a kubeconfig, a default; may be empty
	Line       int      // in the file, from 1
}

// Rule says what holds below a path.
type Rule struct {
	Path      string     // a glob; see [Config.RuleFor]
	Clusters  []string   // that values are sealed for; each is one of Config.Clusters
	Namespace string     // that Secrets without one get; may be empty
	Scope     seal.Scope // "" leaves it to the Secret
	Line      int        // in the file, from 1
}

// Check is what a check looks at, beside the files.
type Check struct {
	Render   []string // globs of directories that are rendered
	Baseline string   // a file of findings that are known; may be empty
	Line     int      // in the file, from 1; 0 if it says nothing
	Allow    []Allow
}

// Allow lets findings in files pass.
type Allow struct {
	Path   string   // a glob; see [Config.RuleFor]
	Rules  []string // names of a check's rules; none means all
	Reason string
}

// Bounds of what is read.
const (
	maxFile       = 64 << 10 // bytes of .fuin.yaml
	maxRules      = 256
	maxClusters   = 64
	maxList       = 64  // of paths, clusters or keys in one place
	maxText       = 512 // bytes of a name, path or glob
	maxRecovery   = 4096
	maxRecipients = 256 << 10 // bytes of a file of public keys
)

// Read reads .fuin.yaml at the root of a repository. The error is
// fs.ErrNotExist where there is none, and of type *[Error] where the file does
// not say what it should.
//
// files should not follow symbolic links out of the repository, as that of
// os.Root does not.
func Read(files fs.FS) (*Config, error) {
	data, err := readFile(files, File, maxFile)
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// Parse reads the content of a .fuin.yaml. Errors are of type *[Error].
func Parse(data []byte) (*Config, error) {
	if len(data) > maxFile {
		return nil, refuseAt(0, "", "more than %d bytes", maxFile)
	}
	return parse(data)
}

// Cluster finds a cluster by its name.
func (c *Config) Cluster(name string) (Cluster, bool) {
	for _, cluster := range c.Clusters {
		if cluster.Name == name {
			return cluster, true
		}
	}
	return Cluster{}, false
}

// readFile reads a regular file of limited size.
func readFile(files fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(files, name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &Error{File: name, Reason: "no regular file"}
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", name, err)
	case int64(len(data)) > limit:
		return nil, &Error{File: name, Reason: fmt.Sprintf("more than %d bytes", limit)}
	}
	return data, nil
}

// An Error says what is wrong in a file, and where. It quotes names of the
// file, never a key.
type Error struct {
	File   string // in the repository; "" if it is the one at hand
	Line   int    // from 1; 0 if it concerns no line
	Reason string
	hint   string
	err    error
}

func (e *Error) Error() string {
	text := e.Reason
	if e.Line > 0 {
		text = fmt.Sprintf("line %d: %s", e.Line, text)
	}
	if e.File != "" {
		text = e.File + ": " + text
	}
	return text
}

// Hint is one sentence on what to do next; it may be empty.
func (e *Error) Hint() string { return e.hint }

// Unwrap gives fs.ErrNotExist where a file is missing that .fuin.yaml names.
func (e *Error) Unwrap() error { return e.err }

func refuseAt(line int, hint, format string, args ...any) error {
	return &Error{File: File, Line: line, Reason: fmt.Sprintf(format, args...), hint: hint}
}

// hintOf is what an error of another package tells to do next.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
