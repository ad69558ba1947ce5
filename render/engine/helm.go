package engine

import (
	"context"
	"io/fs"
	"maps"
	"path"
	"slices"
	"text/template"

	"fuin.dev/render/wire"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	helmengine "helm.sh/helm/v4/pkg/engine"
)

// kubeVersion is the version of Kubernetes that charts are rendered for:
// .Capabilities.KubeVersion, and what their kubeVersion has to allow.
const kubeVersion = "v1.36.0"

// helm renders a chart as helm template --include-crds does: as a first
// install, where lookup finds nothing and getHostByName answers nothing. Hooks
// are left out, with a note. keys and values list in the order of keys, which
// Helm leaves to chance.
func helm(files fs.FS, d wire.Directory) (rendition, error) {
	c, err := loadChart(files, d.Path)
	if err != nil {
		return rendition{}, err
	}
	values, err := chartValues(files, d)
	if err != nil {
		return rendition{}, err
	}
	if err := c.prepare(values); err != nil {
		return rendition{}, err
	}
	top, err := c.renderValues(values, d.Helm)
	if err != nil {
		return rendition{}, err
	}
	return c.render(top)
}

// A helmChart is a chart that is rendered.
type helmChart struct {
	*chart.Chart
	result    rendition
	origins   map[*common.File]origin
	templates map[string]chartTemplate // by the name that Helm gives them
	hashes    tokenHashes
}

// A chartTemplate is a template of a chart or one of its subcharts.
type chartTemplate struct {
	origin
	text string
}

// origin is where the Chart.yaml of a chart or a subchart lies. Helm copies
// the charts, but not their files.
func (c *helmChart) origin(of *chart.Chart) origin {
	for _, f := range of.Raw {
		if f.Name == "Chart.yaml" {
			return c.origins[f]
		}
	}
	return origin{}
}

func loadChart(files fs.FS, dir string) (*helmChart, error) {
	l := newChartLoader(files)
	root, err := l.directory(dir, 0)
	if err != nil {
		return nil, err
	}
	return &helmChart{Chart: root, origins: l.origins, templates: map[string]chartTemplate{}}, nil
}

// prepare refuses what Helm would not install, and settles which subcharts are
// part of the chart.
func (c *helmChart) prepare(values map[string]any) error {
	at := c.origin(c.Chart).file
	if c.Metadata.Type == "library" {
		return blame(wire.NotRenderable, at, 0, "is a library chart, which makes no objects by itself").
			advise("render a chart that depends on it")
	}
	if want := c.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, kubeVersion) {
		return blame(wire.Unsupported, at, 0, "has a kubeVersion that leaves out %s, which charts are rendered for", kubeVersion)
	}
	if err := c.vendored(); err != nil {
		return err
	}
	if chartutil.ProcessDependencies(c.Chart, values) != nil {
		return mismatched(at)
	}
	c.nameTemplates(c.Chart)
	return nil
}

// mismatched is the fault of values that Helm cannot merge. Its own error
// quotes them.
func mismatched(at string) error {
	return blame(wire.Malformed, at, 0, "has values that do not fit together: the key of a subchart holds no mapping").
		advise("what a subchart is given stands below its name, as a mapping")
}

// vendored refuses a chart that lacks a dependency, as Helm does, and notes
// where a subchart lacks one, which Helm lets pass.
func (c *helmChart) vendored() error {
	at := c.origin(c.Chart).file
	if lacks := missing(c.Chart); len(lacks) > 0 {
		return blame(wire.NotFound, at, 0, "names dependencies that are not in charts/: %s", abridged(lacks)).
			advise("run helm dependency build and commit charts/")
	}
	for _, sub := range c.Dependencies() {
		c.noteMissing(sub)
	}
	return nil
}

func (c *helmChart) noteMissing(sub *chart.Chart) {
	if lacks := missing(sub); len(lacks) > 0 {
		c.result.note(c.origin(sub).file, 0, "names dependencies that are not in its charts/, and is rendered without: %s", abridged(lacks))
	}
	for _, deeper := range sub.Dependencies() {
		c.noteMissing(deeper)
	}
}

// missing lists the dependencies that a chart names and does not have.
func missing(c *chart.Chart) []string {
	var names []string
	for _, d := range c.Metadata.Dependencies {
		if d != nil && !hasDependency(c, d.Name) && !slices.Contains(names, d.Name) {
			names = append(names, d.Name)
		}
	}
	return names
}

func hasDependency(c *chart.Chart, name string) bool {
	return slices.ContainsFunc(c.Dependencies(), func(sub *chart.Chart) bool { return sub.Name() == name })
}

// nameTemplates fills c.templates. Of two that Helm names alike, it renders
// the later one.
func (c *helmChart) nameTemplates(from *chart.Chart) {
	for _, sub := range from.Dependencies() {
		c.nameTemplates(sub)
	}
	for _, t := range from.Templates {
		c.templates[path.Join(from.ChartFullPath(), t.Name)] = chartTemplate{c.origins[t], string(t.Data)}
	}
}

// renderValues is the dot of the templates.
func (c *helmChart) renderValues(values map[string]any, options wire.HelmOptions) (common.Values, error) {
	at := c.origin(c.Chart).file
	release := common.ReleaseOptions{Name: options.ReleaseName, Namespace: options.Namespace, Revision: 1, IsInstall: true}
	if release.Name == "" {
		release.Name = c.Name()
	}
	if release.Namespace == "" {
		release.Namespace = "default"
	}
	if chartutil.ValidateReleaseName(release.Name) != nil {
		return nil, blame(wire.NotRenderable, at, 0, "cannot have the release name %q", abridge(release.Name)).
			advise("a release name is at most 53 characters long, in lower case, without dots at its ends")
	}
	top, err := util.ToRenderValuesWithSchemaValidation(c.Chart, values, release, capabilities(), true)
	if err != nil {
		return nil, mismatched(at)
	}
	merged, _ := top["Values"].(common.Values)
	return top, c.validate(c.Chart, merged, nil)
}

// capabilities are those that helm template has without a cluster, with our
// version of Kubernetes.
func capabilities() *common.Capabilities {
	caps := common.DefaultCapabilities.Copy()
	if version, err := common.ParseKubeVersion(kubeVersion); err == nil {
		caps.KubeVersion = *version
	}
	caps.APIVersions = slices.Sorted(slices.Values(caps.APIVersions)) // Helm's order is that of a map
	return caps
}

func (c *helmChart) render(top common.Values) (rendition, error) {
	random := c.randomCalls()
	funcs := template.FuncMap{"keys": sortedDictKeys, "values": sortedDictValues}
	maps.Copy(funcs, random.recorders())
	c.hashes.record(funcs)
	e := helmengine.Engine{CustomTemplateFuncs: funcs}
	rendered, err := e.RenderWithContext(context.Background(), c.Chart, top)
	if err != nil {
		return rendition{}, c.failure(err)
	}
	random.note(&c.result)
	if err := c.output(rendered); err != nil {
		return rendition{}, err
	}
	return c.result, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
