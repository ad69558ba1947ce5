package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"fuin.dev/render"

	"github.com/spf13/cobra"
)

// renderFlags are those of fuin render.
type renderFlags struct {
	output    choice
	out       string
	renderer  choice
	namespace string
	release   string
	images    []string
	values    []string
	variables []string
}

func newRender(u *ui) *cobra.Command {
	var f renderFlags
	cmd := &cobra.Command{
		Use:   "render DIR|ENVIRONMENT-FILE|-",
		Short: "Print the objects that a directory makes, still sealed",
		Long: `Print the objects that the controller would apply, in its order: what the
kustomization, the Helm chart, the Jsonnet program or the plain manifests of a
directory make. Values stay sealed; no key and no cluster is asked. A comment
above each object names the file that it comes from.

The argument is a directory, or a file with an Environment (- is standard
input), whose spec.path is relative to the root of the repository and whose
images, helm, jsonnet, imagesFrom and targetNamespace hold; objects without a
namespace get the Environment's. Flags count more. The repository is that of
.git, or else the nearest directory upwards with .fuin.yaml; nothing outside it
is read, and nothing is fetched.

References to Vault are checked, all of them, and stay as they are: nothing is
printed if one does not parse, or stands where none is resolved.

--out writes a file for each object, KIND-NAMESPACE-NAME.yaml in lower case, for
repositories that commit what is rendered. Characters that not all file systems
take become _; such names, and those of two objects, get a hash of the object's
own name. The first line marks the file: those that an earlier run wrote and
this one does not are removed, and no other file is touched.`,
		Example: `  fuin render overlays/production
  fuin render environments/production.yaml -o name
  fuin render chart --values chart/production.yaml --release-name shop
  fuin render overlays/production --image app=:v1.2.3 --out rendered/production`,
		Args: needArgs("a directory or a file with an Environment", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.out != "" && cmd.Flags().Changed("output") {
				return misuse("--out writes yaml", "--out and --output exclude each other")
			}
			return f.run(cmd.Context(), u, args[0])
		},
	}
	f.add(cmd)
	return cmd
}

func (f *renderFlags) add(cmd *cobra.Command) {
	addChoice(cmd, &f.output, "output", "o", "`FORMAT`: yaml (many documents), json (a List) or name; the default is yaml",
		"yaml", "yaml", "json", "name")
	cmd.Flags().StringVar(&f.out, "out", "", "write a file for each object into `DIR`, and remove those of an earlier run")
	f.addSource(cmd)
}

// addSource adds the flags that say what is rendered, and how.
func (f *renderFlags) addSource(cmd *cobra.Command) {
	addChoice(cmd, &f.renderer, "renderer", "", "what renders: `KIND` is auto, kustomize, helm, jsonnet or plain; the default goes by what lies in the directory",
		"", "auto", "kustomize", "helm", "jsonnet", "plain")
	cmd.Flags().StringVar(&f.namespace, "target-namespace", "", "`NAMESPACE` of every object that has one")
	cmd.Flags().StringArrayVar(&f.images, "image", nil,
		"another image for that of a name: `NAME=NEW` with NEWNAME, NEWNAME:TAG or :TAG, each with @DIGEST, too; may be given several times")
	cmd.Flags().StringArrayVar(&f.values, "values", nil, "values `FILE` of a chart; may be given several times, later ones count more")
	cmd.Flags().StringVar(&f.release, "release-name", "", "`NAME` of a chart's release; the default is the Environment's or else the chart's")
	cmd.Flags().StringArrayVar(&f.variables, "ext-str", nil, "`NAME=VALUE` of an external variable of Jsonnet; may be given several times")
}

func (f *renderFlags) run(ctx context.Context, u *ui, argument string) error {
	s, err := f.source(ctx, u, argument)
	if err != nil {
		return err
	}
	defer s.close()
	set, err := f.set(ctx, u, s)
	if err != nil {
		return err
	}
	if _, err := referencesOf(set); err != nil {
		return err
	}
	if f.out != "" {
		return writeRendered(u, f.out, s, set)
	}
	return printRendered(u, f.output.value, set)
}

