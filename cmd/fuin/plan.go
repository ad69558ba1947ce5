package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"fuin.dev/config"
	"fuin.dev/keys"
	"fuin.dev/seal"
)

// A planner tells for each path how to seal: with the keys of flags, else of
// FUIN_* variables, else of .fuin.yaml. It may be used by several goroutines.
type planner struct {
	u     *ui
	force bool
	named []*keys.Recipient // by flags or variables; nil leaves it to the path

	contexts []string // of the clusters that were asked for them

	mu      sync.Mutex
	sealers map[string]*seal.Sealer
	holders map[*repository]*holders
}

// A plan is how what stands at a path is sealed.
type plan struct {
	*target
	sealer *seal.Sealer
}

// planner loads the keys that flags and variables name, if any.
func (f *recipientFlags) planner(ctx context.Context, u *ui) (*planner, error) {
	p := &planner{u: u, force: f.forceCluster, sealers: map[string]*seal.Sealer{}, holders: map[*repository]*holders{}}
	if !f.given() {
		return p, nil
	}
	var err error
	p.named, err = f.load(ctx, u)
	p.contexts = f.contexts
	return p, err
}

// planPath is the path that decides: where the result is written, if a
// repository says something about that, else where the input stands.
func (u *ui) planPath(path, out string) string {
	if out == "" {
		return path
	}
	if r, err := u.repositoryAt(out); r != nil || err != nil {
		return out
	}
	return path
}

// ready fails before anything is read where no path can be planned for: no key
// is named and there is no .fuin.yaml, or a broken one.
func (p *planner) ready(paths ...string) error {
	configured := p.named != nil
	for _, path := range paths {
		r, err := p.u.repositoryAt(path)
		if err != nil {
			return err
		}
		configured = configured || r != nil
	}
	if !configured {
		return errNoKey()
	}
	return nil
}

// one plans for the one path that there is.
func (p *planner) one(path string) (*plan, error) {
	if err := p.ready(path); err != nil {
		return nil, err
	}
	plan, err := p.at(path)
	if err != nil {
		return nil, nameError(input{path: path}.name(), err)
	}
	return plan, nil
}

// at plans for a path, or for the working directory if it is "-".
func (p *planner) at(path string) (*plan, error) {
	t, err := p.u.targetOf(path)
	if err != nil {
		return nil, err
	}
	if p.named != nil {
		err = p.guard(t)
	} else if t.repository == nil {
		err = errNoKey()
	}
	if err != nil {
		return nil, err
	}
	sealer, err := p.sealer(t)
	return &plan{t, sealer}, err
}

func errNoKey() error {
	return misuse("name one: --cert FILE (a certificate), -r FILE or -r age1… (age recipients), or --cert cluster (asks the current cluster); or let a "+
		config.File+" tell by the path: fuin init", "no key to seal with")
}

