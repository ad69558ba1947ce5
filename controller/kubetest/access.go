package kubetest

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenSeconds is how long a token of As is valid: longer than any benchmark.
const tokenSeconds = int64(24 * 60 * 60)

// As returns a client configuration that holds a token of the service account,
// which must exist. It has the account's rights and no others, and no limit on
// its rate of requests.
func (c *Cluster) As(ctx context.Context, namespace, account string) (*rest.Config, error) {
	seconds := tokenSeconds
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	owner := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	if err := c.client.SubResource("token").Create(ctx, owner, request); err != nil {
		return nil, fmt.Errorf("token of service account %s/%s: %w", namespace, account, err)
	}
	return unlimited(c.admin.Host, c.admin.CAData, request.Status.Token), nil
}

// AccountKey returns the key that verifies the tokens of service accounts, as PEM:
// for whoever is to trust them without asking the API server.
func (c *Cluster) AccountKey() ([]byte, error) {
	data, err := os.ReadFile(c.path(accountKey))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM", c.path(accountKey))
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// WriteKubeconfig writes a configuration of Admin or As to a file, for programs
// that read one. The namespace becomes the default one; it may be empty.
func WriteKubeconfig(path string, config *rest.Config, namespace string) error {
	const name = "kubetest"
	file := clientcmdapi.NewConfig()
	file.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	file.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: config.BearerToken}
	file.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	file.CurrentContext = name
	data, err := clientcmd.Write(*file)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.WriteFile(path, data, 0o600)
}