// set renders a source.
func (f *renderFlags) set(ctx context.Context, u *ui, s *renderSource) (*render.Set, error) {
	if err := f.override(s); err != nil {
		return nil, err
	}
	sandbox := render.NewPool(render.Config{})
	defer sandbox.Close()
	set, err := sandbox.Directory(ctx, s.directory)
	if err != nil {
		return nil, s.explain(err)
	}
	if s.defaultNamespace != "" {
		set.DefaultNamespace(s.defaultNamespace)
	}
	for _, n := range set.Notes {
		u.warn(position(n), "%s", n.Message)
	}
	return set, nil
}

func position(n render.Note) string {
	if n.Line > 0 {
		return fmt.Sprintf("%s:%d", n.File, n.Line)
	}
	return n.File
}

// renderers by their names on the command line.
var renderers = map[string]render.Kind{
	"auto": render.Auto, "kustomize": render.Kustomize, "helm": render.Helm, "jsonnet": render.Jsonnet, "plain": render.Plain,
}

// override lets the flags count more than an Environment.
func (f *renderFlags) override(s *renderSource) error {
	d := &s.directory
	d.Kind = cmp.Or(renderers[f.renderer.value], d.Kind)
	d.TargetNamespace = cmp.Or(f.namespace, d.TargetNamespace)
	d.Helm.Namespace = cmp.Or(f.namespace, d.Helm.Namespace)
	d.Helm.ReleaseName = cmp.Or(f.release, d.Helm.ReleaseName)
	for _, text := range f.images {
		image, err := newImage(text)
		if err != nil {
			return err
		}
		d.Images = withImage(d.Images, image)
	}
	for _, file := range f.values {
		name, err := s.valuesFile(file)
		if err != nil {
			return err
		}
		d.Helm.ValuesFiles = append(d.Helm.ValuesFiles, name)
	}
	return f.setVariables(d)
}

// newImage reads NAME=NEW, where NEW may leave out the name.
func newImage(text string) (render.Image, error) {
	name, replacement, ok := strings.Cut(text, "=")
	with := parseImage(replacement)
	image := render.Image{Name: name, NewName: with.name, NewTag: with.tag, Digest: with.digest}
	if !ok || name == "" || image == (render.Image{Name: name}) {
		return image, misuse("as in --image app=:v1.2.3, or --image app=registry.example/app:v1.2.3", "--image %q: not NAME=NEW", text)
	}
	return image, nil
}

// withImage changes the image of the same name, or adds it.
func withImage(images []render.Image, image render.Image) []render.Image {
	for i, old := range images {
		if old.Name == image.Name {
			image.NewName = cmp.Or(image.NewName, old.NewName)
			if image.NewTag == "" && image.Digest == "" {
				image.NewTag, image.Digest = old.NewTag, old.Digest
			}
			images[i] = image
			return images
		}
	}
	return append(images, image)
}

func (f *renderFlags) setVariables(d *render.Directory) error {
	for _, text := range f.variables {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return misuse("as in --ext-str tag=v1.2.3", "--ext-str: not NAME=VALUE") // what stands there may be a value
		}
		if d.Jsonnet.ExternalVariables == nil {
			d.Jsonnet.ExternalVariables = map[string]string{}
		}
		d.Jsonnet.ExternalVariables[name] = value
	}
	return nil
}

// explain adds to an error what only this program knows.
func (s *renderSource) explain(err error) error {
	var d *render.DirectoryError
	if !errors.As(err, &d) {
		return err
	}
	switch {
	case d.Reason == render.RemoteRefused && s.allowRemote:
		return &fault{err, "fuin render fetches nothing: copy it into the repository to see it here", exitError}
	case !s.inRepository && (d.Reason == render.OutsideRefused || d.Reason == render.NotFound && d.Hint() == ""):
		return &fault{err, fmt.Sprintf("%s is in no repository (neither .git nor .fuin.yaml is above it), so that nothing beside it is read", s.root), exitError}
	}
	return err
}
