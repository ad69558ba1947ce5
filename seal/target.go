package seal

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Target names one value of one SealedSecret in a file.
type Target struct {
	Key       string
	Namespace string // of a SealedSecret that names none; chooses among several
	Name      string // chooses among several
	Final     Final  // where it will stand
}

// Find reads the SealedSecret that is meant: fuin set asks for a value only
// when there is a place for it.
func (t Target) Find(data []byte) (Object, error) {
	f, err := t.find(data)
	if err != nil {
		return Object{}, err
	}
	return f.Object, nil
}

// found is a SealedSecret in a file, and where it stands.
type found struct {
	Object
	offset     int        // of its document
	root, node *yaml.Node // of the document and of the object, as they were found
	items      []int      // the way from root to node through the items of Lists
	line       int        // in the file
	label      string
	legacy     bool
}

// find chooses the SealedSecret.
func (t Target) find(data []byte) (*found, error) {
	all, err := allFound(data)
	var fit []*found
	for _, f := range all {
		if (t.Name == "" || t.Name == f.Name) && (t.Namespace == "" || f.Namespace == "" || t.Namespace == f.Namespace) {
			fit = append(fit, f)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case len(fit) == 1:
		fit[0].items, _ = itemsTo(fit[0].root, fit[0].node)
		return fit[0], fit[0].check()
	case len(all) == 1:
		return nil, t.disagrees(all[0])
	case len(fit) == 0:
		return nil, refuse("the file has "+listed(all), "no SealedSecret of that name and namespace")
	}
	return nil, refuse("choose one with --name NAME and -n NAMESPACE", "%d SealedSecrets: %s", len(fit), listed(fit))
}

// allFound are the SealedSecrets of a file, in its order.
func allFound(data []byte) ([]*found, error) {
	var all []*found
	err := each(data, func(d *document, n *yaml.Node) error {
		ob, err := readObject(n)
		f := &found{Object: ob, offset: d.offset, line: d.line + max(n.Line, 1) - 1, legacy: err != nil || ob.Legacy != nil}
		f.root, f.node = d.root, n
		f.label = strings.TrimPrefix(ob.Namespace+"/"+ob.Name, "/")
		all = append(all, f)
		return nil
	})
	return all, err
}

// itemsTo is the way through the items of Lists from a node to one below it.
func itemsTo(from, to *yaml.Node) ([]int, bool) {
	if from == to {
		return nil, true
	}
	if items := get(from, "items"); items != nil {
		for i, item := range items.Content {
			if rest, ok := itemsTo(item, to); ok {
				return append([]int{i}, rest...), true
			}
		}
	}
	return nil, false
}

func (t Target) disagrees(f *found) error {
	if _, err := agree("name", f.Name, t.Name, f.line); err != nil {
		return err
	}
	_, err := agree("namespace", f.Namespace, t.Namespace, f.line)
	return err
}

// listed names the first objects.
func listed(fs []*found) string {
	const shown = 20
	var names []string
	for i, f := range fs {
		if i == shown {
			names = append(names, "…")
			break
		}
		names = append(names, f.label)
	}
	return strings.Join(names, ", ")
}

func (f *found) check() error {
	if f.legacy {
		return f.refuse(f.line, "open it (fuin open), and seal the Secret anew",
			"of the older format: spec.data is one value that holds the whole Secret")
	}
	return nil
}

func (f *found) refuse(line int, hint, format string, args ...any) error {
	return refuseAt(line, hint, "SealedSecret "+f.label+": "+format, args...)
}

func (f *found) keysHint() string {
	var keys []string
	for key := range f.Values {
		keys = append(keys, fmt.Sprintf("%.80q", key))
	}
	slices.Sort(keys)
	switch {
	case len(keys) == 0:
		return "it holds no value"
	case len(keys) > 20:
		keys = append(keys[:20], "…")
	}
	return "its keys: " + strings.Join(keys, ", ")
}

// seal seals the value for the place where the file has the object.
func (f *found) seal(s *Sealer, t Target, value []byte) (string, error) {
	at := Place{f.Scope(), f.Namespace, f.Name, t.Key}
	if at.Namespace == "" {
		at.Namespace = t.Namespace
	}
	at, err := t.Final.of(at)
	switch {
	case err != nil:
		return "", refusal(f.line, "SealedSecret "+f.label+": ", err)
	case isTemplate(at.Name) || isTemplate(at.Namespace):
		return "", f.refuse(f.line, "set the value in what is rendered", "its name is a Helm or Go template")
	case !isName(at.Name):
		err = missing("name", at.Name, "add metadata.name")
	case at.Scope != ClusterWide && !isName(at.Namespace):
		err = missing("namespace", at.Namespace, "add metadata.namespace, or give -n NAMESPACE")
	}
	sealed := ""
	if err == nil {
		sealed, err = s.Seal(at, value)
	}
	return sealed, about(f.line, "SealedSecret "+f.label+": ", err)
}
