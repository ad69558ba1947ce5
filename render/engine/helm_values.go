package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"fuin.dev/render/wire"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"
)

// chartValues are what the chart is given: the values files, later ones
// counting more, and the values above them.
func chartValues(files fs.FS, d wire.Directory) (map[string]any, error) {
	all := map[string]any{}
	for _, name := range d.Helm.ValuesFiles {
		values, err := readValues(files, d.Path, name)
		if err != nil {
			return nil, err
		}
		all = loader.MergeMaps(all, values)
	}
	if len(d.Helm.Values) == 0 {
		return all, nil
	}
	var values map[string]any
	if yaml.Unmarshal(d.Helm.Values, &values) != nil {
		return nil, blame(wire.Malformed, d.Path, 0, "is given values that are no mapping")
	}
	return loader.MergeMaps(all, values), nil
}

func readValues(files fs.FS, dir, name string) (map[string]any, error) {
	file := path.Join(dir, name)
	switch {
	case strings.Contains(name, "://"):
		return nil, blame(wire.RemoteRefused, dir, 0, "is given a values file that is a URL").advise("copy it into the repository")
	case path.IsAbs(name) || !fs.ValidPath(file):
		return nil, blame(wire.OutsideRefused, dir, 0, "is given the values file %q, which is out of the checkout", abridge(name)).
			advise("values files are relative to the chart, and in the same repository")
	}
	data, err := fs.ReadFile(files, file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, blame(wire.NotFound, file, 0, "is a values file that is not there").advise("values files are relative to the chart")
	} else if err != nil {
		return nil, err
	}
	values, err := loader.LoadValues(bytes.NewReader(withoutBOM(data)))
	if err != nil {
		return nil, blame(wire.Malformed, file, yamlLine(err), "is not a values file: no YAML, or no mapping")
	}
	return values, nil
}

// yamlLine finds the line in an error of a YAML library, all that may leave
// it; 0 if there is none.
func yamlLine(err error) int {
	m := lineOf.FindStringSubmatch(err.Error())
	if m == nil {
		return 0
	}
	line, _ := strconv.Atoi(m[1])
	return line
}

// validate holds the values of a chart and its subcharts to their schemas, as
// Helm does; a schema may refer to nothing outside itself.
func (c *helmChart) validate(of *chart.Chart, values map[string]any, at []string) error {
	if of.Schema != nil {
		if err := validateOne(c.schemaFile(of), of.Schema, values, at); err != nil {
			return err
		}
	}
	for _, sub := range of.Dependencies() {
		below, ok := asMap(values[sub.Name()])
		if !ok {
			continue // what is no mapping did not merge
		}
		if err := c.validate(sub, below, append(slices.Clone(at), sub.Name())); err != nil {
			return err
		}
	}
	return nil
}

func asMap(v any) (map[string]any, bool) {
	switch m := v.(type) {
	case map[string]any:
		return m, true
	case common.Values:
		return m, true
	}
	return nil, false
}

// schemaFile is the file of the checkout that holds the schema of a chart.
func (c *helmChart) schemaFile(of *chart.Chart) string {
	from := c.origin(of)
	if from.inner != "" {
		return from.file
	}
	return path.Join(path.Dir(from.file), "values.schema.json")
}

func validateOne(file string, schema []byte, values map[string]any, at []string) error {
	compiled, err := compile(schema)
	if err != nil {
		return blame(wire.Malformed, file, 0, "is not a JSON schema that stands by itself").
			advise("a schema refers to nothing outside its own file")
	}
	var invalid *jsonschema.ValidationError
	switch err := compiled.Validate(values); {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return blame(wire.Malformed, file, 0, "refuses the values: %s", abridged(violations(invalid, at)))
	}
	return blame(wire.Malformed, file, 0, "refuses the values")
}

// schemaURL is what the schema is called to itself.
const schemaURL = "file:///values.schema.json"

func compile(schema []byte) (s *jsonschema.Schema, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the schema makes the compiler panic")
		}
	}()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	return compiler.Compile(schemaURL)
}

// noLoader loads nothing. A URN, which nobody could load, allows all, as in
// Helm.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	if strings.HasPrefix(url, "urn:") {
		return true, nil
	}
	return nil, errors.New("schemas are not loaded")
}

// violations lists where values break a schema and how, without the values.
func violations(e *jsonschema.ValidationError, at []string) []string {
	if len(e.Causes) == 0 {
		return []string{strings.Join(slices.Concat(at, e.InstanceLocation), ".") + " " + violation(e.ErrorKind)}
	}
	var all []string
	for _, cause := range e.Causes {
		all = append(all, violations(cause, at)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func violation(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Required:
		return "lacks " + abridged(k.Missing)
	case *kind.Type:
		return fmt.Sprintf("is %s, not %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.AdditionalProperties:
		return "has unknown keys: " + abridged(k.Properties)
	}
	if keyword := k.KeywordPath(); len(keyword) > 0 {
		return "does not hold to " + keyword[0]
	}
	return "is not allowed"
}