// sealer is that of the target's keys, made once for all paths with the same.
func (p *planner) sealer(t *target) (*seal.Sealer, error) {
	id := ""
	var clusters []string
	if p.named == nil {
		var err error
		if clusters, err = t.clusters(); err != nil {
			return nil, err
		}
	}
	if t.repository != nil {
		id = strings.Join(append([]string{t.repository.root}, clusters...), "\x00")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.sealers[id]; known != nil {
		return known, nil
	}
	recipients, err := p.recipients(t, clusters)
	if err != nil {
		return nil, err
	}
	made, err := seal.NewSealer(recipients...)
	if err != nil {
		return nil, err
	}
	if m := p.u.memory(); m != nil {
		made = made.Remembering(m)
	}
	p.sealers[id] = made
	return made, nil
}

// recipients are those of the clusters, or the named ones, and the
// repository's recovery keys beside age ones.
func (p *planner) recipients(t *target, clusters []string) ([]*keys.Recipient, error) {
	switch {
	case p.named == nil:
		return t.repository.recipients(clusters, p.u.now())
	case t.repository == nil || !p.named[0].Kind().Age():
		return p.named, nil
	}
	all := distinct(slices.Concat(p.named, t.repository.config.Recovery))
	if err := keys.Compatible(all); err != nil {
		return nil, &fault{fmt.Errorf("the key named, and the recovery keys of %s: %w", t.repository.file(), err), hintOf(err), exitError}
	}
	return all, nil
}

// holders are the clusters of a repository by the fingerprints of their keys.
type holders struct {
	clusters map[string][]string
	former   map[string][]config.Former
}

// guard refuses named keys that belong to another cluster than the rule's, or
// that a cluster gave up.
func (p *planner) guard(t *target) error {
	if p.force || t.repository == nil || len(t.rule.Clusters) == 0 {
		return nil
	}
	holders := p.holdersOf(t.repository)
	for _, r := range p.named {
		owners, former := holders.clusters[r.Fingerprint()], holders.former[r.Fingerprint()]
		for _, f := range former {
			owners = append(slices.Clip(owners), f.Cluster)
		}
		if len(owners) > 0 && !meet(owners, t.rule.Clusters) {
			return t.foreign("the key "+r.Fingerprint(), owners)
		}
		for _, f := range former {
			if f.Fate != keys.WasReplaced {
				return failAt(t.path, "leave --cert, -r and FUIN_* out, and the keys of its rule are taken; or add --force-cluster",
					"the key %s of cluster %s is %s", r.Fingerprint(), f.Cluster, f)
			}
		}
	}
	for _, name := range p.contexts {
		if owners := t.repository.inContext(name); len(owners) > 0 && !meet(owners, t.rule.Clusters) {
			return t.foreign("context "+name, owners)
		}
	}
	return nil
}

func (p *planner) holdersOf(r *repository) *holders {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holders[r] == nil {
		p.holders[r] = &holders{r.config.Holders(r.files), r.config.Former(r.files)}
	}
	return p.holders[r]
}

// inContext are the clusters that a kubeconfig's context is of.
func (r *repository) inContext(name string) []string {
	var out []string
	for _, c := range r.config.Clusters {
		if c.Context != "" && c.Context == name {
			out = append(out, c.Name)
		}
	}
	return out
}

func (t *target) foreign(what string, owners []string) error {
	return failAt(t.path, "leave --cert, -r and FUIN_* out, and the keys of its rule are taken; to seal for "+strings.Join(owners, ", ")+" all the same, add --force-cluster",
		"%s is of cluster %s, and %s line %d gives the path to %s", what, strings.Join(owners, ", "),
		t.repository.file(), t.rule.Line, strings.Join(t.rule.Clusters, ", "))
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// options are those of the flags, completed by the rule.
func (pl *plan) options(o seal.Options) (seal.Options, error) {
	o.Scope = cmp.Or(o.Scope, pl.rule.Scope)
	o.Final = pl.finalIn(o.Namespace)
	if o.Namespace != "" || o.Scope == seal.ClusterWide {
		return o, nil
	}
	var err error
	o.DefaultNamespace, err = pl.defaultNamespace()
	return o, err
}

// finalIn is final for who asked for a namespace, which may be empty: it must be
// the one that the kustomizations make.
func (t *target) finalIn(asked string) seal.Final {
	return func(scope seal.Scope, namespace, name string) (string, string, error) {
		finalNamespace, finalName, err := t.final(scope, namespace, name)
		if err == nil && asked != "" && scope != seal.ClusterWide && finalNamespace != asked {
			err = fail("leave -n out", "%s puts it into namespace %s, not %s", t.namespaceFrom(), finalNamespace, asked)
		}
		return finalNamespace, finalName, err
	}
}

// namespaceFrom names the kustomization that gives the namespace.
func (t *target) namespaceFrom() string {
	placings, _, _ := t.placings()
	for _, p := range placings {
		if p.NamespaceFrom != "" {
			return fromHere(t.tree.root, p.NamespaceFrom)
		}
	}
	return "another file"
}

// seal seals the Secrets of what stands at the path.
func (pl *plan) seal(data []byte, o seal.Options) (seal.Result, error) {
	o, err := pl.options(o)
	if err != nil {
		return seal.Result{}, err
	}
	result, err := pl.sealer.Manifest(data, o)
	if err == nil && o.Scope != seal.ClusterWide {
		result.Warnings = append(result.Warnings, pl.doubts()...)
	}
	return result, err
}

// set seals a value into a SealedSecret of what stands at the path.
func (pl *plan) set(data []byte, t seal.Target, value []byte) (seal.Result, error) {
	t.Final = pl.finalIn(t.Namespace)
	result, err := pl.sealer.Set(data, t, value)
	if err == nil {
		result.Warnings = append(result.Warnings, pl.doubts()...)
	}
	return result, err
}
