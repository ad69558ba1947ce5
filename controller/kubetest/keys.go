package kubetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Files of a cluster's directory.
const (
	servingCert = "apiserver.crt"
	servingKey  = "apiserver.key"
	accountKey  = "serviceaccount.key"
)

// writeKeys makes the API server's key and certificate and the key that signs
// the tokens of service accounts. It returns the certificate, which is its own
// authority.
func writeKeys(dir string) (cert []byte, err error) {
	serving, err := writeKey(filepath.Join(dir, servingKey))
	if err != nil {
		return nil, err
	}
	if _, err := writeKey(filepath.Join(dir, accountKey)); err != nil {
		return nil, err
	}
	if cert, err = selfSigned(serving); err != nil {
		return nil, err
	}
	return cert, os.WriteFile(filepath.Join(dir, servingCert), cert, 0o600)
}

func writeKey(path string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return key, os.WriteFile(path, block, 0o600)
}

// selfSigned returns a certificate for every name the API server is called by.
func selfSigned(key crypto.Signer) ([]byte, error) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "kubetest"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		DNSNames:              []string{"localhost", "kubernetes", "kubernetes.default.svc"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
