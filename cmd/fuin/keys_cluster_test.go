package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestKeysOfRealCluster runs the verbs that ask and change a cluster's ring on
// a real API server, as an account with the rights that docs/operations.md
// grants and no others. The test plays the controller.
func TestKeysOfRealCluster(t *testing.T) {
	c := kubetest.New(t, kubetest.Config{})
	t.Run("list", func(t *testing.T) { testKeysList(t, newKeeper(t, c)) })
	t.Run("rotate", func(t *testing.T) { testKeysRotate(t, newKeeper(t, c)) })
	t.Run("rights", func(t *testing.T) { testKeysRights(t, newKeeper(t, c)) })
	t.Run("retire", func(t *testing.T) { testKeysRetire(t, newKeeper(t, c)) })
	t.Run("revoke", func(t *testing.T) { testKeysRevoke(t, newKeeper(t, c)) })
	t.Run("sync", func(t *testing.T) { testKeysSync(t, newKeeper(t, c)) })
	t.Run("distrust", func(t *testing.T) { testKeysDistrust(t, newKeeper(t, c)) })
}

func testKeysList(t *testing.T, k *keeper) {
	code, table, said := k.run(t, "list", "cluster")
	if code != exitOK {
		t.Fatalf("code %d, %s", code, said)
	}
	var got []string
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		got = append(got, fields[0]+" "+fields[1]+" "+fields[4])
	}
	want := []string{"KIND STATE FINGERPRINT"}
	for _, name := range []string{rsaNew, ageNew} {
		want = append(want, string(k.id(t, name).Kind())+" active "+k.id(t, name).Fingerprint())
	}
	if strings.Join(got[:3], "\n") != strings.Join(want, "\n") || len(got) != 5 {
		t.Errorf("listed %q, want first %q and two more", got, want)
	}
	code, public, _ := k.run(t, "list", "-o", "public", "cluster")
	sealing := string(k.id(t, rsaNew).Recipient().Marshal()) + string(k.id(t, ageNew).Recipient().Marshal())
	if code != exitOK || public != sealing {
		t.Errorf("public: code %d, %s", code, public)
	}
	_, names, _ := k.run(t, "list", "-o", "name", "cluster")
	for _, want := range []string{k.id(t, ageNew).Recipient().String(), k.id(t, ageOld).Fingerprint(), k.id(t, rsaOld).Fingerprint()} {
		if !strings.Contains(names, want+"\n") {
			t.Errorf("names: no %s in %s", want, names)
		}
	}
	_, text, _ := k.run(t, "list", "-o", "json", "cluster")
	var all []map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 4 {
		t.Fatalf("json: %v, %s", err, text)
	}
	for _, one := range all {
		if one["state"] != "active" || one["created"] == nil || one["secret"] == nil {
			t.Errorf("json: %v", one)
		}
	}
}

func testKeysRotate(t *testing.T, k *keeper) {
	type result struct {
		code      int
		out, said string
	}
	done := make(chan result, 1)
	go func() {
		code, out, said := k.run(t, "rotate", "--kind", "age", "cluster")
		done <- result{code, out, said}
	}()
	k.poll(t, "the annotation", func() bool { return k.configMap(t).Annotations["fuin.dev/rotate-age"] != "" })
	made := generate(t)
	k.keep(t, "fuin-age-key-2", made)
	k.publish(t)
	r := <-done
	expect(t, "rotate", r.code, exitOK, r.said, "fuin keys sync cluster FILE")
	if want := "hybrid  " + made.Fingerprint() + "\n"; r.out != want {
		t.Errorf("rotate prints %q, want %q", r.out, want)
	}

	code, _, said := k.run(t, "rotate", "--kind", "rsa", "--timeout", "0", "cluster")
	expect(t, "without waiting", code, exitOK, said, "fuin: asked; fuin keys list cluster shows")
	at, err := time.Parse("2006-01-02T15:04:05Z", k.configMap(t).Annotations["fuin.dev/rotate-rsa"])
	if err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("asked for %v, %v", at, err)
	}
	code, out, said := k.run(t, "rotate", "--kind", "rsa", "--timeout", "1ms", "cluster")
	expect(t, "no controller", code, exitUnreachable, out+said, "no new rsa key within 1ms", "the request stands")

	k.keep(t, "fuin-age-key-ahead", generate(t))
	k.publish(t)
	code, _, said = k.run(t, "rotate", "cluster")
	expect(t, "a key of the future", code, exitError, said, "its newest age key was made just now", "a clock is wrong")
}

