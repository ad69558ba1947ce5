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

// TestKustomizeBuildsTheSameOfPlainValues: kustomize hands functions its own
// environment, and with a state directory in it what was sealed by the last
// build is taken again. Without one a build works as well.
func TestKustomizeBuildsTheSameOfPlainValues(t *testing.T) {
	kustomize := filepath.Join(kubetest.Require(t, "renderers"), "kustomize")
	identity, err := keys.Generate(keys.X25519, time.Now(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	dir, state := t.TempDir(), t.TempDir()
	pages := filterPage(t)
	writeAllOf(t, filepath.Join(dir, "filter.yaml"), strings.Replace(pages["filter.yaml"], "plain: [username]", "scope: namespace-wide\n  recipients: ["+identity.Recipient().String()+"]", 1))
	writeAllOf(t, filepath.Join(dir, "references.yaml"), pages["references.yaml"])
	build := func(password, home string) string {
		writeAllOf(t, filepath.Join(dir, "kustomization.yaml"), pages["kustomization.yaml"]+
			"namespace: shop\nsecretGenerator:\n- name: db\n  literals: [username=shop, password="+password+"]\n")
		cmd := exec.CommandContext(t.Context(), kustomize, "build", "--enable-alpha-plugins", "--enable-exec", dir)
		cmd.Env = append(os.Environ(), "XDG_STATE_HOME=", "HOME="+home)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("kustomize build: %v: %s", err, said.String())
		}
		if strings.Contains(string(out), password) || strings.Contains(string(out), base64.StdEncoding.EncodeToString([]byte(password))) {
			t.Fatalf("in plain: %s", out)
		}
		return string(out)
	}
	first := build("hunter2", state)
	if again := build("hunter2", state); again != first {
		t.Errorf("the same values give\n%s\nand then\n%s", first, again)
	}
	other := build("hunter3", state)
	one, two := sealedIn(t, first), sealedIn(t, other)
	if one["username"] != two["username"] || one["password"] == two["password"] {
		t.Error("of two values of which one changed, not that one alone is sealed anew")
	}
	if back := build("hunter2", state); back != first {
		t.Error("a value that came back is sealed anew")
	}
	none := build("hunter2", "")
	if all := sealedIn(t, none); all["username"] == one["username"] || all["password"] == one["password"] {
		t.Error("without a state directory something was remembered")
	}
}

// sealedIn are the values of the SealedSecret that a build has.
func sealedIn(t *testing.T, manifests string) map[string]string {
	t.Helper()
	all, err := seal.Objects([]byte(manifests), 10)
	if err != nil || len(all) != 1 || len(all[0].Values) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	return all[0].Values
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
