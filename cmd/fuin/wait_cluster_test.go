package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/controller/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func testWaitRevision(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	e := w.environment(t, ns, "shop")
	code, _, said := w.run(t, "wait", ns+"/shop", "--timeout", "0")
	expect(t, "nobody saw it", code, exitUnreachable, said, "not ready within 0s", "no controller has seen it yet")
	w.report(t, e, ready(mainA))
	code, out, said := w.run(t, "wait", ns+"/shop")
	expect(t, "what the spec asks for", code, exitOK, out+said, ns+"/shop Ready "+mainA+"\n")

	wait := w.start(t, w.kubeconfig, "wait", ns+"/shop", "--revision", commitB[:8])
	wait.says(t, "waiting for "+ns+"/shop: commit bbbbbbbb ready")
	w.report(t, e, func(s *v1alpha1.EnvironmentStatus) {
		conditions(s, metav1.ConditionUnknown, "Progressing", "applying", v1alpha1.Reconciling)
		s.LastAttemptedRevision = mainB
	})
	wait.says(t, "Reconciling main@aaaaaaaa (main@bbbbbbbb attempted): applying")
	applied := w.start(t, w.kubeconfig, "wait", ns+"/shop", "--revision", mainB, "--for", "applied")
	w.report(t, e, func(s *v1alpha1.EnvironmentStatus) { s.LastAppliedRevision = mainB })
	applied.ends(t, "applied", exitOK, ns+"/shop Reconciling "+mainB)
	w.report(t, e, ready(mainB))
	wait.ends(t, "ready", exitOK, ns+"/shop Ready "+mainB)

	w.report(t, e, func(s *v1alpha1.EnvironmentStatus) {
		s.History = []v1alpha1.Revision{{Revision: mainB, Result: "Applied", Time: metav1.Now()}, {Revision: mainA, Result: "Superseded", Time: metav1.Now()}}
	})
	code, out, said = w.run(t, "wait", ns+"/shop", "--revision", commitA)
	expect(t, "superseded", code, exitOK, out+said, "aaaaaaaa was superseded by main@bbbbbbbb", ns+"/shop Ready "+mainB)
	code, _, said = w.run(t, "wait", ns+"/shop", "--revision", strings.Repeat("c", 40), "--timeout", "100ms")
	expect(t, "never pushed", code, exitUnreachable, said, "not ready within 100ms", "was cccccccc pushed")
	code, _, said = w.run(t, "wait", ns+"/shop", "--revision", "no-such-tag")
	expect(t, "no revision", code, exitUsage, said, `--revision "no-such-tag": no commit`)
}

