package kubetest_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/controller/kubetest"
)

func TestPeersAreTheirPinnedVersions(t *testing.T) {
	peers := kubetest.NeedPeers(t)
	for _, program := range []string{peers.Kubeseal, peers.Controller} {
		out, err := exec.CommandContext(t.Context(), program, "--version").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "version: 0.") {
			t.Errorf("%s --version: %v: %s", program, err, out)
		}
	}
	script, err := os.ReadFile(peers.HealthLua)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "Synced") {
		t.Error("the health script does not look at the condition Synced")
	}
}

func TestAssetsWithoutAServerAreRefused(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("KUBEBUILDER_ASSETS", dir)
	_, err := kubetest.Locate("kube")
	if err == nil || !strings.Contains(err.Error(), "has no kube-controller-manager") {
		t.Errorf("got %v", err)
	}
}

func TestMissingProgramsNameTheirCommand(t *testing.T) {
	// A repository whose nested modules nobody has built.
	root := t.TempDir()
	script, err := os.ReadFile("../../testdata/build")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "testdata", "peers"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "testdata", "build"), script, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	_, err = kubetest.Locate("peers")
	if !errors.Is(err, kubetest.ErrNotBuilt) || !strings.Contains(err.Error(), "make peers") {
		t.Errorf("got %v", err)
	}
}
