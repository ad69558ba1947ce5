package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fuin.dev/config"
	"fuin.dev/keys"
	"github.com/spf13/cobra"
)

// initFlags are those of fuin init.
type initFlags struct {
	clusters []string
	keys     []string
	recovery []string
	hook     bool
	cluster  clusterFlags
}

func newInit(u *ui) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write .fuin.yaml for a repository, with its clusters' public keys",
		Long: `Write .fuin.yaml at the root of the Git repository, or else in the working
directory, and the public keys of each cluster to keys/NAME.txt. From then on
fuin seal needs no flag and no cluster.

The keys are asked of the cluster in the kubeconfig's CONTEXT, or taken from a
file with --key: a certificate, age recipients, or identities, of which only the
public half is kept. Without flags, a terminal offers the kubeconfig's contexts.
Directories that are called like a cluster get a rule; other rules are yours to
add. Nothing is overwritten.

Where Flux is used, .fuin.yaml is added to .sourceignore.`,
		Example: `  fuin init --cluster staging=stg --cluster production=prd --hook
  fuin init --cluster production --key production.pem
  fuin keys generate --out ../identity.txt && fuin init --key ../identity.txt`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), u) },
	}
	cmd.Flags().StringArrayVar(&f.clusters, "cluster", nil, "a cluster by its `NAME[=CONTEXT]` of the kubeconfig, by default the context of that name; may be given several times")
	cmd.Flags().StringArrayVar(&f.keys, "key", nil, "`FILE` or age1… with the key of a cluster, which is not asked then; may be given several times, in the order of --cluster")
	cmd.Flags().StringArrayVar(&f.recovery, "recovery", nil, "`FILE` or age1… with an age key that every age sealing is for, too; may be given several times")
	cmd.Flags().BoolVar(&f.hook, "hook", false, "also install the hook that checks each commit: fuin hook install")
	f.cluster.addFuin(cmd)
	return cmd
}

// A newCluster is one that goes into .fuin.yaml.
type newCluster struct {
	name, context string
	key           string // a file or age1…; "" asks the cluster
	file          string // of its public keys, in the repository
	public        []byte
	kept          bool // the file is there already
}

func (f *initFlags) run(ctx context.Context, u *ui) error {
	root, err := f.root(ctx)
	if err != nil {
		return err
	}
	clusters, err := f.wanted(ctx, u)
	if err != nil {
		return err
	}
	for _, c := range clusters {
		if err := f.load(ctx, u, c, root); err != nil {
			return err
		}
	}
	recovery, err := f.recoveryKeys(ctx, u)
	if err != nil {
		return err
	}
	text, bare, err := configText(root, clusters, recovery)
	if err != nil {
		return err
	}
	if err := tryConfig(text, clusters, u); err != nil {
		return err
	}
	if err := writeConfig(u, root, text, clusters); err != nil {
		return err
	}
	if len(bare) > 0 {
		u.note("no directory is called %s: write a rule for it into %s", strings.Join(bare, " or "), config.File)
	}
	if err := ignoreConfig(ctx, u, root); err != nil {
		return err
	}
	if f.hook {
		return installHook(ctx, u, root)
	}
	return nil
}

// root is the directory that gets the file, which must have none yet, nor one
// above it that counts.
func (f *initFlags) root(ctx context.Context) (string, error) {
	here, err := realPath(".")
	if err != nil {
		return "", fileError(".", err)
	}
	at, err := config.Find(here)
	if err == nil {
		return "", failAt(fromHere(at, config.File), "edit it; fuin config validate tells what is wrong with it", "exists already")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fileError(".", err)
	}
	if f.hook {
		if _, err := findHook(ctx, here); err != nil {
			return "", err
		}
	}
	if root, found := repositoryOf(here); found {
		return root, nil
	}
	return here, nil
}

