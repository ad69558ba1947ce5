package engine

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"fuin.dev/render/wire"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"
)

// Bounds of a chart with its subcharts, archives unpacked.
const (
	maxChartBytes = 64 << 20
	maxChartFiles = 10_000
	maxChartDepth = 16
)

// A chartFile is a file of a chart.
type chartFile struct {
	name string // in the chart
	from origin
	data []byte
}

// An origin is where a file of a chart lies: a file of the checkout and, if
// that is an archive, the name within.
type origin struct{ file, inner string }

// within says where in an archive something lies, to end a sentence.
func (o origin) within() string {
	if o.inner == "" {
		return ""
	}
	return " (" + abridge(o.inner) + " in the archive)"
}

// A chartLoader reads one chart with its subcharts, within bounds.
type chartLoader struct {
	files   fs.FS
	bytes   int // that may still come
	count   int // of files that may still come
	origins map[*common.File]origin
}

func newChartLoader(files fs.FS) *chartLoader {
	return &chartLoader{
		files: files, bytes: maxChartBytes, count: maxChartFiles,
		origins: map[*common.File]origin{},
	}
}

// spend counts files and bytes towards the bounds.
func (l *chartLoader) spend(file string, count, size int) error {
	l.count -= count
	l.bytes -= size
	if l.count < 0 || l.bytes < 0 {
		return blame(wire.LimitExceeded, file, 0, "makes the chart too large: %d MiB and %d files are the most, subcharts unpacked",
			maxChartBytes>>20, maxChartFiles).advise("leave out with .helmignore what the templates do not need")
	}
	return nil
}

// directory loads the chart in a directory of the checkout.
func (l *chartLoader) directory(dir string, depth int) (*chart.Chart, error) {
	names, err := l.list(dir)
	if err != nil {
		return nil, err
	}
	if err := fetchAll(l.files, names); err != nil {
		return nil, err
	}
	files := make([]chartFile, len(names))
	for i, name := range names {
		data, err := fs.ReadFile(l.files, name)
		if err == nil {
			err = l.spend(name, 0, len(data))
		}
		if err != nil {
			return nil, err
		}
		files[i] = chartFile{below(dir, name), origin{file: name}, withoutBOM(data)}
	}
	return l.load(origin{file: path.Join(dir, "Chart.yaml")}, files, depth)
}

// fetchAll reads many files ahead.
func fetchAll(files fs.FS, names []string) error {
	c, ok := files.(*checkout)
	if !ok {
		return nil
	}
	for batch := range slices.Chunk(names, wire.MaxBatch) {
		if err := c.fetch(batch); err != nil {
			return err
		}
	}
	return nil
}

// list names the files of a chart, but for those that .helmignore and Helm
// itself leave out.
func (l *chartLoader) list(dir string) ([]string, error) {
	rules, err := l.ignored(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	err = fs.WalkDir(l.files, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch ignored := rules.Ignore(below(dir, name), info); {
		case d.IsDir() && (ignored || d.Name() == ".git"): // which a working tree has, and a checkout not
			return fs.SkipDir
		case ignored || d.IsDir():
			return nil
		}
		names = append(names, name)
		return l.spend(name, 1, 0)
	})
	return names, err
}

// below is the path of a file relative to a directory that it is in.
func below(dir, file string) string {
	if dir == "." {
		return file
	}
	return strings.TrimPrefix(file, dir+"/")
}

func withoutBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

