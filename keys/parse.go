package keys

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"filippo.io/age"
	"fuin.dev/lazy"
)

// MaxFile bounds what is parsed as keys, in bytes. A List of a thousand RSA
// key Secrets stays below it.
const MaxFile = 16 << 20

// ParseRecipients reads public keys: a PEM certificate (the first one of a
// chain counts), or age recipients, one a line, with "#" comments. It refuses
// certificates that expired before now, and mixtures that cannot seal
// together; see [Compatible]. Errors are of type *[Error] and say what was
// found instead.
func ParseRecipients(data []byte, now time.Time) ([]*Recipient, error) {
	if len(data) > MaxFile {
		return nil, found("", "%d bytes; a file of public keys is small", len(data))
	}
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		return parseCertificate(data, now)
	}
	var out []*Recipient
	for line := range lines(data) {
		r, err := parseAgeRecipient(line)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, found("a public key is a PEM certificate or lines of age1…", "no public key")
	}
	return out, Compatible(out)
}

var certificateBlock = lazy.Regexp(`(?s)-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----`)

// ParsePublic reads all public keys of a file, as a cluster publishes them: a
// certificate and age recipients may stand beside each other. Nothing is sealed
// with all of them: expired certificates pass, and so do mixtures.
func ParsePublic(data []byte) ([]*Recipient, error) {
	parts := [][]byte{data}
	if rest := certificateBlock().ReplaceAll(data, nil); len(rest) != len(data) && holdsRecipient(rest) {
		parts = append(parts, rest)
	}
	var out []*Recipient
	for _, part := range parts {
		rs, err := ParseRecipients(part, time.Time{})
		if len(rs) == 0 {
			return nil, err
		}
		out = append(out, rs...)
	}
	return out, nil
}

// ParseSealing reads what a file of public keys is sealed with: its age
// recipients where it has any, also beside a certificate; else see
// [ParseRecipients]. It refuses a key that the file also lists as a [Former].
func ParseSealing(data []byte, now time.Time) ([]*Recipient, error) {
	seals := data
	if rest := certificateBlock().ReplaceAll(data, nil); holdsRecipient(rest) {
		seals = rest
	}
	rs, err := ParseRecipients(seals, now)
	if err == nil {
		err = refuseFormer(data, rs)
	}
	if err != nil {
		return nil, err
	}
	return rs, nil
}

// holdsRecipient reports whether a line is an age recipient; comments may hold
// any text.
func holdsRecipient(data []byte) bool {
	for line := range lines(data) {
		if strings.HasPrefix(line, "age1") {
			return true
		}
	}
	return false
}

func parseCertificate(data []byte, now time.Time) ([]*Recipient, error) {
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, found("compare it with the file it was copied from", "a damaged PEM certificate")
	case strings.Contains(block.Type, "PRIVATE KEY") || bytes.Contains(data, []byte("PRIVATE KEY-----")):
		return nil, found("seal with the certificate; keep this file out of Git", "a private key, where a public one belongs")
	case block.Type != "CERTIFICATE":
		return nil, found("give the certificate, as kubeseal --fetch-cert prints it", "a PEM block %.40q, where a certificate belongs", block.Type)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, found("compare it with the file it was copied from", "a damaged PEM certificate")
	}
	public, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, found("Sealed Secrets' format needs RSA; other keys are age recipients",
			"a certificate whose key is %s", keyName(cert))
	}
	if now.After(cert.NotAfter) {
		return nil, found("fetch the cluster's newest: fuin seal --cert cluster, or kubeseal --fetch-cert",
			"a certificate that expired on %s", cert.NotAfter.UTC().Format(time.DateOnly))
	}
	r, err := rsaRecipient(public, cert)
	if err != nil {
		return nil, err
	}
	return []*Recipient{r}, nil
}

func keyName(cert *x509.Certificate) string {
	if cert.PublicKeyAlgorithm == x509.ECDSA {
		return "EC"
	}
	return cert.PublicKeyAlgorithm.String()
}

