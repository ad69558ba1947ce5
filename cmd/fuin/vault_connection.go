package main

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"sigs.k8s.io/yaml"
)

// A manifestConnection is what a VaultConnection in a file says about policies. A
// test holds it to the API.
type manifestConnection struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec manifestConnectionSpec `json:"spec"`
}

type manifestConnectionSpec struct {
	Auth struct {
		JWT        *manifestAccountAuth `json:"jwt"`
		Kubernetes *manifestAccountAuth `json:"kubernetes"`
		AppRole    *manifestAppRoleAuth `json:"appRole"`
		Token      *struct{}            `json:"token"`
	} `json:"auth"`
	PathPrefixes []string `json:"pathPrefixes"`
}

type manifestAccountAuth struct {
	Mount    string `json:"mount"`
	Role     string `json:"role"`
	Audience string `json:"audience"`
}

type manifestAppRoleAuth struct {
	Mount string `json:"mount"`
}

const annotationConnection = "fuin.dev/vault-connection"

// readConnection reads the VaultConnection that is named, or makes up the usual
// one.
func (f *vaultPolicyFlags) readConnection(ctx context.Context, u *ui) (*manifestConnection, error) {
	if f.connection == "" {
		c := &manifestConnection{}
		c.Spec.Auth.JWT = &manifestAccountAuth{Role: "fuin", Audience: "vault"}
		return c, nil
	}
	in := input{path: f.connection}
	data, err := u.read(ctx, in)
	if err != nil {
		return nil, err
	}
	return parseConnection(in.name(), data)
}

// parseConnection finds the one VaultConnection of a file.
func parseConnection(file string, data []byte) (*manifestConnection, error) {
	var found *manifestConnection
	for _, text := range documentEnd().Split(string(data), -1) {
		c := &manifestConnection{}
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		switch {
		case yaml.Unmarshal([]byte(text), &head) != nil:
			return nil, failAt(file, "", "it does not read as manifests")
		case head.Kind != "VaultConnection" || !strings.HasPrefix(head.APIVersion, "fuin.dev/"):
			continue
		case yaml.Unmarshal([]byte(text), c) != nil:
			return nil, failAt(file, "kubectl explain vaultconnection.spec tells the types", "a field of its VaultConnection is of another type than it should be")
		case found != nil:
			return nil, failAt(file, "give each a file of its own", "it holds several VaultConnections")
		}
		found = c
	}
	if found == nil {
		return nil, failAt(file, "give the manifest that is applied", "it holds no VaultConnection")
	}
	return found, nil
}

// mount is that of the auth method.
func (c *manifestConnection) mount() string {
	switch auth := c.Spec.Auth; {
	case auth.JWT != nil:
		return cmp.Or(auth.JWT.Mount, "jwt")
	case auth.Kubernetes != nil:
		return cmp.Or(auth.Kubernetes.Mount, "kubernetes")
	case auth.AppRole != nil:
		return cmp.Or(auth.AppRole.Mount, "approle")
	}
	return ""
}

// knowsNamespaces reports whether Vault learns at log-in which namespace it is.
func (c *manifestConnection) knowsNamespaces() bool {
	return c.Spec.Auth.JWT != nil || c.Spec.Auth.Kubernetes != nil
}

// A vaultEngine is one that vault secrets list tells of.
type vaultEngine struct {
	Type    string            `json:"type"`
	Options map[string]string `json:"options"`
}

// readMounts reads what is mounted where, by paths that end in a slash; nil if it
// is not known.
func (f *vaultPolicyFlags) readMounts(ctx context.Context, u *ui) (map[string]vaultEngine, error) {
	if f.mounts == "" {
		return nil, nil
	}
	in := input{path: f.mounts}
	data, err := u.read(ctx, in)
	if err != nil {
		return nil, err
	}
	engines := map[string]vaultEngine{}
	if json.Unmarshal(data, &engines) != nil {
		return nil, failAt(in.name(), "vault secrets list -format=json prints it", "not what vault tells of its engines")
	}
	return engines, nil
}