// wanted are the clusters that flags name, or that are asked for.
func (f *initFlags) wanted(ctx context.Context, u *ui) ([]*newCluster, error) {
	if len(f.clusters)+len(f.keys) == 0 {
		return f.ask(ctx, u)
	}
	if len(f.keys) > max(len(f.clusters), 1) {
		return nil, misuse("give each its name with --cluster", "%d keys for %d clusters", len(f.keys), len(f.clusters))
	}
	var out []*newCluster
	for _, spec := range f.clusters {
		name, context, _ := strings.Cut(spec, "=")
		out = append(out, &newCluster{name: name, context: context})
	}
	if len(out) == 0 {
		out = append(out, &newCluster{name: nameOfKey(f.keys[0])})
	}
	for i, key := range f.keys {
		out[i].key = key
	}
	for i, c := range out {
		if c.key == "" && c.context == "" {
			c.context = c.name
		}
		c.file = "keys/" + c.name + ".txt"
		if !config.IsClusterName(c.name) {
			return nil, misuse("give --cluster NAME of letters, digits, - . and _", "%.80q is no name for a cluster", c.name)
		}
		if slices.ContainsFunc(out[:i], func(o *newCluster) bool { return o.name == c.name }) {
			return nil, misuse("give each a name of its own", "cluster %s is named twice", c.name)
		}
	}
	return out, nil
}

// nameOfKey names a cluster after the file of its key.
func nameOfKey(key string) string {
	if strings.HasPrefix(key, "age1") {
		return "cluster"
	}
	base := filepath.Base(key)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// load reads the public keys of a cluster.
func (f *initFlags) load(ctx context.Context, u *ui, c *newCluster, root string) error {
	var held []listedKey
	var former []keys.Former
	var err error
	if c.key != "" {
		held, err = publicOf(ctx, u, c.key)
	} else {
		var p *published
		if p, err = f.cluster.published(ctx, u, c.context, "asking for the keys of"); err == nil {
			held, former, err = p.sealing, p.former(publicFile{}, u.now()), (&syncFlags{}).refuse(p, nil, c.file)
		}
	}
	if err != nil {
		return err
	}
	c.public = publicText(nil, held, former)
	return c.keep(ctx, held, filepath.Join(root, filepath.FromSlash(c.file)))
}

// keep takes a file that is there already, if it holds the same keys.
func (c *newCluster) keep(ctx context.Context, held []listedKey, path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	there, err := readPublic(ctx, path)
	if err != nil {
		return err
	}
	for _, k := range held {
		if !holds(there.keys, k.Fingerprint) {
			return failAt(path, "move it away, or name it: --key "+path, "exists already, without the key %s", k.Fingerprint)
		}
	}
	c.kept = true
	return nil
}

// publicOf are the public halves of the keys that a flag names.
func publicOf(ctx context.Context, u *ui, spec string) ([]listedKey, error) {
	if strings.HasPrefix(spec, "age1") && !strings.ContainsAny(spec, "/.") {
		held, err := parsePublic([]byte(spec))
		return held, nameErrorOrNil("--key", err)
	}
	held, err := fileKeys(ctx, u, spec)
	if err != nil {
		return nil, err
	}
	held = slices.DeleteFunc(held, func(k listedKey) bool { return k.Since != nil }) // former ones
	for _, k := range held {
		if k.Recipient == "" {
			return nil, failAt(spec, "give its certificate", "an RSA key without certificate")
		}
	}
	return held, nil
}

func nameErrorOrNil(name string, err error) error {
	if err == nil {
		return nil
	}
	return nameError(name, err)
}

// recoveryKeys are the age recipients that --recovery names.
func (f *initFlags) recoveryKeys(ctx context.Context, u *ui) ([]listedKey, error) {
	var out []listedKey
	for _, spec := range f.recovery {
		held, err := publicOf(ctx, u, spec)
		if err != nil {
			return nil, err
		}
		for _, k := range held {
			if !k.Kind.Age() {
				return nil, failAt("--recovery", "make one: fuin keys generate", "a certificate, where an age key belongs")
			}
		}
		out = append(out, held...)
	}
	return out, nil
}