func parseAgeRecipient(line string) (*Recipient, error) {
	switch {
	case strings.HasPrefix(line, "age1pq1"):
		r, err := age.ParseHybridRecipient(line)
		if err != nil {
			return nil, damagedRecipient()
		}
		return hybridRecipient(r)
	case strings.HasPrefix(line, "age1") && strings.Count(line, "1") > 1: // bech32 has no digit 1: a plugin's name
		return nil, found("use an age1pq1… or age1… recipient", "a recipient of an age plugin")
	case strings.HasPrefix(line, "age1"):
		r, err := age.ParseX25519Recipient(line)
		if err != nil {
			return nil, damagedRecipient()
		}
		return classicRecipient(r)
	}
	return nil, notARecipient(line)
}

func damagedRecipient() error {
	return found("compare it with the file it was copied from", "a damaged age recipient")
}

func notARecipient(line string) error {
	switch {
	case strings.HasPrefix(strings.ToUpper(line), "AGE-SECRET-KEY-"):
		return found("seal with its public key (fuin keys list -o public FILE prints it); keep this file out of Git",
			"an age identity, where a recipient belongs: a private key")
	case strings.HasPrefix(line, "ssh-") || strings.HasPrefix(line, "ecdsa-"):
		return found("use an age1pq1… recipient: fuin keys generate", "an SSH public key")
	case strings.HasPrefix(line, "apiVersion:") || strings.HasPrefix(line, "{"):
		return found("a public key is a PEM certificate or lines of age1…", "a manifest, where a public key belongs")
	}
	return found("a public key is a PEM certificate or lines of age1…", "no public key")
}

// ParseIdentities reads private keys: PEM (RSA), age identities, or the YAML
// or JSON of key Secrets, alone, in a List, or in several documents, as
// kubectl prints them; Secrets that hold no key are passed over. Errors are
// of type *[Error], say what was found instead and quote nothing of the file.
func ParseIdentities(data []byte) ([]*Identity, error) {
	trimmed := bytes.TrimSpace(data)
	switch {
	case len(data) > MaxFile:
		return nil, found("", "%d bytes; a file of keys is small", len(data))
	case len(trimmed) == 0:
		return nil, found("", "an empty file, where a private key belongs")
	case bytes.HasPrefix(trimmed, []byte("age-encryption.org/")) || bytes.HasPrefix(trimmed, []byte("-----BEGIN AGE ENCRYPTED")):
		return nil, found("decrypt it first: age -d FILE", "an identity file behind a passphrase")
	case bytes.HasPrefix(trimmed, []byte("-----BEGIN ")):
		return parsePEMIdentities(data)
	case looksLikeManifest(trimmed):
		return parseKeySecrets(data)
	}
	return parseAgeIdentities(data)
}

func looksLikeManifest(data []byte) bool {
	return data[0] == '{' || bytes.Contains(data, []byte("apiVersion:"))
}

func parseAgeIdentities(data []byte) ([]*Identity, error) {
	created := createdComment(data)
	var out []*Identity
	for line := range lines(data) {
		switch {
		case strings.HasPrefix(line, "AGE-PLUGIN-"):
			return nil, found("use a native age identity", "an identity of an age plugin")
		case strings.HasPrefix(line, "age1"):
			return nil, found("give the identity (AGE-SECRET-KEY-…)", "an age recipient, where a private key belongs: a public key")
		case !strings.HasPrefix(line, "AGE-SECRET-KEY-"):
			return nil, found("a private key is PEM, an age identity file, or the YAML of key Secrets", "no private key")
		}
		id, err := ageIdentity(line, created)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	if len(out) == 0 {
		return nil, found("a private key is PEM, an age identity file, or the YAML of key Secrets", "no private key")
	}
	return out, nil
}

// createdComment reads the "# created:" line that age-keygen writes.
func createdComment(data []byte) time.Time {
	_, rest, ok := bytes.Cut(data, []byte("# created: "))
	if !ok {
		return time.Time{}
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	created, err := time.Parse(time.RFC3339, strings.TrimSpace(string(line)))
	if err != nil {
		return time.Time{}
	}
	return created
}

func lines(data []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if !yield(line) {
				return
			}
		}
	}
}