func testWaitFailures(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	e := w.environment(t, ns, "shop")
	fails := func(edit func(*v1alpha1.EnvironmentStatus)) {
		t.Helper()
		w.report(t, e, func(s *v1alpha1.EnvironmentStatus) { s.LastAttemptedRevision = mainB; edit(s) })
	}
	fails(func(s *v1alpha1.EnvironmentStatus) {
		conditions(s, metav1.ConditionFalse, "WrongCluster", "its keys are another's", v1alpha1.Stalled)
	})
	code, out, said := w.run(t, "wait", ns+"/shop", "--revision", commitB)
	expect(t, "stalled", code, exitFindings, out+said, ns+"/shop: WrongCluster: its keys are another's", "fuin status "+ns+"/shop tells more")
	w.report(t, e, func(s *v1alpha1.EnvironmentStatus) {
		s.History = []v1alpha1.Revision{{Revision: mainB, Result: "Failed", Message: "WrongCluster: its keys are another's", Time: metav1.Now()}}
	})
	wait := w.start(t, w.kubeconfig, "wait", ns+"/shop", "--revision", commitA)
	wait.says(t, "its keys are another's")
	fails(func(s *v1alpha1.EnvironmentStatus) { // nobody changes Ready and Stalled while the next revision is applied
		s.Conditions = append(s.Conditions, metav1.Condition{Type: v1alpha1.Reconciling, Status: metav1.ConditionTrue, Reason: "Applying", Message: "applying " + mainA, LastTransitionTime: metav1.Now()})
		s.LastAttemptedRevision = mainA
	})
	wait.says(t, "Reconciling - (main@aaaaaaaa attempted): applying "+mainA)
	w.report(t, e, func(s *v1alpha1.EnvironmentStatus) { s.History = nil; ready(mainA)(s) })
	wait.ends(t, "stalled at another revision", exitOK, ns+"/shop Ready "+mainA)

	fails(func(s *v1alpha1.EnvironmentStatus) {
		s.LastAttemptedRevision = mainA
		conditions(s, metav1.ConditionFalse, "VerificationFailed", "the commit is not signed")
	})
	code, _, said = w.run(t, "wait", ns+"/shop", "--revision", commitB)
	expect(t, "no revision to be had", code, exitFindings, said, "VerificationFailed: the commit is not signed")

	fails(func(s *v1alpha1.EnvironmentStatus) {
		conditions(s, metav1.ConditionFalse, "ApplyFailed", "a webhook is away")
	})
	wait = w.start(t, w.kubeconfig, "wait", ns+"/shop", "--revision", commitB)
	wait.says(t, "a webhook is away")
	w.report(t, e, ready(mainB))
	wait.ends(t, "a failure that passed", exitOK, ns+"/shop Ready "+mainB)

	fails(func(s *v1alpha1.EnvironmentStatus) {
		conditions(s, metav1.ConditionFalse, "DependencyNotReady", "waits for infra")
	})
	code, _, said = w.run(t, "wait", ns+"/shop", "--revision", commitB, "--timeout", "100ms")
	expect(t, "a dependency", code, exitUnreachable, said, "waits for infra")
	fails(func(s *v1alpha1.EnvironmentStatus) {
		conditions(s, metav1.ConditionFalse, "ApplyFailed", "no right to apply")
	})
	code, _, said = w.run(t, "wait", ns+"/shop", "--revision", commitB)
	expect(t, "a failure that lasts", code, exitFindings, said, "ApplyFailed: no right to apply")

	wait = w.start(t, w.kubeconfig, "wait", ns+"/shop", "--revision", strings.Repeat("c", 40))
	wait.says(t, "no right to apply")
	if err := w.client.Delete(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	wait.ends(t, "deleted", exitFindings, "it was deleted")
	w.environment(t, ns, "paused", func(s *v1alpha1.EnvironmentSpec) { s.Suspend = true })
	code, _, said = w.run(t, "wait", ns+"/paused")
	expect(t, "suspended", code, exitFindings, said, "it is suspended", "unset spec.suspend")
}

func testWaitDirectory(t *testing.T, w *world) {
	repo := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", repo, "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	dir := filepath.Join(repo, "overlays", "tested")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	git("commit", "-q", "--allow-empty", "-m", "one")
	old := git("rev-parse", "HEAD")
	git("commit", "-q", "--allow-empty", "-m", "two")
	head := git("rev-parse", "HEAD")

	ns := w.cluster.Namespace(t)
	code, _, said := w.run(t, "wait", dir, "-n", ns)
	expect(t, "no environment", code, exitError, said, "no environment applies overlays/tested")
	e := w.environment(t, ns, "tested")
	w.report(t, e, ready("main@sha1:"+head))
	code, out, said := w.run(t, "wait", dir, "-n", ns)
	expect(t, "by path alone", code, exitOK, out+said, "commit "+head[:8]+" ready", ns+"/tested Ready main@sha1:"+head)
	git("remote", "add", "origin", "git@elsewhere.example:team/shop.git")
	code, _, said = w.run(t, "wait", dir, "-n", ns)
	expect(t, "another repository", code, exitError, said, "of https://git.example/team/shop.git, which is no remote here", "fuin wait "+ns+"/tested")
	git("remote", "add", "upstream", "git@git.example:team/shop")
	code, out, said = w.run(t, "wait", dir) // in all namespaces
	expect(t, "of the remote", code, exitOK, out+said, ns+"/tested Ready main@sha1:"+head)
	git("tag", "v1", old)
	t.Chdir(dir)
	code, out, said = w.run(t, "wait", ns+"/tested", "--revision", "v1")
	expect(t, "an older commit", code, exitOK, out+said, "was superseded by main@"+head[:8])
	git("commit", "-q", "--allow-empty", "-m", "three")
	code, _, said = w.run(t, "wait", ns+"/tested", "--timeout", "100ms")
	expect(t, "HEAD is not pushed", code, exitUnreachable, said, "was "+git("rev-parse", "HEAD")[:8]+" pushed")
	w.environment(t, ns, "twin", func(s *v1alpha1.EnvironmentSpec) { s.Path = "./overlays/tested/" })
	code, _, said = w.run(t, "wait", ".", "-n", ns, "--timeout", "0")
	expect(t, "two of a directory", code, exitUnreachable, said, ns+"/tested: not ready", ns+"/twin: not ready")
	code, _, said = w.run(t, "wait", t.TempDir())
	expect(t, "no work tree", code, exitError, said, "in no git work tree", "fuin wait NAMESPACE/NAME")
}

// testWaitPolls: the right to get one Environment is enough.
func testWaitPolls(t *testing.T, w *world) {
	ns := w.cluster.Namespace(t)
	e := w.environment(t, ns, "mine")
	getter := w.account(t, ns, "getter", `[{apiGroups: [fuin.dev], resources: [environments], resourceNames: [mine], verbs: [get]}]`)
	eventually(t, func() bool {
		_, _, said := w.as(t.Context(), getter, "wait", ns+"/mine", "--timeout", "0")
		return !strings.Contains(said, "403 Forbidden")
	})
	wait := w.start(t, getter, "wait", ns+"/mine", "--revision", commitA)
	wait.says(t, "looking every 2s")
	w.report(t, e, ready(mainA))
	wait.ends(t, "wait", exitOK, ns+"/mine Ready")

	docs := readAllOf(t, "../../docs/operations.md")
	_, rules, _ := strings.Cut(docs, "```yaml\nrules:\n")
	rules, _, _ = strings.Cut(rules, "```")
	watcher := w.account(t, ns, "watcher", "\n"+strings.ReplaceAll(rules, "production", "mine"))
	eventually(t, func() bool {
		_, _, said := w.as(t.Context(), watcher, "wait", ns+"/mine", "--timeout", "0")
		return !strings.Contains(said, "403 Forbidden")
	})
	code, _, said := w.as(t.Context(), watcher, "wait", ns+"/mine", "--revision", commitB, "--timeout", "1s")
	if expect(t, "watch", code, exitUnreachable, said, "not ready within 1s"); strings.Contains(said, "looking every") {
		t.Errorf("the documented rules do not let it watch: %s", said)
	}
}
