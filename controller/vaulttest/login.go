package vaulttest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"fuin.dev/controller/kubetest"
)

// Issuer stands in the tokens of kubetest's service accounts.
const Issuer = "https://kubernetes.default.svc.cluster.local"

// Role says who may log in and what for. The zero values of all but Name and
// Policies suit most tests.
type Role struct {
	Name     string
	Audience string        // of the service account's token; "vault" if empty
	Account  string        // the service account's name; "vault-reader" if empty
	TTL      time.Duration // of the tokens; ten minutes if zero
	Service  bool          // service tokens in place of batch tokens
	Policies []string
}

// Policy writes a policy. In its text {namespace} becomes the template that stands
// for the namespace of whoever logged in at the mount auth, made by JWT or
// Kubernetes; auth may be empty where it does not occur.
func (s *Server) Policy(ctx context.Context, name, auth, hcl string) error {
	if auth != "" {
		accessor, err := s.accessor(ctx, auth)
		if err != nil {
			return err
		}
		template := "{{identity.entity.aliases." + accessor + ".metadata.service_account_namespace}}"
		hcl = strings.ReplaceAll(hcl, "{namespace}", template)
	}
	if err := s.Client().Sys().PutPolicyWithContext(ctx, name, hcl); err != nil {
		return fmt.Errorf("policy %s: %w", name, err)
	}
	return nil
}

// JWT mounts a jwt log-in that trusts the tokens of a cluster's service accounts by
// the key that signs them, without asking the cluster.
func (s *Server) JWT(ctx context.Context, mount string, cluster *kubetest.Cluster) error {
	key, err := cluster.AccountKey()
	if err != nil {
		return err
	}
	if err := s.enable(ctx, mount, "jwt"); err != nil {
		return err
	}
	return s.Write(ctx, "auth/"+mount+"/config", map[string]any{
		"jwt_validation_pubkeys": []string{string(key)}, "bound_issuer": Issuer,
	})
}

// JWTRole makes a role of a mount of JWT, for service accounts of all namespaces.
func (s *Server) JWTRole(ctx context.Context, mount string, role Role) error {
	return s.Write(ctx, "auth/"+mount+"/role/"+role.Name, role.with(map[string]any{
		"role_type":       "jwt",
		"bound_audiences": []string{role.audience()},
		"bound_claims":    map[string]any{"/kubernetes.io/serviceaccount/name": role.account()},
		"user_claim":      "/kubernetes.io/serviceaccount/uid",
		// With user_claim_json_pointer, claims are paths.
		"user_claim_json_pointer": true,
		"claim_mappings":          map[string]any{"/kubernetes.io/namespace": "service_account_namespace"},
	}))
}

// Kubernetes mounts a kubernetes log-in that has a cluster review the tokens.
func (s *Server) Kubernetes(ctx context.Context, mount string, cluster *kubetest.Cluster) error {
	if err := cluster.ApplyYAML(ctx, "default", reviewer); err != nil {
		return err
	}
	account, err := cluster.As(ctx, "default", "vault")
	if err != nil {
		return err
	}
	if err := s.enable(ctx, mount, "kubernetes"); err != nil {
		return err
	}
	return s.Write(ctx, "auth/"+mount+"/config", map[string]any{
		"kubernetes_host": account.Host, "kubernetes_ca_cert": string(account.CAData),
		"token_reviewer_jwt": account.BearerToken, "disable_local_ca_jwt": true,
	})
}

// reviewer is the account by which Vault asks the API server about tokens.
const reviewer = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: vault}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: vault-reviews-tokens}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:auth-delegator}
subjects: [{kind: ServiceAccount, name: vault, namespace: default}]
`

// KubernetesRole makes a role of a mount of Kubernetes, for service accounts of all
// namespaces.
func (s *Server) KubernetesRole(ctx context.Context, mount string, role Role) error {
	return s.Write(ctx, "auth/"+mount+"/role/"+role.Name, role.with(map[string]any{
		"bound_service_account_names":      role.account(),
		"bound_service_account_namespaces": "*",
		"audience":                         role.audience(),
	}))
}

// AppRole mounts an approle log-in, if it is not there, and makes a role. What it
// returns logs in.
func (s *Server) AppRole(ctx context.Context, mount string, role Role) (roleID, secretID string, err error) {
	if _, err := s.accessor(ctx, mount); err != nil {
		if err := s.enable(ctx, mount, "approle"); err != nil {
			return "", "", err
		}
	}
	path := "auth/" + mount + "/role/" + role.Name
	if err := s.Write(ctx, path, role.with(map[string]any{})); err != nil {
		return "", "", err
	}
	id, err := s.Client().Logical().ReadWithContext(ctx, path+"/role-id")
	if err != nil {
		return "", "", err
	}
	secret, err := s.write(ctx, path+"/secret-id", nil)
	if err != nil {
		return "", "", err
	}
	return id.Data["role_id"].(string), secret.Data["secret_id"].(string), nil
}

// Token makes a token with policies, for log-ins by one.
func (s *Server) Token(ctx context.Context, ttl time.Duration, policies ...string) (string, error) {
	made, err := s.Client().Auth().Token().CreateOrphanWithContext(ctx, &api.TokenCreateRequest{
		Policies: policies, TTL: seconds(ttl),
	})
	if err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	return made.Auth.ClientToken, nil
}

// with adds what all kinds of roles have in common.
func (r Role) with(data map[string]any) map[string]any {
	ttl := r.TTL
	if ttl == 0 {
		ttl = 10 * time.Minute
	}
	data["token_policies"], data["token_ttl"], data["token_max_ttl"] = r.Policies, seconds(ttl), seconds(ttl)
	data["token_type"] = "batch"
	if r.Service {
		data["token_type"] = "service"
	}
	return data
}

func (r Role) audience() string {
	if r.Audience == "" {
		return "vault"
	}
	return r.Audience
}

func (r Role) account() string {
	if r.Account == "" {
		return "vault-reader"
	}
	return r.Account
}

func (s *Server) enable(ctx context.Context, mount, kind string) error {
	if err := s.Client().Sys().EnableAuthWithOptionsWithContext(ctx, mount, &api.EnableAuthOptions{Type: kind}); err != nil {
		return fmt.Errorf("enabling %s at %s: %w", kind, mount, err)
	}
	return nil
}

// accessor is the name of a log-in mount in templates of policies.
func (s *Server) accessor(ctx context.Context, mount string) (string, error) {
	all, err := s.Client().Sys().ListAuthWithContext(ctx)
	if err != nil {
		return "", err
	}
	found, ok := all[mount+"/"]
	if !ok {
		return "", fmt.Errorf("there is no log-in mount %s", mount)
	}
	return found.Accessor, nil
}
