package source_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/gittest"
	"fuin.dev/controller/source"
	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/ssh"
)

// sshSigner is a key on disk with which git signs.
type sshSigner struct {
	gittest.Signing
	public ssh.PublicKey
}

func newSSHSigner(t *testing.T) sshSigner {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("git signs with ssh-keygen: install openssh-client")
	}
	private, public, err := gittest.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	for name, data := range map[string][]byte{path: private, path + ".pub": ssh.MarshalAuthorizedKey(public)} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return sshSigner{gittest.Signing{Format: "ssh", Key: path}, public}
}

func (s sshSigner) line(principal, options string) string {
	return fmt.Sprintf("%s %s ssh-ed25519 %s a comment\n", principal, options, keyText(s.public))
}

func (w *world) verified(ref source.Ref, mode source.Mode, keys ...string) source.Git {
	g := w.ref(ref)
	g.Verify = &source.Verify{Mode: mode, Keys: map[string][]byte{}}
	for i, key := range keys {
		g.Verify.Keys[fmt.Sprintf("key%d", i)] = []byte(key)
	}
	return g
}

func TestSSHSignedCommits(t *testing.T) {
	w := newWorld(t, source.Config{})
	alice, mallory := newSSHSigner(t), newSSHSigner(t)
	w.write(map[string]string{"a": "0"})
	hash := w.commit(gittest.Commit{Files: map[string]string{"a": "1"}, Signing: &alice.Signing, Message: "signed\n\nwith a body\n"})
	main := source.Ref{Branch: "main"}
	lines := "# who may\n\n" + mallory.line("other@example.com", `valid-before="20200101"`) + alice.line("alice@example.com", `namespaces="git,file"`)
	c := w.fetch(w.verified(main, "", lines))
	if c.Commit.Hash != hash || c.Commit.Signer != "alice@example.com (SSH "+ssh.FingerprintSHA256(alice.public)+")" {
		t.Errorf("got %+v", c.Commit)
	}
	for name, row := range map[string]struct{ keys, says string }{
		"nobody":          {"# none\n", "names nobody"},
		"another":         {mallory.line("m@example.com", ""), ssh.FingerprintSHA256(alice.public)},
		"expired":         {alice.line("a@example.com", `valid-before="20200101Z"`), "no longer valid"},
		"not yet":         {alice.line("a@example.com", `valid-after="20990101120000"`), "not yet valid"},
		"other namespace": {alice.line("a@example.com", `namespaces="file"`), "namespace"},
		"authority":       {alice.line("*@example.com", "cert-authority"), "line 1"},
		"no key":          {"\nalice@example.com ssh-ed25519 what\n", "line 2"},
		"unknown option":  {alice.line("a@example.com", `verify-required`), "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := w.refusal(w.verified(main, source.HEAD, row.keys), source.VerificationFailed); !strings.Contains(err.Error(), row.says) {
				t.Errorf("%q has no %q", err, row.says)
			}
		})
	}
	w.write(map[string]string{"a": "2"})
	if err := w.refusal(w.verified(main, source.HEAD, lines), source.VerificationFailed); !strings.Contains(err.Error(), "is not signed") {
		t.Error(err)
	}
	w.fetch(w.ref(main)) // nobody demanded a signature here
}

// Whatever bit of a signed commit is changed, it is no longer signed.
func TestSignedCommitsCannotBeChanged(t *testing.T) {
	w := newWorld(t, source.Config{})
	alice := newSSHSigner(t)
	evil := w.write(map[string]string{"a": "evil"})
	evilTree, err := w.repo.Git(t.Context(), "rev-parse", evil+"^{tree}")
	w.ok(err)
	good := w.commit(gittest.Commit{Branch: "good", Files: map[string]string{"a": "good"}, Signing: &alice.Signing})
	raw, err := w.repo.Git(t.Context(), "cat-file", "commit", good)
	w.ok(err)
	raw += "\n"
	tree := raw[:len("tree ")+40+1]
	for name, changed := range map[string]string{
		"tree":           strings.Replace(raw, tree, "tree "+evilTree+"\n", 1),
		"second tree":    tree + "tree " + evilTree + "\n" + raw[len(tree):],
		"tree before":    "tree " + evilTree + "\n" + raw,
		"message":        raw + "and more\n",
		"author":         strings.Replace(raw, "Dev <", "Eve <", 1),
		"header":         strings.Replace(raw, "gpgsig", "encoding latin1\ngpgsig", 1),
		"other signing":  strings.Replace(raw, "gpgsig ", "gpgsig-sha256 ", 1),
		"signature kind": strings.Replace(raw, "SSH SIGNATURE", "SIGNED MESSAGE", 2),
	} {
		t.Run(name, func(t *testing.T) {
			hash, err := w.repo.Object(t.Context(), "commit", []byte(changed))
			w.ok(err)
			branch := strings.ReplaceAll(name, " ", "-")
			w.ok(w.repo.Reset(t.Context(), branch, hash))
			c, err := w.store.Fetch(t.Context(), w.verified(source.Ref{Branch: branch}, source.HEAD, alice.line("a@example.com", "")))
			if err == nil {
				c.Release()
				t.Fatal("it was taken for signed")
			}
			if reason := source.ReasonOf(err); reason != source.VerificationFailed && reason != source.Malformed {
				t.Error(err)
			}
		})
	}
	w.fetch(w.verified(source.Ref{Branch: "good"}, source.HEAD, alice.line("a@example.com", "")))
}

