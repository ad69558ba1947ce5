package main

import (
	"maps"
	"slices"

	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/credential/cert"
	"github.com/hashicorp/vault/builtin/logical/database"
	"github.com/hashicorp/vault/builtin/logical/pki"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// registry is the list of what is built in. Vault's own one would bring the SDKs
// of all clouds.
type registry map[consts.PluginType]map[string]func() (any, error)

// builtins lists what this server can mount. KV stands there as "kv", whose
// option version tells which of the two it is.
func builtins(dir string) registry {
	return registry{
		consts.PluginTypeSecrets: {
			"kv":       backend(kv.Factory),
			"transit":  backend(transit.Factory),
			"pki":      backend(pki.Factory),
			"database": backend(database.Factory),
		},
		consts.PluginTypeCredential: {
			"jwt":        backend(jwt.Factory),
			"kubernetes": backend(kubernetes.Factory),
			"approle":    backend(approle.Factory),
			"cert":       backend(cert.Factory),
		},
		consts.PluginTypeDatabase: {pluginName: newUsers(path(dir, databaseFile))},
	}
}

func backend(factory logical.Factory) func() (any, error) {
	return func() (any, error) { return factory, nil }
}

// factories lists the backends of a kind as a core's configuration wants them.
func (r registry) factories(kind consts.PluginType) map[string]logical.Factory {
	all := map[string]logical.Factory{}
	for name, make := range r[kind] {
		if factory, err := make(); err == nil {
			all[name] = factory.(logical.Factory)
		}
	}
	return all
}

func (r registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	make, ok := r[kind][name]
	return make, ok
}

func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, ok := r[kind][name]
	return ok
}

func (r registry) Keys(kind consts.PluginType) []string {
	return slices.Sorted(maps.Keys(r[kind]))
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