func (l *chartLoader) ignored(dir string) (*ignore.Rules, error) {
	rules := ignore.Empty()
	file := path.Join(dir, ignore.HelmIgnore)
	data, err := fs.ReadFile(l.files, file)
	switch {
	case err == nil:
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, blame(wire.Malformed, file, 0, "has a pattern that Helm does not take").advise("Helm knows no **")
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	rules.AddDefaults()
	return rules, nil
}

// load makes a chart of its files, and its subcharts of those in charts/: in
// the order of their names, which Helm leaves to chance.
func (l *chartLoader) load(at origin, files []chartFile, depth int) (*chart.Chart, error) {
	if depth > maxChartDepth {
		return nil, blame(wire.LimitExceeded, at.file, 0, "is a subchart that is nested more than %d deep", maxChartDepth)
	}
	own, subs := split(files)
	c, err := l.assemble(at, own)
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(subs) {
		sub, err := l.subchart(at, name, subs[name], depth+1)
		if err != nil {
			return nil, err
		}
		c.AddDependency(sub)
	}
	return c, l.neighbours(c, at, depth+1)
}

// assemble makes a chart of its own files.
func (l *chartLoader) assemble(at origin, own []chartFile) (*chart.Chart, error) {
	buffered := make([]*archive.BufferedFile, len(own))
	from := make(map[string]origin, len(own))
	for i, f := range own {
		buffered[i] = &archive.BufferedFile{Name: f.name, Data: f.data}
		from[f.name] = f.from
	}
	c, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, loadFailure(at, from, err)
	}
	if v := c.Metadata.APIVersion; v != chart.APIVersionV1 && v != chart.APIVersionV2 {
		return nil, blame(wire.Unsupported, at.file, 0, "has an apiVersion other than v1 and v2%s", at.within())
	}
	for _, f := range slices.Concat(c.Templates, c.Files, c.Raw) {
		l.origins[f] = from[f.Name]
	}
	return c, nil
}

// split tells a chart's own files from those of each subchart.
func split(files []chartFile) (own []chartFile, subs map[string][]chartFile) {
	subs = map[string][]chartFile{}
	for _, f := range files {
		rest, ok := strings.CutPrefix(f.name, "charts/")
		if !ok || path.Ext(rest) == ".prov" {
			own = append(own, f)
			continue
		}
		name, inner, _ := strings.Cut(rest, "/")
		if strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".") {
			continue // as Helm does
		}
		f.name = inner
		subs[name] = append(subs[name], f)
	}
	return own, subs
}

// subchart loads what has one name in charts/: a directory or an archive.
func (l *chartLoader) subchart(parent origin, name string, files []chartFile, depth int) (*chart.Chart, error) {
	first := files[0]
	if first.name != "" {
		at := first.from
		if at.inner == "" {
			at.file = path.Join(path.Dir(parent.file), "charts", name, "Chart.yaml")
		}
		return l.load(at, files, depth)
	}
	if path.Ext(name) != ".tgz" {
		return nil, blame(wire.NotRenderable, first.from.file, 0, "is in charts/, and neither a chart nor an archive of one%s", first.from.within()).
			advise("move it elsewhere, or name it in .helmignore")
	}
	unpacked, err := l.unpack(first)
	if err != nil {
		return nil, err
	}
	return l.load(origin{first.from.file, "Chart.yaml"}, unpacked, depth)
}

// neighbours loads the dependencies that are directories of the checkout, by
// repository: file://PATH, and not in charts/.
func (l *chartLoader) neighbours(c *chart.Chart, at origin, depth int) error {
	for _, d := range c.Metadata.Dependencies {
		if d == nil || at.inner != "" || hasDependency(c, d.Name) {
			continue
		}
		rel, ok := strings.CutPrefix(d.Repository, "file://")
		if !ok {
			continue
		}
		dir := path.Join(path.Dir(at.file), rel)
		if path.IsAbs(rel) || !fs.ValidPath(dir) {
			return blame(wire.OutsideRefused, at.file, 0, "has the dependency %s, whose repository is a path out of the checkout", abridge(d.Name))
		}
		sub, err := l.directory(dir, depth)
		if err != nil {
			return err
		}
		if sub.Name() == d.Name {
			c.AddDependency(sub)
		}
	}
	return nil
}

// loadFailure reduces an error of Helm's loader, which can quote a file.
func loadFailure(at origin, from map[string]origin, err error) error {
	if invalid := (chart.ValidationError)(""); errors.As(err, &invalid) {
		return blame(wire.Malformed, at.file, 0, "is not valid: %s%s",
			abridge(strings.TrimPrefix(invalid.Error(), "validation: ")), at.within())
	}
	for name, o := range from {
		if strings.HasPrefix(err.Error(), "cannot load "+name+":") {
			return blame(wire.Malformed, o.file, yamlLine(err), "is not the YAML that a chart has there%s", o.within())
		}
	}
	return blame(wire.NotFound, at.file, 0, "is missing%s: there is no chart", at.within())
}
