package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"
)

// vaultPolicyFlags are those of fuin vault policy.
type vaultPolicyFlags struct {
	render     renderFlags
	output     choice
	namespace  string
	connection string
	mounts     string
	accessor   string
	policy     string
}

func newVaultPolicy(u *ui) *cobra.Command {
	var f vaultPolicyFlags
	cmd := &cobra.Command{
		Use:   "policy DIR|ENVIRONMENT-FILE|-",
		Short: "Print the least policy that the references of a tree need",
		Long: `Print the least Vault policy, in HCL, with which all references of a tree can be
read, and the role to log in with. The tree is rendered as by fuin render.

Each path is exact. Where it has the namespace of the Secret as a segment, the
policy has a template there, which stands for the namespace of whoever logged
in: one policy and one role then serve all namespaces. Every namespace that
logs in with the role may read the other paths; a comment marks them.
Certificates may be issued with the parameters that the references have, and
with no others.

What --connection-file (a VaultConnection, as it is applied) says of log-in,
role and prefixes holds; without it the log-in is jwt, at auth/jwt, with role
fuin and audience vault. --mounts is the output of
vault secrets list -format=json. Without it a mount is taken to be one segment
long, and paths of an engine that is not known are printed for both versions of
KV.`,
		Example: `  fuin vault policy overlays/production --connection-file vault.yaml \
      --accessor auth_jwt_1a2b3c4d | vault policy write fuin -
  fuin vault policy overlays/production --connection-file vault.yaml -o role |
      vault write auth/jwt/role/fuin -
  vault secrets list -format=json > mounts.json
  fuin vault policy environments/production.yaml --mounts mounts.json -o json`,
		Args: needArgs("a directory or a file with an Environment", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), u, args[0])
		},
	}
	f.add(cmd)
	return cmd
}

func (f *vaultPolicyFlags) add(cmd *cobra.Command) {
	addChoice(cmd, &f.output, "output", "o", "`FORMAT`: policy (HCL), role (the JSON that vault write reads) or json (all of it); the default is policy",
		"policy", "policy", "role", "json")
	cmd.Flags().StringVar(&f.connection, "connection-file", "", "`FILE` with the VaultConnection that reads")
	cmd.Flags().StringVar(&f.mounts, "mounts", "", "`FILE` with what vault secrets list -format=json prints")
	cmd.Flags().StringVar(&f.accessor, "accessor", "", "`ACCESSOR` of the auth method, as vault auth list tells; templates need it")
	cmd.Flags().StringVar(&f.policy, "policy", "fuin", "`NAME` of the policy")
	cmd.Flags().StringVarP(&f.namespace, "namespace", "n", "", "`NAMESPACE` of objects that name none")
	f.render.addSource(cmd)
}

func (f *vaultPolicyFlags) run(ctx context.Context, u *ui, argument string) error {
	if err := oneStdin(argument, f.connection, f.mounts); err != nil {
		return err
	}
	connection, err := f.readConnection(ctx, u)
	if err != nil {
		return err
	}
	engines, err := f.readMounts(ctx, u)
	if err != nil {
		return err
	}
	s, err := f.render.source(ctx, u, argument)
	if err != nil {
		return err
	}
	defer s.close()
	s.defaultNamespace = cmp.Or(f.namespace, s.defaultNamespace)
	set, err := f.render.set(ctx, u, s)
	if err != nil {
		return err
	}
	objects, err := referencesOf(set)
	if err != nil {
		return err
	}
	g := grants{connection: connection, engines: engines, accessor: f.accessor}
	if err := g.addAll(objects); err != nil {
		return err
	}
	return f.print(u, argument, &g)
}

func (f *vaultPolicyFlags) print(u *ui, argument string, g *grants) error {
	if g.elsewhere > 0 {
		u.note("left out %s of another VaultConnection", plural(g.elsewhere, "object"))
	}
	if len(g.all) == 0 {
		u.note("%s holds no references to Vault", argument)
	}
	if g.templated && f.accessor == "" && f.output.value != "role" {
		u.warn("", "put the accessor of auth/%s in place of %s, or give it with --accessor: vault auth list tells it", g.connection.mount(), noAccessor)
	}
	role := g.role(f.policy)
	switch f.output.value {
	case "role":
		switch {
		case role == nil:
			return fail("use -o policy", "a VaultConnection with token has no role")
		case len(g.all) == 0:
			return fail("", "nobody needs to log in")
		}
		return encode(u.stdout, "json", role.Data)
	case "json":
		return encode(u.stdout, "json", map[string]any{"policy": map[string]any{"name": f.policy, "hcl": g.hcl(f.policy, argument)}, "role": role, "paths": g.paths()})
	}
	_, err := u.stdout.Write([]byte(g.hcl(f.policy, argument)))
	return err
}