func generate(t *testing.T) *keys.Identity {
	t.Helper()
	id, err := keys.Generate(keys.Hybrid, time.Now(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func testKeysRights(t *testing.T, k *keeper) {
	fingerprint := k.id(t, ageOld).Fingerprint()
	code, _, said := k.as(t.Context(), k.stranger, "", "rotate", "cluster")
	expect(t, "rotate", code, exitUnreachable, said, "403 Forbidden",
		"ask for the right to patch api/v1/namespaces/"+k.namespace+"/configmaps/fuin-public-keys")
	code, _, said = k.as(t.Context(), k.stranger, "", "retire", "cluster", fingerprint)
	expect(t, "retire", code, exitUnreachable, said, "403 Forbidden",
		"ask for the right to patch api/v1/namespaces/"+k.namespace+"/secrets/"+ageOld)
	if state := k.id(t, ageOld).State(); state != keys.Active {
		t.Errorf("a stranger made it %s", state)
	}
	config, err := k.cluster.As(t.Context(), k.namespace, "keeper")
	if err != nil {
		t.Fatal(err)
	}
	reader, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = reader.Get(t.Context(), client.ObjectKey{Namespace: k.namespace, Name: ageOld}, &corev1.Secret{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("the keeper reads a key: %v", err)
	}
	// A client of another kind reads it by a patch, as docs/operations.md warns.
	whole := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: ageOld}}
	if err := reader.Patch(t.Context(), whole, client.RawPatch(types.MergePatchType, []byte("{}"))); err != nil || len(whole.Data) == 0 {
		t.Errorf("a patch no longer answers with the data, %v: correct the docs", err)
	}
	flags := clusterFlags{kubeconfig: k.kubeconfig, namespace: k.namespace}
	c, err := flags.dial("")
	if err != nil {
		t.Fatal(err)
	}
	_, answer, err := c.send(t.Context(), http.MethodPatch, []byte("{}"), "api/v1/namespaces", k.namespace, "secrets", ageOld)
	if err != nil || !bytes.Contains(answer, []byte(ageOld)) || bytes.Contains(answer, []byte(`"data"`)) {
		t.Errorf("a patch brings more than metadata here: %d bytes, %v", len(answer), err)
	}
}

func testKeysRetire(t *testing.T, k *keeper) {
	rsa, age := k.id(t, rsaOld).Fingerprint(), k.id(t, ageOld).Fingerprint()
	bare := strings.TrimPrefix(age, "SHA256:")[:10]
	code, _, said := k.run(t, "retire", "cluster", rsa, bare, ageOld)
	expect(t, "retire", code, exitOK, said, "fuin: rsa "+rsa+" is retired\n", "fuin: hybrid "+age+" is retired\n", "fuin keys sync cluster FILE")
	if strings.Contains(said, "is left then") || strings.Count(said, age) != 1 {
		t.Errorf("retire says %s", said)
	}
	k.wantStates(t, map[string]keys.State{rsaOld: keys.Retired, ageOld: keys.Retired, rsaNew: keys.Active, ageNew: keys.Active})
	k.publish(t)
	code, _, said = k.run(t, "retire", "cluster", rsaOld)
	expect(t, "again", code, exitOK, said, "is retired already")
	code, _, said = k.run(t, "revoke", "--undo", "cluster", rsaOld)
	expect(t, "the other verb", code, exitError, said, "is retired\n", "fuin keys retire --undo makes it active")
	code, _, said = k.run(t, "retire", "--undo", "cluster", rsa, age)
	expect(t, "undo", code, exitOK, said, rsa+" is active\n")
	k.wantStates(t, map[string]keys.State{rsaOld: keys.Active, ageOld: keys.Active})

	k.publish(t)
	code, _, said = k.run(t, "retire", "cluster", ageOld, ageNew)
	expect(t, "the last ones", code, exitOK, said, "no active age key is left then: the controller makes another")
	code, _, said = k.run(t, "retire", "cluster", rsaNew, "SHA256:nonesuch", "SHA")
	expect(t, "unknown", code, exitError, said, `has no key "SHA256:nonesuch"`, `has no key "SHA"`)
	k.wantStates(t, map[string]keys.State{rsaNew: keys.Active})
	code, _, said = k.run(t, "retire", "cluster", "AGE-SECRET-KEY-PQ-1QQ")
	expect(t, "a private key", code, exitUsage, said, "a key's text")
}

func testKeysRevoke(t *testing.T, k *keeper) {
	code, _, said := k.run(t, "revoke", "cluster", rsaNew)
	expect(t, "no terminal", code, exitUsage, said, "add --yes")
	code, _, said = k.as(t.Context(), k.kubeconfig, "n\n", "revoke", "cluster", rsaNew)
	expect(t, "no", code, exitError, said, "revoke 1 key of context kubetest", "nothing changed", "change those values")
	k.wantStates(t, map[string]keys.State{rsaNew: keys.Active})
	code, _, said = k.as(t.Context(), k.kubeconfig, "yes\n", "revoke", "cluster", rsaNew)
	expect(t, "yes", code, exitOK, said, "is revoked\n")
	code, _, said = k.run(t, "revoke", "--yes", "cluster", ageNew)
	expect(t, "--yes", code, exitOK, said, "is revoked\n", "no longer opens")
	k.wantStates(t, map[string]keys.State{rsaNew: keys.Revoked, ageNew: keys.Revoked})
	k.wantLabel(t, rsaNew, keys.LabelRSA, "compromised")

	// The list lags behind: retiring what was revoked does not revive it.
	code, _, said = k.run(t, "retire", "cluster", rsaNew)
	expect(t, "lag", code, exitOK, said)
	k.wantStates(t, map[string]keys.State{rsaNew: keys.Revoked})
	k.publish(t)
	code, _, said = k.run(t, "retire", "cluster", ageNew)
	expect(t, "retire what is revoked", code, exitError, said, "is revoked\n", "fuin keys revoke --undo makes it active")
	code, _, said = k.run(t, "revoke", "--undo", "cluster", rsaNew, ageNew)
	expect(t, "undo", code, exitOK, said, "is active\n")
	k.wantStates(t, map[string]keys.State{rsaNew: keys.Active, ageNew: keys.Active})
	k.wantLabel(t, rsaNew, keys.LabelRSA, "active")
}

func testKeysSync(t *testing.T, k *keeper) {
	file := filepath.Join(t.TempDir(), "keys.txt")
	code, out, said := k.run(t, "sync", "--check", "cluster", file)
	expect(t, "check of no file", code, exitFindings, out+said, "+ rsa ", "+ hybrid ", "out of date", "fuin: hint: fuin keys sync cluster "+file)
	if _, err := os.Stat(file); err == nil {
		t.Error("--check makes the file")
	}
	code, _, said = k.run(t, "sync", "cluster", file)
	expect(t, "new file", code, exitOK, said)
	_, public, _ := k.run(t, "list", "-o", "public", "cluster")
	if got := readAllOf(t, file); !strings.HasPrefix(got, public) {
		t.Errorf("the file is %s", got)
	}
	k.wantFormer(t, file, map[string]string{rsaOld: "replaced", ageOld: "replaced"})

	commented := "# of the test\n" + readAllOf(t, file)
	writeAllOf(t, file, commented)
	code, _, said = k.run(t, "sync", "cluster", file)
	expect(t, "up to date", code, exitOK, said, "is up to date")
	if got := readAllOf(t, file); got != commented {
		t.Errorf("a file that was right is changed: %s", got)
	}

	old := k.id(t, ageNew).Fingerprint()
	code, _, said = k.run(t, "revoke", "--yes", "cluster", ageNew)
	expect(t, "revoke", code, exitOK, said)
	code, _, said = k.run(t, "retire", "cluster", rsaOld)
	expect(t, "retire", code, exitOK, said)
	k.publish(t)
	code, out, _ = k.run(t, "sync", "--check", "cluster", file)
	expect(t, "check", code, exitFindings, out, "- hybrid  "+old+" (revoked)\n", "+ hybrid  "+k.id(t, ageOld).Fingerprint()+"\n",
		"~ rsa     "+k.id(t, rsaOld).Fingerprint()+" (retired)\n")
	code, out, _ = k.run(t, "sync", "cluster", file)
	expect(t, "sync", code, exitOK, out, "(revoked)")
	code, _, said = k.run(t, "sync", "--check", "cluster", file)
	expect(t, "check again", code, exitOK, said, "is up to date")
	k.wantFormer(t, file, map[string]string{rsaOld: "retired", ageNew: "revoked"})
	if got := readAllOf(t, file); !strings.HasPrefix(got, "# of the test\n-----BEGIN") {
		t.Errorf("a comment is lost: %s", got)
	}
	k.testFormerOverTime(t, file)

	files, err := testKeys()
	if err != nil {
		t.Fatal(err)
	}
	foreign := string(files["other.pub"])
	writeAllOf(t, file, foreign)
	for _, args := range [][]string{{"sync", "cluster", file}, {"sync", "--check", "cluster", file}} {
		code, _, said = k.run(t, args...)
		expect(t, "another cluster's", code, exitError, said, "knows none of its keys", "--force")
	}
	if got := readAllOf(t, file); got != foreign {
		t.Errorf("another cluster's keys are replaced: %s", got)
	}
	code, out, _ = k.run(t, "sync", "--force", "cluster", file)
	expect(t, "force", code, exitOK, out, "(unknown to the cluster)")
	writeAllOf(t, file, "kind: Secret\n")
	code, _, said = k.run(t, "sync", "--force", "cluster", file)
	expect(t, "no file of keys", code, exitError, said, "no public key")
}

// testFormerOverTime: days stay; what is undone is forgotten; what the cluster
// does not have any more was removed.
func (k *keeper) testFormerOverTime(t *testing.T, file string) {
	today := time.Now().UTC().Format(time.DateOnly)
	writeAllOf(t, file, strings.ReplaceAll(readAllOf(t, file), "retired since "+today, "retired since 2024-02-29"))
	code, _, said := k.run(t, "revoke", "--undo", "cluster", ageNew)
	expect(t, "undo", code, exitOK, said)
	k.publish(t)
	code, out, said := k.run(t, "sync", "cluster", file)
	expect(t, "sync after undo", code, exitOK, out+said, "+ hybrid  "+k.id(t, ageNew).Fingerprint())
	k.wantFormer(t, file, map[string]string{rsaOld: "retired", ageOld: "replaced"})
	if !strings.Contains(readAllOf(t, file), "retired since 2024-02-29\n") {
		t.Errorf("the day is lost: %s", readAllOf(t, file))
	}

	gone := keys.Former{Fingerprint: "SHA256:" + strings.Repeat("a", 43), Kind: keys.RSA, Fate: keys.WasReplaced, Since: time.Now()}
	writeAllOf(t, file, readAllOf(t, file)+string(gone.Marshal()))
	code, out, _ = k.run(t, "sync", "--check", "cluster", file)
	expect(t, "removed", code, exitFindings, out, "~ rsa     "+gone.Fingerprint+" (removed)\n")
	code, out, _ = k.run(t, "sync", "cluster", file)
	expect(t, "removed, sync", code, exitOK, out)
	if !strings.Contains(readAllOf(t, file), gone.Fingerprint+" rsa removed since "+today) {
		t.Errorf("no word of the key that is gone: %s", readAllOf(t, file))
	}

	both := keys.Former{Fingerprint: k.id(t, ageNew).Fingerprint(), Kind: keys.Hybrid, Fate: keys.WasRetired, Since: time.Now()}
	right := readAllOf(t, file)
	for what, more := range map[string]string{"(active)": string(both.Marshal()), "which does not parse": keys.FormerMark + " hunter2\n"} {
		writeAllOf(t, file, right+more)
		code, out, _ = k.run(t, "sync", "--check", "cluster", file)
		expect(t, what, code, exitFindings, out, what)
		code, out, said = k.run(t, "sync", "cluster", file)
		expect(t, what, code, exitOK, out)
		if got := readAllOf(t, file); strings.Contains(got, strings.TrimSpace(more)) || strings.Contains(out+said, "hunter2") {
			t.Errorf("%s: the file is %s", what, got)
		}
	}
	code, _, said = k.run(t, "sync", "--check", "cluster", file)
	expect(t, "in the end", code, exitOK, said)
}

// wantFormer compares what a file tells of keys that seal no more.
func (k *keeper) wantFormer(t *testing.T, file string, want map[string]string) {
	t.Helper()
	all, err := keys.ParseFormer([]byte(readAllOf(t, file)))
	if err != nil || len(all) != len(want) {
		t.Errorf("former keys %v, %v; want %v", all, err, want)
	}
	for name, fate := range want {
		fingerprint := k.id(t, name).Fingerprint()
		i := slices.IndexFunc(all, func(f keys.Former) bool { return f.Fingerprint == fingerprint })
		if i < 0 || string(all[i].Fate) != fate || all[i].Since.IsZero() {
			t.Errorf("%s: former keys %v; want %s", name, all, fate)
		}
	}
}

// testKeysDistrust: what the cluster answers steers neither paths nor terminals.
func testKeysDistrust(t *testing.T, k *keeper) {
	good := `"SHA256:` + strings.Repeat("a", 43) + `"`
	for what, text := range map[string]string{
		"no list of keys":      `{"fingerprint": 1}`,
		"has no fingerprint":   `[{"fingerprint":"SHA256:\u001b[2J","kind":"rsa","state":"active","secret":"k"}]`,
		"is in no Secret":      `[{"fingerprint":` + good + `,"kind":"rsa","state":"active","secret":"../configmaps/x"}]`,
		"of an unknown kind":   `[{"fingerprint":` + good + `,"kind":"\u001b","state":"active","secret":"k"}]`,
		"in an unknown state":  `[{"fingerprint":` + good + `,"kind":"rsa","state":"","secret":"k"}]`,
		"does not publish its": ``,
	} {
		k.write(t, map[string]string{entryRing: text})
		code, out, said := k.run(t, "retire", "cluster", strings.Repeat("a", 43))
		expect(t, what, code, exitUnreachable, said, what)
		if out != "" || strings.ContainsRune(said, '\x1b') {
			t.Errorf("%s: prints %q, %q", what, out, said)
		}
	}
	// A list that names a Secret that is no key does not make it one.
	create(t, k.cluster, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: "password"}})
	k.write(t, map[string]string{entryRing: `[{"fingerprint":` + good + `,"kind":"hybrid","state":"active","secret":"password"}]`})
	code, _, said := k.run(t, "retire", "cluster", "password")
	expect(t, "no key", code, exitUnreachable, said, "422")
	k.wantLabel(t, "password", keys.LabelAge, "")
}
