package controller_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	"fuin.dev/render"
	"fuin.dev/seal"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// exposed runs the controller behind the Service of deploy/base and returns
// flags for kubeseal, as a user of the namespace who was granted nothing.
func (s *system) exposed(namespace string) (p *fuintest.Process, flags []string) {
	s.T.Helper()
	ip, err := kubetest.Address()
	s.OK(err)
	p = s.Run(fuintest.Alone, "--listen-addr", net.JoinHostPort(ip, "0"))
	address, err := url.Parse(p.HTTP)
	s.OK(err)
	port, err := strconv.Atoi(address.Port())
	s.OK(err)
	s.OK(s.Expose(s.T.Context(), "fuin-system", "fuin-controller", port))

	user, err := s.As(s.T.Context(), namespace, "default")
	s.OK(err)
	kubeconfig := filepath.Join(s.T.TempDir(), "user")
	s.OK(kubetest.WriteKubeconfig(kubeconfig, user, namespace))
	return p, []string{"--kubeconfig", kubeconfig, "--controller-name", "fuin-controller", "--controller-namespace", "fuin-system"}
}

func TestKubesealFetchesTheCertificateThroughTheAPIServer(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	ns := s.Namespace(t)
	p, flags := s.exposed(ns)
	k := s.kubeseal(nil)
	fetched := k.run("", append(flags, "--fetch-cert")...)
	if published := string(s.Recipient("cert.pem").Marshal()); fetched != published || fetched != s.certificate(p.HTTP) {
		t.Errorf("fetched %q, published %q", fetched, published)
	}
	// Sealing without --cert fetches it, too.
	s.Put(k.run(secret(ns, "db", "k", "v"), flags...))
	s.Opens(ns, "db", "k", "v")
	k.cert = p.HTTP + "/v1/cert.pem"
	s.Put(k.seal(secret(ns, "by-address", "k", "v")))
	s.Opens(ns, "by-address", "k", "v")
}

