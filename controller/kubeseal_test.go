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
func (s *system) exposed(namespace string) (p *process, flags []string) {
	s.t.Helper()
	ip, err := kubetest.Address()
	s.ok(err)
	p = s.run("--listen-addr", net.JoinHostPort(ip, "0"))
	address, err := url.Parse(p.http)
	s.ok(err)
	port, err := strconv.Atoi(address.Port())
	s.ok(err)
	s.ok(s.Expose(s.t.Context(), "fuin-system", "fuin-controller", port))

	user, err := s.As(s.t.Context(), namespace, "default")
	s.ok(err)
	kubeconfig := filepath.Join(s.t.TempDir(), "user")
	s.ok(kubetest.WriteKubeconfig(kubeconfig, user, namespace))
	return p, []string{"--kubeconfig", kubeconfig, "--controller-name", "fuin-controller", "--controller-namespace", "fuin-system"}
}

func TestKubesealFetchesTheCertificateThroughTheAPIServer(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	ns := s.Namespace(t)
	p, flags := s.exposed(ns)
	k := s.kubeseal(nil)
	fetched := k.run("", append(flags, "--fetch-cert")...)
	if published := string(s.recipient("cert.pem").Marshal()); fetched != published || fetched != s.certificate(p.http) {
		t.Errorf("fetched %q, published %q", fetched, published)
	}
	// Sealing without --cert fetches it, too.
	s.apply(k.run(secret(ns, "db", "k", "v"), flags...))
	s.opens(ns, "db", "k", "v")
	k.cert = p.http + "/v1/cert.pem"
	s.apply(k.seal(secret(ns, "by-address", "k", "v")))
	s.opens(ns, "by-address", "k", "v")
}

func TestKubesealValidatesThroughTheAPIServer(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	ns := s.Namespace(t)
	_, flags := s.exposed(ns)
	k := s.kubeseal(s.recipient("cert.pem").Marshal())
	validate := append(slices.Clone(flags), "--validate")
	theirs := k.seal(secret(ns, "db", "a", "1", "b", "2"))
	good := map[string]string{
		"of kubeseal":       theirs,
		"of ours":           s.seal(secret(ns, "db", "a", "1"), false),
		"of ours, in age":   s.seal(secret(ns, "db", "a", "1"), true),
		"several documents": k.seal(secret(ns, "a", "a", "1")+"\n---\n"+secret(ns, "b", "a", "1"), "--format", "yaml"),
	}
	for what, sealed := range good {
		if _, err := k.try(sealed, validate...); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	bad := map[string]string{
		"moved": s.edit(theirs, func(m map[string]any) { at(m, "other", "metadata", "name") }),
		"spoiled": s.edit(theirs, func(m map[string]any) {
			at(m, flipped(dig(m, "spec", "encryptedData", "b")), "spec", "encryptedData", "b")
		}),
		"no base64, one of several": k.seal(secret(ns, "a", "a", "1")) + "---\n" +
			s.edit(theirs, func(m map[string]any) { at(m, "hunter2!", "spec", "encryptedData", "b") }),
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
	k := s.kubeseal(s.recipient("cert.pem").Marshal())
	plain := s.edit(secret(ns, "db", "user", "shop"), func(m map[string]any) {
		at(m, map[string]any{"app": "shop"}, "metadata", "labels")
		at(m, map[string]any{"example.com/note": "multi\nline", seal.AnnotationNamespaceWide: "true"}, "metadata", "annotations")
		at(m, "example.com/thing", "type")
		at(m, true, "immutable")
	})
	before := []string{
		s.edit(k.seal(plain), func(m map[string]any) {
			at(m, map[string]any{"url": "db://{{ .user }}"}, "spec", "template", "data")
		}),
		s.seal(secret(ns, "age", "k", "v"), true),
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

	moved := s.edit(before[1], func(m map[string]any) { at(m, "other", "metadata", "name") })
	_, err := k.try(moved, append(flags, "--re-encrypt")...)
	if err == nil || !strings.Contains(err.Error(), "cannot re-encrypt secret") || !strings.Contains(err.Error(), "sealed for "+ns+"/age, and moved") {
		t.Errorf("moved: %v", err)
	}

	s.revokeAllBut("second")
	s.eventually("the first key opens nothing", func() bool { return p.post("/v1/verify", before[0]) == http.StatusConflict })
	s.apply(out)
	made := s.opens(ns, "db", "url", "db://shop")
	if made.Type != "example.com/thing" || made.Labels["app"] != "shop" || made.Annotations["example.com/note"] != "multi\nline" {
		t.Errorf("made as %s with %v and %v", made.Type, made.Labels, made.Annotations)
	}
	s.opens(ns, "strict", "k", "v")
	s.opens(ns, "age", "k", "v")
}

// frame is a SealedSecret without what resealing may change.
func (s *system) frame(sealed string) string {
	s.t.Helper()
	return s.edit(sealed, func(m map[string]any) {
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
	s.t.Helper()
	var list corev1.SecretList
	s.ok(s.Client().List(s.t.Context(), &list, client.InNamespace("fuin-system"), client.HasLabels{keys.LabelRSA}))
	for i := range list.Items {
		if list.Items[i].Name != name {
			s.patch(&list.Items[i], `{"metadata":{"labels":{"`+keys.LabelState+`":"revoked"}}}`)
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
	s.t.Helper()
	admin := filepath.Join(s.t.TempDir(), "admin")
	s.ok(kubetest.WriteKubeconfig(admin, s.Admin(), ""))
	cmd := exec.CommandContext(s.t.Context(), s.Binary("kubectl"), "--kubeconfig", admin, "--namespace", "fuin-system",
		"get", "secret", "--selector", keys.LabelRSA, "--output", output)
	out, err := cmd.Output()
	s.ok(err)
	file = filepath.Join(s.t.TempDir(), "keys."+output)
	s.ok(os.WriteFile(file, out, 0o600))
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
			sealer, err := seal.NewSealer(s.recipient("cert.pem"))
			s.ok(err)
			sealed, err := sealer.Manifest([]byte(x.manifest(s, ns, x.name)), seal.Options{Scope: x.scope, Format: seal.JSON})
			s.ok(err)
			var plain corev1.Secret
			s.ok(json.Unmarshal([]byte(k.run(string(sealed.Out), "--recovery-unseal", "--recovery-private-key", backup)), &plain))
			x.holds(t, &plain)
		}
	}
}

func TestOpensOfflineWhatKubesealSealed(t *testing.T) {
	s, ns := shared(t)
	pool := render.NewPool(render.Config{Path: filepath.Join(fuintest.Bin, "fuin-render")})
	defer pool.Close()
	k := s.kubeseal(s.recipient("cert.pem").Marshal())
	for _, output := range []string{"yaml", "json"} {
		backup, err := os.ReadFile(s.rsaKeys(output))
		s.ok(err)
		identities, err := keys.ParseIdentities(backup)
		s.ok(err)
		opener := seal.Opener{Identities: identities, Render: pool.Render}
		for _, x := range samples {
			sealed := k.seal(x.manifest(s, ns, x.name), "--scope", string(x.scope), "--format", output)
			if x.sealed != nil {
				sealed = s.edit(sealed, func(m map[string]any) { x.sealed(m, "elsewhere") })
			}
			opened, err := opener.Manifest(t.Context(), []byte(sealed), seal.JSON)
			s.ok(err)
			var plain corev1.Secret
			s.ok(json.Unmarshal(opened.Out, &plain))
			x.holds(t, &plain)
		}
	}
}
