package keys

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
)

// parsePEMIdentities reads RSA private keys, and pairs each with the
// certificate of its public key where the same bytes hold one.
func parsePEMIdentities(data []byte) ([]*Identity, error) {
	var privates []*rsa.PrivateKey
	var certs []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, found("", "a damaged certificate")
			}
			certs = append(certs, cert)
			continue
		}
		private, err := parsePrivateBlock(block)
		if err != nil {
			return nil, err
		}
		privates = append(privates, private)
	}
	if len(privates) == 0 {
		return nil, noPrivateKey(len(certs))
	}
	return pairUp(privates, certs)
}

func noPrivateKey(certs int) error {
	if certs > 0 {
		return found("give the private key: the key Secret, or its tls.key", "a certificate, where a private key belongs")
	}
	return found("", "a damaged PEM private key")
}

func pairUp(privates []*rsa.PrivateKey, certs []*x509.Certificate) ([]*Identity, error) {
	ids := make([]*Identity, 0, len(privates))
	for _, private := range privates {
		var own *x509.Certificate
		for _, cert := range certs {
			if private.PublicKey.Equal(cert.PublicKey) {
				own = cert
				break
			}
		}
		id, err := rsaIdentity(private, own)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func parsePrivateBlock(block *pem.Block) (*rsa.PrivateKey, error) {
	if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") || block.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, found("decrypt it first: openssl rsa -in FILE", "a private key behind a passphrase")
	}
	var parsed any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return nil, found("Sealed Secrets' format needs RSA", "an EC private key")
	case "OPENSSH PRIVATE KEY":
		return nil, found("give an age identity or a cluster's key Secret", "an OpenSSH private key")
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return nil, found("give the private key", "a public key, where a private key belongs")
	default:
		return nil, found("", "a PEM block %.40q, where a private key belongs", block.Type)
	}
	if err != nil {
		return nil, found("", "a damaged PEM private key") // x509's message can describe the key
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, found("Sealed Secrets' format needs RSA", "a private key that is not RSA")
	}
	return private, nil
}
