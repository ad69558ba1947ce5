package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"fuin.dev/keys"
	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

func newConfigExplain(u *ui) *cobra.Command {
	var format choice
	cmd := &cobra.Command{
		Use:   "explain PATH...",
		Short: "Tell which rule, keys, scope and final names hold for a path",
		Long: `Tell what holds for a path: the rule of .fuin.yaml that decides, the clusters
that it names with their keys and the files these stand in, the recovery keys,
scope and namespace, and what the kustomizations that reach the path make of
names. Of a file, also where each of its Secrets and SealedSecrets will stand.
The path need not exist.`,
		Example: `  fuin config explain overlays/production/db.yaml
  fuin config explain -o json overlays/production`,
		Args: needArgs("a path", 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			return explain(cmd.Context(), u, args, format.value)
		},
	}
	addChoice(cmd, &format, "output", "o", "`FORMAT`: text, yaml or json; the default is text", "text", "text", "yaml", "json")
	return cmd
}

// An explanation is what holds for a path.
type explanation struct {
	Path           string             `json:"path"`
	Config         string             `json:"config"`
	Rule           *explainedRule     `json:"rule"` // null if none matches
	Clusters       []explainedCluster `json:"clusters"`
	Recovery       []listedKey        `json:"recovery"`
	Scope          seal.Scope         `json:"scope,omitempty"`     // empty leaves it to the Secret
	Namespace      string             `json:"namespace,omitempty"` // that the rule gives
	Kustomizations []explainedPlacing `json:"kustomizations"`
	Unlisted       string             `json:"unlisted,omitempty"` // a kustomization beside the path that does not list it yet
	Objects        []explainedObject  `json:"objects"`
	Problem        string             `json:"problem,omitempty"` // why nothing can be sealed

	failed error
}

type explainedRule struct {
	Path string `json:"path"`
	Line int    `json:"line"`
}

type explainedCluster struct {
	Name string         `json:"name"`
	Keys []explainedKey `json:"keys"`
}

// An explainedKey says by Seals whether values are sealed to it: of a file with
// both, the age recipients are, and not the certificate.
type explainedKey struct {
	File  string `json:"file"`
	Seals bool   `json:"seals"`
	listedKey
}

type explainedPlacing struct {
	Directory     string   `json:"directory"` // that is rendered
	Through       []string `json:"through"`
	Namespace     string   `json:"namespace,omitempty"`
	NamespaceFrom string   `json:"namespaceFrom,omitempty"`
	Prefix        string   `json:"prefix,omitempty"`
	Suffix        string   `json:"suffix,omitempty"`
	Unsure        string   `json:"unsure,omitempty"` // has transformers that are not followed
}

type explainedObject struct {
	Kind           string     `json:"kind"`
	Namespace      string     `json:"namespace,omitempty"` // as the file says
	Name           string     `json:"name"`
	Scope          seal.Scope `json:"scope"`
	FinalNamespace string     `json:"finalNamespace,omitempty"`
	FinalName      string     `json:"finalName,omitempty"`
	Problem        string     `json:"problem,omitempty"`
}

func explain(ctx context.Context, u *ui, paths []string, format string) error {
	all := make([]*explanation, 0, len(paths))
	var failed faults
	for _, path := range paths {
		e, err := explainPath(ctx, u, path)
		if err != nil {
			return err
		}
		if e.failed != nil {
			failed = append(failed, nameError(path, e.failed))
		}
		all = append(all, e)
	}
	if format != "text" {
		if err := encode(u.stdout, format, all); err != nil {
			return err
		}
		return failed.orNil()
	}
	if err := printExplanations(u, all); err != nil {
		return err
	}
	return failed.orNil()
}