func TestSignedTags(t *testing.T) {
	w := newWorld(t, source.Config{})
	ctx := t.Context()
	alice, bob := newSSHSigner(t), newSSHSigner(t)
	plain := w.write(map[string]string{"a": "1"})
	signed := w.commit(gittest.Commit{Files: map[string]string{"a": "2"}, Signing: &bob.Signing})
	w.ok(w.repo.Tag(ctx, "v1.0.0", plain, "release", &alice.Signing))
	w.ok(w.repo.Tag(ctx, "v1.1.0", signed, "release", &alice.Signing))
	w.ok(w.repo.Tag(ctx, "v1.2.0", signed, "release", nil))
	w.ok(w.repo.Tag(ctx, "v1.3.0", signed, "", nil))
	_, err := w.repo.Git(ctx, "update-ref", "refs/tags/v1.9.0", "refs/tags/v1.0.0") // an old release under a new name
	w.ok(err)
	keys := alice.line("alice@example.com", "") + bob.line("bob@example.com", "")
	w.fetch(w.ref(source.Ref{Branch: "main"})) // which leaves the commit in the cache, without tags
	for _, row := range []struct {
		tag    string
		mode   source.Mode
		keys   string
		signer string // or what the error says
		ok     bool
	}{
		{"v1.0.0", source.Tag, keys, "alice@example.com", true},
		{"v1.1.0", source.Tag, keys, "alice@example.com", true},
		{"v1.1.0", source.TagAndHEAD, keys, "bob@example.com", true},
		{"v1.1.0", source.HEAD, keys, "bob@example.com", true},
		{"v1.0.0", source.TagAndHEAD, keys, "commit " + plain + " is not signed", false},
		{"v1.1.0", source.TagAndHEAD, bob.line("b", ""), "tag v1.1.0 is signed by", false},
		{"v1.2.0", source.Tag, keys, "tag v1.2.0 is not signed", false},
		{"v1.3.0", source.Tag, keys, "not annotated", false},
		{"v1.9.0", source.Tag, keys, "another name", false},
		{"v1.0.0", "Both", keys, "no mode", false},
	} {
		t.Run(row.tag+" "+string(row.mode), func(t *testing.T) {
			g := w.verified(source.Ref{Tag: row.tag}, row.mode, row.keys)
			if row.ok {
				if c := w.fetch(g); !strings.HasPrefix(c.Commit.Signer, row.signer) {
					t.Errorf("got %q", c.Commit.Signer)
				}
			} else if err := w.refusal(g, source.VerificationFailed); !strings.Contains(err.Error(), row.signer) {
				t.Errorf("%q has no %q", err, row.signer)
			}
		})
	}
	w.refused(w.verified(source.Ref{Branch: "main"}, source.Tag, keys), source.VerificationFailed)
	if c := w.fetch(w.verified(source.Ref{Semver: "<=1.1"}, source.TagAndHEAD, keys)); c.Revision != "v1.1.0@sha1:"+signed {
		t.Errorf("got %s", c.Revision)
	}
}

// pgpSigner signs as GnuPG does.
type pgpSigner struct{ *openpgp.Entity }

func newPGPSigner(t *testing.T, config *packet.Config) pgpSigner {
	t.Helper()
	e, err := openpgp.NewEntity("Carol", "", "carol@example.com", config)
	if err != nil {
		t.Fatal(err)
	}
	return pgpSigner{e}
}

