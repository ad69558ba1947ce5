package source

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// allowed is one line of a file of allowed signers, as in section ALLOWED
// SIGNERS of ssh-keygen(1).
type allowed struct {
	principals    string
	key           ssh.PublicKey
	namespaces    []string // patterns; none is all
	after, before time.Time
}

// namespace is what Git signs for.
const namespace = "git"

// allow reads a file of allowed signers. Certificate authorities are refused:
// no certificate is checked.
func (s *signers) allow(name string, data []byte) error {
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		a, problem := parseAllowed(line)
		if problem != "" {
			return fail(VerificationFailed, "write PRINCIPAL KEYTYPE KEY, as in ssh-keygen(1)", "allowed signers %.80q, line %d: %s", name, number, problem)
		}
		if s.ssh = append(s.ssh, a); len(s.ssh) > maxSigners {
			return fail(VerificationFailed, "", "there are more than %d allowed signers", maxSigners)
		}
	}
	return nil
}

func parseAllowed(line string) (a allowed, problem string) {
	var rest string
	if a.principals, rest = word(line); a.principals == "" || rest == "" {
		return a, "it has no principal and key"
	}
	a.principals = strings.Trim(a.principals, `"`)
	// What stands before the key type, if anything does, are options.
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil {
		return a, "it has no key that can be read"
	}
	a.key = key
	for _, option := range options {
		if problem := a.option(option); problem != "" {
			return a, problem
		}
	}
	return a, ""
}

// word cuts off the first word, which may be quoted.
func word(line string) (first, rest string) {
	end := strings.IndexAny(line, " \t")
	if strings.HasPrefix(line, `"`) {
		if end = strings.IndexByte(line[1:], '"'); end >= 0 {
			end += 2
		}
	}
	if end < 0 {
		return line, ""
	}
	return line[:end], strings.TrimSpace(line[end:])
}

func (a *allowed) option(option string) (problem string) {
	key, value, _ := strings.Cut(option, "=")
	value = strings.Trim(value, `"`)
	ok := true
	switch strings.ToLower(key) {
	case "namespaces":
		a.namespaces = strings.Split(value, ",")
	case "valid-after":
		a.after, ok = timestamp(value)
	case "valid-before":
		a.before, ok = timestamp(value)
	case "cert-authority":
		return "certificate authorities are not supported"
	default:
		return "it has an option that is not known"
	}
	if !ok {
		return "a time is not written as YYYYMMDD or YYYYMMDDHHMM[SS], with Z for UTC"
	}
	return ""
}

func timestamp(s string) (time.Time, bool) {
	location := time.Local
	if rest, utc := strings.CutSuffix(s, "Z"); utc {
		s, location = rest, time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.ParseInLocation(layout, s, location); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// checkSSH returns the principal whose key signed.
func (s *signers) checkSSH(m signed, armored string, now time.Time) (string, error) {
	sig, err := sshsig.Unarmor([]byte(armored))
	if err != nil || sig.Signature == nil || sig.PublicKey == nil {
		return "", m.fail("", "has an SSH signature that cannot be read")
	}
	if sig.Signature.Format == ssh.KeyAlgoRSA { // which is with SHA-1
		return "", m.fail("sign with a newer OpenSSH", "is signed by a method that is not safe")
	}
	if err := sshsig.Verify(bytes.NewReader(m.payload), sig, sig.PublicKey, sig.HashAlgorithm, namespace); err != nil {
		return "", m.fail("", "was changed after it was signed, or signed for something else than Git").because(err)
	}
	fingerprint := ssh.FingerprintSHA256(sig.PublicKey)
	why := "is signed by SSH key " + fingerprint + ", which is none of the allowed signers'"
	for _, a := range s.ssh {
		if !bytes.Equal(a.key.Marshal(), sig.PublicKey.Marshal()) {
			continue
		}
		if problem := a.valid(m.time, now); problem != "" {
			why = "is signed by SSH key " + fingerprint + ", which " + problem
			continue
		}
		return printable(a.principals) + " (SSH " + fingerprint + ")", nil
	}
	return "", m.fail("add the key to the secret of verify if its owner may sign", why)
}

// valid tells what speaks against a key, both at the time of signing, which
// the signer chooses, and now.
func (a allowed) valid(then, now time.Time) (problem string) {
	switch {
	case len(a.namespaces) > 0 && !slices.ContainsFunc(a.namespaces, func(pattern string) bool {
		ok, _ := path.Match(pattern, namespace)
		return ok
	}):
		return `is not allowed to sign for namespace "git"`
	case !a.after.IsZero() && (then.Before(a.after) || now.Before(a.after)):
		return "was not yet valid"
	case !a.before.IsZero() && (then.After(a.before) || now.After(a.before)):
		return "is no longer valid"
	}
	return ""
}
