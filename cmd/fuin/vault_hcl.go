package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// noAccessor stands where an accessor belongs that is not known.
const noAccessor = "AUTH_ACCESSOR"

// maxUses is how many users of a path a comment names.
const maxUses = 5

// hcl is the policy.
func (g *grants) hcl(name, argument string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Policy %s: what the references of %s need.\n", name, comment(argument))
	if g.templated {
		fmt.Fprintf(&out, "# %s is the namespace that logged in at auth/%s.\n", g.template(), g.connection.mount())
	}
	for _, one := range g.sorted() {
		fmt.Fprintf(&out, "\n# %s\n", comment(atMostOf(one.uses, maxUses)))
		if g.connection.knowsNamespaces() && !slices.Contains(one.path, ownNamespace) {
			fmt.Fprintf(&out, "# No part of the path is the namespace: all that log in with the role may read it.\n")
		}
		paths := g.pathsOf(one)
		if len(paths) > 1 {
			fmt.Fprintf(&out, "# The first is for KV version 2, the second for version 1 and other engines. Keep one.\n")
		}
		for _, path := range paths {
			fmt.Fprintf(&out, "path %s {\n  capabilities = [%q]\n%s}\n", strconv.Quote(path), one.capability(), one.allowed())
		}
	}
	return out.String()
}

// comment keeps a text in its line.
func comment(text string) string { return printable(text) }

func atMostOf(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(names[:n], "; "), len(names)-n)
}

func (o *grant) capability() string {
	if o.issues {
		return "update"
	}
	return "read"
}

// allowed bounds what a certificate may be issued with.
func (o *grant) allowed() string {
	if !o.issues || o.unbound {
		return ""
	}
	var out strings.Builder
	out.WriteString("  allowed_parameters = {\n")
	for _, name := range slices.Sorted(maps.Keys(o.parameters)) {
		quoted := make([]string, len(o.parameters[name]))
		for i, value := range o.parameters[name] {
			quoted[i] = strconv.Quote(value)
		}
		fmt.Fprintf(&out, "    %s = [%s]\n", strconv.Quote(name), strings.Join(quoted, ", "))
	}
	return out.String() + "  }\n"
}

func (g *grants) template() string {
	accessor := g.accessor
	if accessor == "" {
		accessor = noAccessor
	}
	return "{{identity.entity.aliases." + accessor + ".metadata.service_account_namespace}}"
}

// pathsOf are the paths of Vault's API that a grant is for: two if the engine is
// not known.
func (g *grants) pathsOf(one *grant) []string {
	written := make([]string, len(one.path))
	for i, segment := range one.path {
		written[i] = segment
		if segment == ownNamespace {
			written[i] = g.template()
		}
	}
	plain := strings.Join(written, "/")
	versioned := strings.Join(slices.Insert(slices.Clone(written), one.depth, "data"), "/")
	switch {
	case one.engine == kv2:
		return []string{versioned}
	case one.engine == unknownEngine && !one.issues:
		return []string{versioned, plain}
	}
	return []string{plain}
}

// A vaultPath is a path of a policy, for programs.
type vaultPath struct {
	Path         string              `json:"path"`
	Capabilities []string            `json:"capabilities"`
	Parameters   map[string][]string `json:"allowedParameters,omitempty"`
	Namespaces   []string            `json:"namespaces"`
	Uses         []string            `json:"uses"`
}

func (g *grants) paths() []vaultPath {
	all := []vaultPath{}
	for _, one := range g.sorted() {
		for _, path := range g.pathsOf(one) {
			p := vaultPath{Path: path, Capabilities: []string{one.capability()}, Namespaces: one.namespaces, Uses: one.uses}
			if one.allowed() != "" {
				p.Parameters = one.parameters
			}
			all = append(all, p)
		}
	}
	return all
}
