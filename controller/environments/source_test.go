package environments_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// credentials makes a Secret of the namespace.
func (s *system) credentials(ns, name string, data map[string][]byte) {
	s.T.Helper()
	s.OK(s.Client().Create(s.T.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Data: data}))
}

// gitSource is spec.source with credentials and more.
func gitSource(url string, more map[string]any) map[string]any {
	git := map[string]any{"url": url, "secretRef": map[string]any{"name": "git-auth"}}
	for key, value := range more {
		git[key] = value
	}
	return map[string]any{"git": git}
}

// TestSourcesOfEnvironments: HTTPS with a password, SSH with a key and a known
// host, a local directory where the controller allows it. Credentials are read
// in the tenant's name; without them there is nothing to see.
func TestSourcesOfEnvironments(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	root := t.TempDir()
	p := s.Run(fuintest.Alone, "--source-root="+root)
	server := gittest.New(t)
	private := server.New(t, "private")
	private.Allow(gittest.Access{Username: "ci", Password: "canary-password"})
	_, err := private.Commit(t.Context(), gittest.Commit{Files: files{"m.yaml": configMapOf("m", "1")}})
	s.OK(err)

	https := s.Tenant()
	e := s.environment(private, https, "https", map[string]any{"source": gitSource(private.HTTPS(), nil)})
	e.becomes(metav1.ConditionFalse, "SecretNotFound", https+"/git-auth")
	s.credentials(https, "git-auth", map[string][]byte{"username": []byte("ci"), "password": []byte("wrong"), "caFile": server.CA})
	e.becomes(metav1.ConditionFalse, "AuthenticationFailed", "")
	s.Patch(fuintest.NamedSecret(https, "git-auth"), `{"stringData":{"password":"canary-password"}}`)
	e.becomes(metav1.ConditionTrue, "Applied", "")

	overSSH := s.Tenant()
	s.credentials(overSSH, "git-auth", map[string][]byte{"identity": server.Identity})
	e = s.environment(private, overSSH, "ssh", map[string]any{"source": gitSource(private.SSH(), nil)})
	e.becomes(metav1.ConditionFalse, "HostKeyUnknown", "known_hosts")
	s.Patch(fuintest.NamedSecret(overSSH, "git-auth"), s.jsonOf(map[string]any{"data": map[string]any{"known_hosts": server.KnownHosts}}))
	e.becomes(metav1.ConditionTrue, "Applied", "")

	local := s.Tenant()
	s.OK(os.MkdirAll(filepath.Join(root, "shop"), 0o700))
	s.OK(os.WriteFile(filepath.Join(root, "shop", "m.yaml"), []byte(configMapOf("m", "local")), 0o600))
	e = s.environment(private, local, "local", map[string]any{"source": map[string]any{"directory": "shop"}})
	env := e.becomes(metav1.ConditionTrue, "Applied", "")
	if !strings.HasPrefix(env.Status.LastAppliedRevision, "local@sha256:") {
		t.Errorf("the revision is %s", env.Status.LastAppliedRevision)
	}
	e.Declare(map[string]any{"source": map[string]any{"directory": "/etc"}})
	e.becomes(metav1.ConditionFalse, "InvalidURL", "below the root")
	if log := p.Log.String(); strings.Contains(log, "canary-password") || strings.Contains(log, "PRIVATE KEY") {
		t.Error("credentials are in the log")
	}
}

// TestSignersAreNamed: what is not signed by an allowed signer is not applied;
// what is stands in the audit trail with who signed it.
func TestSignersAreNamed(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	ns := s.Tenant()
	key, public := signingKey(t)
	s.credentials(ns, "signers", map[string][]byte{"allowed": []byte("dana@example.com " + public)})
	repo := gittest.New(t).New(t, "signed")
	e := s.environment(repo, ns, "signed", map[string]any{"source": map[string]any{"git": map[string]any{
		"url": repo.URL(), "verify": map[string]any{"mode": "HEAD", "secretRef": map[string]any{"name": "signers"}},
	}}})
	e.commit(files{"m.yaml": configMapOf("m", "1")})
	e.becomes(metav1.ConditionFalse, "VerificationFailed", "")
	if e.configMap("m") != nil {
		t.Fatal("an unsigned commit was applied")
	}
	_, err := repo.Commit(t.Context(), gittest.Commit{
		Files: files{"m.yaml": configMapOf("m", "2")}, Replace: true, Message: "raise the limit", Author: "Dana <dana@example.com>",
		Signing: &gittest.Signing{Format: "ssh", Key: key},
	})
	s.OK(err)
	env := e.becomes(metav1.ConditionTrue, "Applied", "")
	h := env.Status.History[0]
	if !strings.Contains(h.Signer, "dana@example.com") || h.Subject != "raise the limit" || !strings.Contains(h.Author, "Dana") {
		t.Errorf("the audit trail says %+v", h)
	}
}

// signingKey is a new SSH key: its file, and its public half as a line.
func signingKey(t *testing.T) (file, public string) {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("git signs with ssh-keygen: install openssh-client")
	}
	private, half, err := gittest.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	line := ssh.MarshalAuthorizedKey(half)
	file = filepath.Join(t.TempDir(), "key")
	for name, data := range map[string][]byte{file: private, file + ".pub": line} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file, string(line)
}

// TestRemoteBases are refused by name, and fetched where spec.allowRemote says
// so.
func TestRemoteBases(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	server := gittest.New(t)
	base := server.New(t, "base")
	_, err := base.Commit(t.Context(), gittest.Commit{Files: files{
		"deploy/kustomization.yaml": "resources: [m.yaml]\n", "deploy/m.yaml": configMapOf("m", "remote"),
	}})
	s.OK(err)
	e := s.environment(server.New(t, "app"), s.Tenant(), "app", nil)
	e.commit(files{"kustomization.yaml": "resources: ['" + base.URL() + "//deploy?ref=main']\nnamePrefix: far-\n"})
	e.becomes(metav1.ConditionFalse, "RenderFailed", "allowRemote")
	e.Declare(map[string]any{"allowRemote": true})
	e.becomes(metav1.ConditionTrue, "Applied", "")
	if m := e.configMap("far-m"); m == nil || m.Data["k"] != "remote" {
		t.Errorf("the base is not applied: %v", m)
	}
}
