package gittest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// keys are those of a server, and of the one who may read from it.
type keys struct {
	ca       []byte
	tls      tls.Certificate
	host     ssh.Signer
	identity []byte
	client   ssh.PublicKey
}

func newKeys() (*keys, error) {
	k := &keys{}
	var err error
	if k.ca, k.tls, err = selfSigned(); err != nil {
		return nil, err
	}
	hostKey, _, err := NewIdentity()
	if err != nil {
		return nil, err
	}
	if k.host, err = ssh.ParsePrivateKey(hostKey); err != nil {
		return nil, err
	}
	k.identity, k.client, err = NewIdentity()
	return k, err
}

// NewIdentity makes an SSH key, as ssh-keygen writes it.
func NewIdentity() (private []byte, public ssh.PublicKey, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, nil, err
	}
	public, err = ssh.NewPublicKey(pub)
	return pem.EncodeToMemory(block), public, err
}

func (k *keys) knownHosts(address string) []byte {
	return []byte(knownhosts.Line([]string{address}, k.host.PublicKey()) + "\n")
}

func selfSigned() ([]byte, tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gittest"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
