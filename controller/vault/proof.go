package vault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/apierror"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tokenSeconds is how long the API server's token is valid: the least that it
// gives.
const tokenSeconds int64 = 600

// proof is what a log-in is made with.
type proof struct {
	account types.UID // of the service account, or of the Secret
	version string    // of the Secret
	path    string    // that it is sent to; empty for a token, which is used as it is
	body    []byte
	token   string
	as      string // for messages
}

// same reports whether two proofs are of one account.
func (p proof) same(q proof) bool { return p.account == q.account && p.version == q.version }

// proofOf gets what the namespace logs in with from the API server.
func (c *connection) proofOf(ctx context.Context, namespace string) (proof, *Failure) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	switch auth := c.spec.Auth; {
	case auth.JWT != nil:
		return c.accountProof(ctx, namespace, "jwt", auth.JWT)
	case auth.Kubernetes != nil:
		return c.accountProof(ctx, namespace, "kubernetes", auth.Kubernetes)
	case auth.AppRole != nil:
		return c.appRoleProof(ctx, auth.AppRole)
	case auth.Token != nil:
		return c.tokenProof(ctx, auth.Token)
	}
	return proof{}, c.fault(InvalidConnection, "spec.auth is empty")
}

// accountProof has the API server make a token of the namespace's vault-reader.
func (c *connection) accountProof(ctx context.Context, namespace, method string, auth *v1alpha1.VaultAccountAuth) (proof, *Failure) {
	seconds := tokenSeconds
	account := &corev1.ServiceAccount{}
	account.Namespace, account.Name = namespace, Account
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{auth.Audience}, ExpirationSeconds: &seconds}}
	if err := c.API.SubResource("token").Create(ctx, account, request); err != nil {
		return proof{}, c.noToken(namespace, err)
	}
	uid, err := accountOf(request.Status.Token)
	if err != nil {
		return proof{}, c.fault(LoginFailed, "the token that the API server gave names no account")
	}
	mount := auth.Mount
	if mount == "" {
		mount = method
	}
	p := proof{account: uid, path: "auth/" + mount + "/login", as: fmt.Sprintf("%s/%s at auth/%s with role %s", namespace, Account, mount, auth.Role)}
	p.body, err = json.Marshal(map[string]string{"role": auth.Role, "jwt": request.Status.Token})
	if err != nil {
		return proof{}, c.fault(LoginFailed, "the log-in cannot be written")
	}
	return p, nil
}

func (c *connection) noToken(namespace string, err error) *Failure {
	what := fmt.Sprintf("a token of service account %s/%s: %s", namespace, Account, apierror.Text(err))
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Code >= 500 || apierrors.IsTooManyRequests(err) {
		return c.fault(LoginFailed, what)
	}
	return c.fault(AccountMissing, what)
}

// accountOf reads the account's UID from a token's claims. The API server, who
// sent it, need not be verified.
func accountOf(token string) (types.UID, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("no token")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		Kubernetes struct {
			Account struct {
				UID types.UID `json:"uid"`
			} `json:"serviceaccount"`
		} `json:"kubernetes.io"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", err
	}
	if claims.Kubernetes.Account.UID == "" {
		return "", errors.New("no account")
	}
	return claims.Kubernetes.Account.UID, nil
}

func (c *connection) appRoleProof(ctx context.Context, auth *v1alpha1.VaultAppRoleAuth) (proof, *Failure) {
	mount := auth.Mount
	if mount == "" {
		mount = "approle"
	}
	secret, f := c.secretOf(ctx, auth.SecretRef.Name, "role_id", "secret_id")
	if f != nil {
		return proof{}, f
	}
	p := proof{account: secret.UID, version: secret.ResourceVersion, path: "auth/" + mount + "/login", as: "the AppRole of Secret " + secret.Name + " at auth/" + mount}
	body, err := json.Marshal(map[string]string{
		"role_id": strings.TrimSpace(string(secret.Data["role_id"])), "secret_id": strings.TrimSpace(string(secret.Data["secret_id"])),
	})
	if err != nil {
		return proof{}, c.fault(LoginFailed, "the log-in cannot be written")
	}
	p.body = body
	return p, nil
}

func (c *connection) tokenProof(ctx context.Context, auth *v1alpha1.VaultTokenAuth) (proof, *Failure) {
	secret, f := c.secretOf(ctx, auth.SecretRef.Name, "token")
	if f != nil {
		return proof{}, f
	}
	return proof{
		account: secret.UID, version: secret.ResourceVersion, as: "the token of Secret " + secret.Name,
		token: strings.TrimSpace(string(secret.Data["token"])),
	}, nil
}

// secretOf reads a Secret of the controller's namespace that has these keys.
func (c *connection) secretOf(ctx context.Context, name string, keys ...string) (*corev1.Secret, *Failure) {
	secret := &corev1.Secret{}
	err := c.API.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, c.fault(InvalidConnection, fmt.Sprintf("there is no Secret %s in the controller's namespace", name))
	case err != nil:
		return nil, c.fault(LoginFailed, fmt.Sprintf("reading Secret %s of the controller's namespace: %s", name, apierror.Text(err)))
	}
	for _, key := range keys {
		if len(secret.Data[key]) == 0 {
			return nil, c.fault(InvalidConnection, fmt.Sprintf("Secret %s of the controller's namespace lacks key %s", name, key))
		}
	}
	return secret, nil
}
