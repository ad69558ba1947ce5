package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"fuin.dev/seal"
)

// blank is what a file that is made begins with: a SealedSecret named after it,
// with no value.
func (e *editing) blank() ([]byte, error) {
	if info, err := os.Stat(filepath.Dir(e.file)); err != nil || !info.IsDir() {
		return nil, failAt(e.file, "make the directory first", "there is no directory %s", filepath.Dir(e.file))
	}
	name := strings.TrimSuffix(filepath.Base(e.file), filepath.Ext(e.file))
	if !dnsName().MatchString(name) {
		name = "NAME"
	}
	var b strings.Builder
	b.WriteString("apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: " + name + "\n")
	namespace, err := e.newNamespace()
	if err != nil {
		return nil, err
	}
	if namespace != "" {
		b.WriteString("  namespace: " + namespace + "\n")
	}
	if scope := e.plan.rule.Scope; scope != "" && scope != seal.Strict {
		b.WriteString("  annotations:\n    sealedsecrets.bitnami.com/" + string(scope) + ": \"true\"\n")
	}
	b.WriteString("spec:\n  encryptedData:\n  template:\n    type: Opaque\n")
	return []byte(b.String()), nil
}

// newNamespace is the one to write into a new object: none where the
// kustomizations give one.
func (e *editing) newNamespace() (string, error) {
	byRule, err := e.plan.defaultNamespace()
	return cmp.Or(e.namespace, byRule), err
}

// createPublic makes a file that is not there, whole or not at all.
func createPublic(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return failAt(path, "edit it anew; nothing was written, and what was edited is gone", "somebody made it meanwhile")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fileError(path, err)
	}
	return writeFile(path, data, modePublic)
}
