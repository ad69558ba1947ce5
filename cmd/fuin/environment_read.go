package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"fuin.dev/lazy"
	"github.com/spf13/cobra"
)

// environmentsAPI is the path of the API that has Environments.
const environmentsAPI = "apis/fuin.dev/v1alpha1"

// environmentPage is how many Environments a page has: an inventory may be large.
const environmentPage = 20

// environmentFlags say which Environments, of which cluster.
type environmentFlags struct {
	cluster   clusterFlags
	context   string
	namespace string
	all       bool
}

func (f *environmentFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.context, "context", "", "`CONTEXT` of the kubeconfig; the default is the current one")
	cmd.Flags().StringVarP(&f.namespace, "namespace", "n", "", "`NAMESPACE` of Environments; the default is that of the context, else all")
	cmd.Flags().BoolVarP(&f.all, "all-namespaces", "A", false, "in all namespaces")
}

// A scope is the Environments that are asked for; empty fields are any.
type scope struct{ namespace, name string }

func (s scope) String() string {
	if s.namespace == "" {
		return s.name
	}
	return strings.TrimSuffix(s.namespace+"/"+s.name, "/")
}

// one reports whether the scope is one Environment for sure.
func (s scope) one() bool { return s.namespace != "" && s.name != "" }

// dnsName is a label or a subdomain of RFC 1123, which names are.
var dnsName = lazy.Regexp(`^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$`)

// dial connects to the cluster and finds out what an argument, NAME or
// NAMESPACE/NAME or "", means there.
func (f *environmentFlags) dial(argument string) (*cluster, scope, error) {
	s := scope{namespace: f.namespace, name: argument}
	if namespace, name, ok := strings.Cut(argument, "/"); ok {
		if f.namespace != "" && f.namespace != namespace {
			return nil, s, misuse("leave -n out", "%q is not in namespace %q", argument, f.namespace)
		}
		s = scope{namespace, name}
	}
	if f.all && s.namespace != "" {
		return nil, s, misuse("leave one of them out", "-A and a namespace were given")
	}
	for _, name := range []string{s.namespace, s.name} {
		if name != "" && !dnsName().MatchString(name) {
			return nil, s, misuse("an Environment is NAME or NAMESPACE/NAME", "%q is no name", name)
		}
	}
	if strings.Contains(argument, "/") && !s.one() {
		return nil, s, misuse("an Environment is NAME or NAMESPACE/NAME", "%q is no name", argument)
	}
	c, err := f.cluster.dial(f.context)
	if err != nil {
		return nil, s, &fault{err, hintKubeconfig, exitUnreachable}
	}
	if s.namespace == "" && !f.all {
		s.namespace = c.namespace
	}
	return c, s, nil
}

const hintKubeconfig = "name one of kubectl config get-contexts as --context CONTEXT; --kubeconfig FILE reads another file"

func (s scope) query() query {
	q := query{path: []string{environmentsAPI, "environments"}, limit: environmentPage}
	if s.namespace != "" {
		q.path = []string{environmentsAPI, "namespaces", s.namespace, "environments"}
	}
	return q
}

// environments reads what a scope has, in order, and as of which version, ""
// for that of the moment. If it is one that does not exist, the error wraps
// errAbsent.
func (c *cluster) environments(ctx context.Context, s scope) ([]environment, string, error) {
	q := s.query()
	if s.one() {
		q.path = append(q.path, s.name)
		var e environment
		if err := c.read(ctx, q, &e); err != nil {
			return nil, "", c.noEnvironment(ctx, s, err)
		}
		return []environment{e}, "", nil // its own version may be too old to watch from
	}
	all, version, err := listAll[environment](ctx, c, q)
	if err != nil {
		return nil, "", c.noEnvironments(s, err)
	}
	all = slices.DeleteFunc(all, func(e environment) bool { return !s.holds(e) })
	slices.SortFunc(all, compareEnvironments)
	return all, version, nil
}

func (s scope) holds(e environment) bool {
	return (s.namespace == "" || e.Metadata.Namespace == s.namespace) && (s.name == "" || e.Metadata.Name == s.name)
}

// needSome refuses a name that nothing has, or more than one.
func (s scope) needSome(c *cluster, all []environment) error {
	switch {
	case s.name == "" || len(all) == 1:
		return nil
	case len(all) == 0:
		return fail("fuin status -A lists those that there are", "%s: no Environment %s", c, s)
	}
	return misuse("name one: "+all[0].String(), "%s: %s are called %s", c, plural(len(all), "Environment"), s.name)
}

const hintInstalled = "is fuin-controller installed? its CRD is environments.fuin.dev"

// noEnvironments explains why there is no list.
func (c *cluster) noEnvironments(s scope, err error) error {
	switch {
	case errors.Is(err, errAbsent):
		return &fault{&named{c.String(), errors.New("it does not know Environments")}, hintInstalled, exitUnreachable}
	case s.namespace == "" && refused(err):
		return &fault{err, "name a namespace that you may look into: -n NAMESPACE", exitUnreachable}
	}
	return err
}

// noEnvironment tells an Environment that does not exist from a cluster that
// knows none.
func (c *cluster) noEnvironment(ctx context.Context, s scope, err error) error {
	if !errors.Is(err, errAbsent) {
		return err
	}
	var api struct{}
	if apiErr := c.read(ctx, query{path: []string{environmentsAPI}}, &api); errors.Is(apiErr, errAbsent) {
		return c.noEnvironments(s, apiErr)
	}
	return &fault{&named{c.String() + ": Environment " + s.String(), errAbsent}, "fuin status -A lists those that there are", exitError}
}

// watchEnvironments calls each after every change of what a scope has. All is
// what there was at the version.
func (c *cluster) watchEnvironments(ctx context.Context, s scope, all []environment, version string, each func([]environment) error) error {
	q := s.query()
	if s.name != "" {
		q.values = url.Values{"fieldSelector": {"metadata.name=" + s.name}}
	}
	return c.watch(ctx, q, version, func(event watchEvent) error {
		var e environment
		if err := json.Unmarshal(event.Object, &e); err != nil {
			return unreachable(hintNewer, "%s: its Environments are not understood", c)
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			all = with(all, e)
		case "DELETED":
			all = slices.DeleteFunc(slices.Clone(all), func(old environment) bool { return compareEnvironments(old, e) == 0 })
		default:
			return nil
		}
		return each(all)
	})
}

// with is the sorted list with an Environment added or replaced.
func with(all []environment, e environment) []environment {
	all = slices.Clone(all)
	i, found := slices.BinarySearchFunc(all, e, compareEnvironments)
	if found {
		all[i] = e
		return all
	}
	return slices.Insert(all, i, e)
}
