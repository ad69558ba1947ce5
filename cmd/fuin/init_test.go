package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/config"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
)

// TestInitOfRealCluster takes the keys of a ring on a real API server, seals
// with them by path, and follows the ring as it changes. The terminal offers
// the kubeconfig's contexts.
func TestInitOfRealCluster(t *testing.T) {
	k := newKeeper(t, kubetest.New(t, kubetest.Config{}))
	context := contextOf(t, k.kubeconfig)
	for name, row := range map[string]struct{ answers, cluster string }{
		"the name as suggested": {"1\n\n", shortName(context)},
		"another name":          {"1, 1\nproduction\n", "production"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			code, _, said := k.fuin(t, row.answers, "init")
			expect(t, "init", code, exitOK, said, "  1  "+context, "["+shortName(context)+"]", "wrote .fuin.yaml")
			writeAllOf(t, "db.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {one: "+canary+"}\n")
			code, _, said = k.fuin(t, "", "seal", "--in-place", "db.yaml")
			expect(t, "seal", code, exitOK, said, "sealed 1 Secret")
			file := filepath.Join("keys", row.cluster+".txt")
			_, public, _ := k.run(t, "list", "-o", "public", "cluster")
			if got := readAllOf(t, file); !strings.HasPrefix(got, public) || strings.Count(got, keys.FormerMark) != 2 {
				t.Errorf("%s holds %s", file, got)
			}
			if sealed := readAllOf(t, "db.yaml"); !strings.Contains(sealed, k.id(t, ageNew).Fingerprint()) || strings.Contains(sealed, canary) {
				t.Errorf("sealed: %s", sealed)
			}
			writeAllOf(t, file, string(k.id(t, ageOld).Recipient().Marshal()))
			code, out, said := k.run(t, "sync", "--check")
			expect(t, "an old key", code, exitFindings, out+said, file+":\n", "+ hybrid  "+k.id(t, ageNew).Fingerprint(), "(replaced by a newer one)", "fuin: hint: fuin keys sync\n")
			code, _, said = k.run(t, "sync")
			expect(t, "sync", code, exitOK, said)
			code, _, said = k.run(t, "sync", "--check")
			expect(t, "check again", code, exitOK, said, file+" is up to date")
		})
	}
}

func TestInitAsks(t *testing.T) {
	k := filepath.Join(t.TempDir(), "kubeconfig")
	writeAllOf(t, k, "apiVersion: v1\nkind: Config\ncontexts:\n- {name: b, context: {}}\n- {name: a, context: {}}\n")
	for name, row := range map[string]struct {
		answers string
		code    int
		said    string
	}{
		"no number":      {"x\n", exitUsage, `"x" is none of them`},
		"out of range":   {"3\n", exitUsage, `"3" is none of them`},
		"none":           {"\n", exitUsage, "no cluster to seal for"},
		"no such name":   {"1\nno name\n", exitUsage, "no name for a cluster"},
		"one name twice": {"1 2\nx\nx\n", exitUsage, "cluster x is named twice"},
		"the end":        {"1", exitError, "EOF"},
		"sorted":         {"2\n", exitError, "name of the cluster of b [b]: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			u, _, stderr := testUI(row.answers)
			u.isTerminal = func(stream any) bool { return stream == u.stdin }
			code := u.run(t.Context(), []string{"init", "--kubeconfig", k})
			expect(t, name, code, row.code, stderr.String(), "  1  a\n  2  b\n", row.said)
			if _, err := os.Stat(config.File); err == nil {
				t.Error("a file was written")
			}
		})
	}
}

func TestNamesOfClustersFromContexts(t *testing.T) {
	for context, want := range map[string]string{
		"production": "production", "admin@production": "production", "kind-dev": "kind-dev",
		"arn:aws:eks:eu-west-1:123456789012:cluster/shop": "shop",
		"gke_project_europe-west1-b_shop":                 "gke_project_europe-west1-b_shop",
		"default/api-shop-example-com:6443/kube:admin":    "admin",
		"a b": "a-b", "": "cluster", "///": "cluster", "ü": "cluster", strings.Repeat("x", 64): "cluster",
	} {
		if got := shortName(context); got != want {
			t.Errorf("%q: %q, want %q", context, got, want)
		}
	}
}

// fuin runs a command as the keeper; answers make standard input a terminal.
func (k *keeper) fuin(t *testing.T, answers string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	u, out, errs := testUI(answers)
	u.isTerminal = func(stream any) bool { return answers != "" && stream == u.stdin }
	if args[0] == "init" {
		args = append(args, "--kubeconfig", k.kubeconfig, "--controller-namespace", k.namespace)
	}
	code = u.run(t.Context(), args)
	return code, out.String(), errs.String()
}

func contextOf(t *testing.T, kubeconfig string) string {
	t.Helper()
	all, err := (&clusterFlags{kubeconfig: kubeconfig}).contexts()
	if err != nil || len(all) != 1 {
		t.Fatalf("contexts %q, %v", all, err)
	}
	return all[0]
}