func (p pgpSigner) public(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err == nil {
		err = p.Serialize(w)
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.String()
}

// sign commits a tree on a branch of its own.
func (w *world) signPGP(branch string, p pgpSigner, config *packet.Config, tree string) {
	w.t.Helper()
	head := fmt.Sprintf("tree %s\nauthor C <c@example.com> %[2]d +0000\ncommitter C <c@example.com> %[2]d +0000\n", tree, time.Now().Unix())
	const message = "\nsigned by OpenPGP\n"
	var sig bytes.Buffer
	w.ok(openpgp.ArmoredDetachSign(&sig, p.Entity, strings.NewReader(head+message), config))
	header := "gpgsig " + strings.ReplaceAll(strings.TrimSpace(sig.String()), "\n", "\n ") + "\n"
	hash, err := w.repo.Object(w.t.Context(), "commit", []byte(head+header+message))
	w.ok(err)
	w.ok(w.repo.Reset(w.t.Context(), branch, hash))
}

func TestOpenPGP(t *testing.T) {
	now := time.Now()
	w := newWorld(t, source.Config{Now: func() time.Time { return now.Add(90 * 24 * time.Hour) }})
	hash := w.write(map[string]string{"a": "1"})
	tree, err := w.repo.Git(t.Context(), "rev-parse", hash+"^{tree}")
	w.ok(err)
	carol, dave := newPGPSigner(t, nil), newPGPSigner(t, nil)
	month := &packet.Config{KeyLifetimeSecs: 30 * 24 * 3600}
	late, revoked := newPGPSigner(t, month), newPGPSigner(t, nil)
	w.signPGP("carol", carol, nil, tree)
	w.signPGP("late", late, month, tree)
	w.signPGP("revoked", revoked, nil, tree)
	w.ok(revoked.RevokeKey(packet.KeySuperseded, "lost", nil))
	if c := w.fetch(w.verified(source.Ref{Branch: "carol"}, source.HEAD, dave.public(t)+carol.public(t))); !strings.HasPrefix(c.Commit.Signer, "Carol <carol@example.com> (OpenPGP ") {
		t.Errorf("got %q", c.Commit.Signer)
	}
	for name, row := range map[string]struct {
		branch string
		key    string
		says   string
	}{
		"another": {"carol", dave.public(t), "not in the secret"},
		"expired": {"late", late.public(t), "expired"},
		"revoked": {"revoked", revoked.public(t), "revoked"},
		"broken":  {"carol", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxxxx\n-----END PGP PUBLIC KEY BLOCK-----\n", "cannot be read"},
		"private": {"carol", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "private key"},
		"cut off": {"carol", carol.public(t)[:200], "no end"},
	} {
		t.Run(name, func(t *testing.T) {
			err := w.refusal(w.verified(source.Ref{Branch: row.branch}, source.HEAD, row.key), source.VerificationFailed)
			if !strings.Contains(err.Error(), row.says) {
				t.Errorf("%q has no %q", err, row.says)
			}
		})
	}
}

// What GnuPG itself signs, git with its own configuration, holds.
func TestGnuPG(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not installed; TestOpenPGP signs without it")
	}
	home, err := os.MkdirTemp("", "gpg-") // a short path, for the agent's socket
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "GNUPGHOME="+home)
	gpg := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
		cmd.Env = env
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return string(out)
	}
	t.Cleanup(func() {
		gpg("gpgconf", "--kill", "all")
		_ = os.RemoveAll(home)
	})
	gpg("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "Erin <erin@example.com>", "ed25519", "sign", "never")
	public := gpg("gpg", "--armor", "--export")
	signing := &gittest.Signing{Format: "openpgp", Key: "erin@example.com", Env: []string{"GNUPGHOME=" + home}}
	w := newWorld(t, source.Config{})
	hash := w.commit(gittest.Commit{Files: map[string]string{"a": "1"}, Signing: signing})
	w.ok(w.repo.Tag(t.Context(), "v1.0.0", hash, "release", signing))
	if c := w.fetch(w.verified(source.Ref{Tag: "v1.0.0"}, source.TagAndHEAD, public)); !strings.HasPrefix(c.Commit.Signer, "Erin <erin@example.com> (OpenPGP ") {
		t.Errorf("got %q", c.Commit.Signer)
	}
}
