package main

// A vaultRole is who may log in, and what for.
type vaultRole struct {
	Path string         `json:"path"`
	Data map[string]any `json:"data"`
}

// How long the tokens of a role live. A lease ends with the token that it was
// taken by, so that these are to live as long as what they lease.
const (
	ttlOfValues = "15m"
	ttlOfLeases = "1h"
)

// role is the role for a policy; nil where a token is given.
func (g *grants) role(policy string) *vaultRole {
	data := map[string]any{"token_type": "batch", "token_policies": []string{policy}, "token_ttl": ttlOfValues}
	if !g.endless {
		data["token_ttl"] = ttlOfLeases
	}
	at := "auth/" + g.connection.mount() + "/role/"
	switch auth := g.connection.Spec.Auth; {
	case auth.JWT != nil:
		data["role_type"] = "jwt"
		data["user_claim"] = "sub"
		data["bound_audiences"] = []string{auth.JWT.Audience}
		data["bound_claims"] = map[string]any{
			"/kubernetes.io/serviceaccount/name": "vault-reader",
			"/kubernetes.io/namespace":           g.namespaces,
		}
		data["claim_mappings"] = map[string]string{"/kubernetes.io/namespace": "service_account_namespace"}
		return &vaultRole{at + auth.JWT.Role, data}
	case auth.Kubernetes != nil:
		data["audience"] = auth.Kubernetes.Audience
		data["bound_service_account_names"] = []string{"vault-reader"}
		data["bound_service_account_namespaces"] = g.namespaces
		return &vaultRole{at + auth.Kubernetes.Role, data}
	case auth.AppRole != nil:
		return &vaultRole{at + "fuin", data}
	}
	return nil
}
