package kubetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNotBuilt is the error where the programs of a nested module are missing.
// Its text names the command that builds them.
var ErrNotBuilt = errors.New("not built")

// Peers are the programs and files of other projects that tests work with.
type Peers struct {
	Kubeseal   string // the command
	Controller string // the Sealed Secrets controller
	HealthLua  string // Argo CD's health script for SealedSecrets
}

// Locate returns the directory with the programs of testdata/MODULE: that of
// KUBEBUILDER_ASSETS for kube where it is set, else the one testdata/build
// filled. It builds nothing. The working directory is inside the repository.
func Locate(module string) (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	build := exec.Command(filepath.Join(root, "testdata", "build"), "-n", module)
	build.Stderr = new(strings.Builder)
	out, err := build.Output()
	if err != nil {
		return "", fmt.Errorf("locating testdata/%s: %w: %s", module, err, build.Stderr)
	}
	dir := strings.TrimSpace(string(out))
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("testdata/%s: %w: run `make %[1]s`", module, ErrNotBuilt)
	}
	return dir, nil
}

// repository finds the root of the repository above the working directory.
func repository() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "testdata", "build")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no testdata/build above %s", start)
		}
	}
}

// peersIn names the files that testdata/build puts into its directory of peers.
func peersIn(dir string) Peers {
	return Peers{
		Kubeseal:   filepath.Join(dir, "kubeseal"),
		Controller: filepath.Join(dir, "controller"),
		HealthLua:  filepath.Join(dir, "health.lua"),
	}
}