func explainPath(ctx context.Context, u *ui, path string) (*explanation, error) {
	t, err := u.targetOf(path)
	if err != nil {
		return nil, err
	}
	r := t.repository
	if r == nil {
		return nil, errNoConfig(path)
	}
	e := &explanation{
		Path: path, Config: r.file(), Scope: t.rule.Scope, Namespace: t.rule.Namespace,
		Clusters: []explainedCluster{}, Recovery: []listedKey{}, Kustomizations: []explainedPlacing{}, Objects: []explainedObject{},
	}
	if t.ruled {
		e.Rule = &explainedRule{t.rule.Path, t.rule.Line}
	}
	e.keys(t)
	for _, step := range []func() error{
		func() error { return e.seals(u, t) },
		func() error { return e.placings(t) },
		func() error { return e.objects(ctx, t) },
	} {
		if err := step(); err != nil {
			e.failed = errors.Join(e.failed, err)
		}
	}
	if e.failed != nil {
		e.Problem = e.failed.Error()
	}
	return e, nil
}

// keys lists what the files of the clusters hold.
func (e *explanation) keys(t *target) {
	r := t.repository
	for _, name := range t.rule.Clusters {
		cluster, _ := r.config.Cluster(name)
		one := explainedCluster{Name: name, Keys: []explainedKey{}}
		sealing, _ := r.config.Recipients(name, r.files, time.Time{}) // seals tells of errors
		for _, file := range cluster.Recipients {
			held, _ := cluster.Keys(file, r.files)
			for _, k := range held {
				seals := slices.ContainsFunc(sealing, func(s *keys.Recipient) bool { return s.Fingerprint() == k.Fingerprint() })
				one.Keys = append(one.Keys, explainedKey{fromHere(r.root, file), seals, list(k)})
			}
			former, _ := cluster.Former(file, r.files) // as does validate
			for _, f := range former {
				one.Keys = append(one.Keys, explainedKey{fromHere(r.root, file), false, listFormer(f)})
			}
		}
		e.Clusters = append(e.Clusters, one)
	}
	for _, k := range r.config.Recovery {
		e.Recovery = append(e.Recovery, list(k))
	}
}

// seals tells why nothing can be sealed at the path.
func (e *explanation) seals(u *ui, t *target) error {
	clusters, err := t.clusters()
	if err != nil {
		return err
	}
	_, err = t.repository.recipients(clusters, u.now())
	return err
}

func (e *explanation) placings(t *target) error {
	placings, assumed, err := t.placings()
	if err != nil {
		return err
	}
	here := func(name string) string {
		if name == "" {
			return ""
		}
		return fromHere(t.tree.root, name)
	}
	e.Unlisted = here(assumed)
	for _, p := range placings {
		one := explainedPlacing{
			Directory: here(p.Top), Namespace: p.Namespace, NamespaceFrom: here(p.NamespaceFrom),
			Prefix: p.Prefix, Suffix: p.Suffix, Unsure: here(p.Unsure),
		}
		for _, file := range p.Through {
			one.Through = append(one.Through, here(file))
		}
		e.Kustomizations = append(e.Kustomizations, one)
	}
	return nil
}

// objects tells where each object of the file will stand. What is no manifest
// has none.
func (e *explanation) objects(ctx context.Context, t *target) error {
	info, err := os.Stat(t.path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	data, err := readFile(ctx, t.path, seal.MaxManifest)
	if err != nil {
		return err
	}
	found, err := seal.Names(data)
	if err != nil {
		return nil
	}
	var failed error
	for _, n := range found {
		o := explainedObject{Kind: n.Kind, Namespace: n.Namespace, Name: n.Name, Scope: n.Scope}
		if n.Kind == kindSecret && t.rule.Scope != "" {
			o.Scope = t.rule.Scope
		}
		if o.FinalNamespace, o.FinalName, err = t.final(o.Scope, n.Namespace, n.Name); err != nil {
			o.Problem = err.Error()
			failed = errors.Join(failed, err)
		}
		e.Objects = append(e.Objects, o)
	}
	return failed
}
