package main

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	"fuin.dev/seal"
)

// TestKustomizeRunsTheFilter: as a KRM function of kustomize itself the filter
// seals what a secretGenerator made of tokens, the name keeps a hash, and what
// names it follows. The page that tells how is what is run.
func TestKustomizeRunsTheFilter(t *testing.T) {
	kustomize := filepath.Join(kubetest.Require(t, "renderers"), "kustomize")
	identity, err := keys.Generate(keys.X25519, time.Now(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	token := func(value string) string {
		sealer, err := seal.NewSealer(identity.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		made, err := sealer.Token(seal.NamespaceWide, "shop", []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		return made.String()
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range filterPage(t) {
		write(name, text)
	}
	write("kustomization.yaml", filterPage(t)["kustomization.yaml"]+"namespace: shop\nnamePrefix: web-\nresources: [deployment.yaml]\n"+
		"secretGenerator:\n- name: db\n  literals: [username=shop, password="+token("hunter2")+", 'url=postgres://shop:"+token("second")+"@db/shop']\n")
	write("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n"+
		"    spec: {containers: [{name: app, image: app, envFrom: [{secretRef: {name: db}}]}]}\n")
	build := func() []byte {
		cmd := exec.CommandContext(t.Context(), kustomize, "build", "--enable-alpha-plugins", "--enable-exec", dir)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("kustomize build: %v: %s", err, said.String())
		}
		return out
	}
	out := build()
	if again := build(); !bytes.Equal(out, again) {
		t.Error("the same tokens give other manifests")
	}
	name := regexp.MustCompile(`name: (web-db-[a-z0-9]{10})`).FindSubmatch(out)
	if name == nil || bytes.Count(out, name[1]) < 2 || bytes.Contains(out, []byte("fuin1n_")) || bytes.Contains(out, []byte("needsHashSuffix")) {
		t.Fatalf("kustomize builds\n%s", out)
	}
	if follows := "secretRef:\n            name: " + string(name[1]); !strings.Contains(string(out), follows) {
		t.Errorf("the Deployment does not follow the SealedSecret:\n%s", out)
	}
	all, err := seal.Objects(out, 1)
	if err != nil || all[0].Name != string(name[1]) || all[0].Namespace != "shop" {
		t.Fatalf("%v %v", all, err)
	}
	at := seal.Place{Scope: all[0].Scope(), Namespace: "shop", Name: all[0].Name, Key: "password"}
	value, _, err := seal.Opener{Identities: []*keys.Identity{identity}}.Open(at, all[0].Values["password"])
	if err != nil || string(value) != "hunter2" {
		t.Errorf("the password is %q, %v", value, err)
	}
	if _, err := base64.StdEncoding.DecodeString(all[0].Values["url.token"]); err != nil || all[0].Templates["url"] != `postgres://shop:{{ index . "url.token" }}@db/shop` {
		t.Errorf("the URL is made by %q", all[0].Templates["url"])
	}
}

// filterPage are the files that docs/sealed-values.md shows, by the name in the
// comment with which each begins.
func filterPage(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "sealed-values.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```yaml\n# (\\w+\\.yaml)[^\n]*\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		files[m[1]] = m[2]
	}
	for _, name := range []string{"kustomization.yaml", "filter.yaml", "references.yaml"} {
		if files[name] == "" {
			t.Fatalf("docs/sealed-values.md shows no %s", name)
		}
	}
	return files
}