func TestKubesealValidatesThroughTheAPIServer(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	ns := s.Namespace(t)
	_, flags := s.exposed(ns)
	k := s.kubeseal(s.Recipient("cert.pem").Marshal())
	validate := append(slices.Clone(flags), "--validate")
	theirs := k.seal(secret(ns, "db", "a", "1", "b", "2"))
	good := map[string]string{
		"of kubeseal":       theirs,
		"of ours":           s.Seal(secret(ns, "db", "a", "1"), false),
		"of ours, in age":   s.Seal(secret(ns, "db", "a", "1"), true),
		"several documents": k.seal(secret(ns, "a", "a", "1")+"\n---\n"+secret(ns, "b", "a", "1"), "--format", "yaml"),
	}
	for what, sealed := range good {
		if _, err := k.try(sealed, validate...); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	bad := map[string]string{
		"moved": s.Edit(theirs, func(m map[string]any) { at(m, "other", "metadata", "name") }),
		"spoiled": s.Edit(theirs, func(m map[string]any) {
			at(m, flipped(dig(m, "spec", "encryptedData", "b")), "spec", "encryptedData", "b")
		}),
		"no base64, one of several": k.seal(secret(ns, "a", "a", "1")) + "---\n" +
			s.Edit(theirs, func(m map[string]any) { at(m, "hunter2!", "spec", "encryptedData", "b") }),
	}
	for what, sealed := range bad {
		_, err := k.try(sealed, validate...)
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(err.Error(), "unable to decrypt sealed secret: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestKubesealReEncryptsThroughTheAPIServer(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	ns := s.Namespace(t)
	p, flags := s.exposed(ns)
	k := s.kubeseal(s.Recipient("cert.pem").Marshal())
	plain := s.Edit(secret(ns, "db", "user", "shop"), func(m map[string]any) {
		at(m, map[string]any{"app": "shop"}, "metadata", "labels")
		at(m, map[string]any{"example.com/note": "multi\nline", seal.AnnotationNamespaceWide: "true"}, "metadata", "annotations")
		at(m, "example.com/thing", "type")
		at(m, true, "immutable")
	})
	before := []string{
		s.Edit(k.seal(plain), func(m map[string]any) {
			at(m, map[string]any{"url": "db://{{ .user }}"}, "spec", "template", "data")
		}),
		s.Seal(secret(ns, "age", "k", "v"), true),
		k.seal(secret(ns, "strict", "k", "v"), "--format", "yaml"),
	}
	newest := s.addKey(p, keys.RSA, "second")
	out := k.run(strings.Join(before, "\n---\n"), append(slices.Clone(flags), "--re-encrypt", "--format", "yaml")...)
	after := strings.Split(strings.TrimPrefix(out, "---\n"), "\n---\n")
	if len(after) != len(before) {
		t.Fatalf("%d objects: %s", len(after), out)
	}
	for i := range before {
		if a, b := s.frame(before[i]), s.frame(after[i]); a != b {
			t.Errorf("more changed than values:\n%s\n%s", a, b)
		}
	}
	if strings.Count(out, newest.Fingerprint()) != 2 {
		t.Errorf("not all RSA values are sealed to %s: %s", newest, out)
	}

	moved := s.Edit(before[1], func(m map[string]any) { at(m, "other", "metadata", "name") })
	_, err := k.try(moved, append(flags, "--re-encrypt")...)
	if err == nil || !strings.Contains(err.Error(), "cannot re-encrypt secret") || !strings.Contains(err.Error(), "sealed for "+ns+"/age, and moved") {
		t.Errorf("moved: %v", err)
	}

	s.revokeAllBut("second")
	s.Eventually("the first key opens nothing", func() bool { return p.Post("/v1/verify", before[0]).Status == http.StatusConflict })
	s.Put(out)
	made := s.Opens(ns, "db", "url", "db://shop")
	if made.Type != "example.com/thing" || made.Labels["app"] != "shop" || made.Annotations["example.com/note"] != "multi\nline" {
		t.Errorf("made as %s with %v and %v", made.Type, made.Labels, made.Annotations)
	}
	s.Opens(ns, "strict", "k", "v")
	s.Opens(ns, "age", "k", "v")
}

// frame is a SealedSecret without what resealing may change.
func (s *system) frame(sealed string) string {
	s.T.Helper()
	return s.Edit(sealed, func(m map[string]any) {
		for key := range dig(m, "spec", "encryptedData").(map[string]any) {
			at(m, "", "spec", "encryptedData", key)
		}
		meta := m["metadata"].(map[string]any)
		if annotations, ok := meta["annotations"].(map[string]any); ok {
			if delete(annotations, seal.AnnotationKey); len(annotations) == 0 {
				delete(meta, "annotations")
			}
		}
		dropNulls(m)
	})
}

// dropNulls removes what kubeseal writes for times that are not set.
func dropNulls(m map[string]any) {
	for key, value := range m {
		if child, ok := value.(map[string]any); ok {
			dropNulls(child)
		} else if value == nil {
			delete(m, key)
		}
	}
}

// revokeAllBut leaves one RSA key in use.
func (s *system) revokeAllBut(name string) {
	s.T.Helper()
	var list corev1.SecretList
	s.OK(s.Client().List(s.T.Context(), &list, client.InNamespace("fuin-system"), client.HasLabels{keys.LabelRSA}))
	for i := range list.Items {
		if list.Items[i].Name != name {
			s.Patch(&list.Items[i], `{"metadata":{"labels":{"`+keys.LabelState+`":"revoked"}}}`)
		}
	}
}

// flipped changes one letter in the middle of a sealed value.
func flipped(value any) string {
	text := []byte(value.(string))
	middle := len(text) / 2
	text[middle] = map[bool]byte{true: 'B', false: 'A'}[text[middle] == 'A']
	return string(text)
}

// rsaKeys prints the cluster's RSA keys as an administrator does.
func (s *system) rsaKeys(output string) (file string) {
	s.T.Helper()
	admin := filepath.Join(s.T.TempDir(), "admin")
	s.OK(kubetest.WriteKubeconfig(admin, s.Admin(), ""))
	cmd := exec.CommandContext(s.T.Context(), s.Binary("kubectl"), "--kubeconfig", admin, "--namespace", "fuin-system",
		"get", "secret", "--selector", keys.LabelRSA, "--output", output)
	out, err := cmd.Output()
	s.OK(err)
	file = filepath.Join(s.T.TempDir(), "keys."+output)
	s.OK(os.WriteFile(file, out, 0o600))
	return file
}

func TestKubesealRecoversWhatWeSeal(t *testing.T) {
	s, ns := shared(t)
	k := s.kubeseal(nil)
	for _, output := range []string{"yaml", "json"} {
		backup := s.rsaKeys(output)
		for _, x := range samples {
			if x.want != nil {
				continue // templates of its own are for the next test
			}
			sealer, err := seal.NewSealer(s.Recipient("cert.pem"))
			s.OK(err)
			sealed, err := sealer.Manifest([]byte(x.manifest(s, ns, x.name)), seal.Options{Scope: x.scope, Format: seal.JSON})
			s.OK(err)
			var plain corev1.Secret
			s.OK(json.Unmarshal([]byte(k.run(string(sealed.Out), "--recovery-unseal", "--recovery-private-key", backup)), &plain))
			x.holds(t, &plain)
		}
	}
}

func TestOpensOfflineWhatKubesealSealed(t *testing.T) {
	s, ns := shared(t)
	pool := render.NewPool(render.Config{Path: filepath.Join(fuintest.Bin, "fuin-render")})
	defer pool.Close()
	k := s.kubeseal(s.Recipient("cert.pem").Marshal())
	for _, output := range []string{"yaml", "json"} {
		backup, err := os.ReadFile(s.rsaKeys(output))
		s.OK(err)
		identities, err := keys.ParseIdentities(backup)
		s.OK(err)
		opener := seal.Opener{Identities: identities, Render: pool.Render}
		for _, x := range samples {
			sealed := k.seal(x.manifest(s, ns, x.name), "--scope", string(x.scope), "--format", output)
			if x.sealed != nil {
				sealed = s.Edit(sealed, func(m map[string]any) { x.sealed(m, "elsewhere") })
			}
			opened, err := opener.Manifest(t.Context(), []byte(sealed), seal.JSON)
			s.OK(err)
			var plain corev1.Secret
			s.OK(json.Unmarshal(opened.Out, &plain))
			x.holds(t, &plain)
		}
	}
}
