package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"

	"fuin.dev/render"

	"sigs.k8s.io/yaml"
)

// printRendered prints a set, in order.
func printRendered(u *ui, format string, set *render.Set) error {
	out := bufio.NewWriter(u.stdout)
	var err error
	switch format {
	case "json":
		err = printList(out, set)
	case "name":
		for _, o := range set.Objects {
			fmt.Fprintln(out, printable(nameOf(o)))
		}
	default:
		for _, o := range set.Objects {
			var text []byte
			if text, err = manifestOf(o); err != nil {
				break
			}
			fmt.Fprintf(out, "---\n%s", text)
		}
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

// printList prints a List, as kubectl reads and writes several objects.
func printList(out io.Writer, set *render.Set) error {
	items := make([]map[string]any, len(set.Objects))
	for i, o := range set.Objects {
		items[i] = o.Content
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
}

// nameOf is KIND.GROUP/NAME, as kubectl prints names and reads them.
func nameOf(o render.Object) string {
	kind := strings.ToLower(o.Kind())
	if group := o.Group(); group != "" {
		kind += "." + group
	}
	return kind + "/" + o.Name()
}

// manifestOf is an object in YAML, below a comment that names its file.
func manifestOf(o render.Object) ([]byte, error) {
	comment := fmt.Appendf(nil, "# %s\n", origin(o))
	text, err := json.MarshalIndent(o.Content, "", "  ")
	if err != nil {
		return nil, err
	}
	if bytes.Contains(text, []byte(nextLine)) { // JSON is YAML, too
		text = append(bytes.ReplaceAll(text, []byte(nextLine), []byte(`\u0085`)), '\n')
	} else {
		text, err = inYAML(o.Content)
	}
	return append(comment, text...), err
}

// inYAML writes an object as people do, its type and metadata first.
func inYAML(content map[string]any) ([]byte, error) {
	var out bytes.Buffer
	rest := maps.Clone(content)
	for _, first := range [][]string{{"apiVersion", "kind"}, {"metadata"}} {
		part := map[string]any{}
		for _, field := range first {
			part[field] = content[field]
			delete(rest, field)
		}
		text, err := yaml.Marshal(part)
		if err != nil {
			return nil, err
		}
		out.Write(text)
	}
	if len(rest) == 0 {
		return out.Bytes(), nil
	}
	text, err := yaml.Marshal(rest)
	return append(out.Bytes(), text...), err
}

// nextLine is a character that the YAML library takes for a space.
const nextLine = "\u0085"

// origin is where an object comes from, for people.
func origin(o render.Object) string {
	if o.File == "" {
		return "generated"
	}
	return printable(o.File)
}
