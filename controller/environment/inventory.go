package environment

import (
	"cmp"
	"slices"
	"strings"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/render"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// id names an object whatever version of its API is used.
type id struct {
	group, kind, namespace, name string
}

func (i id) String() string {
	if i.namespace == "" {
		return i.kind + " " + i.name
	}
	return i.kind + " " + i.namespace + "/" + i.name
}

func (i id) groupKind() schema.GroupKind { return schema.GroupKind{Group: i.group, Kind: i.kind} }

func compareIDs(a, b id) int {
	return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.kind, b.kind),
		cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
}

func idOf(o render.Object) id {
	gv, _ := schema.ParseGroupVersion(o.APIVersion())
	return id{gv.Group, o.Kind(), o.Namespace(), o.Name()}
}

// entry is the object in an inventory, as Flux writes it: a colon in an RBAC
// name becomes two underscores.
func (i id) entry(version string) v1alpha1.InventoryEntry {
	name := strings.ReplaceAll(i.name, ":", "__")
	return v1alpha1.InventoryEntry{ID: strings.Join([]string{i.namespace, name, i.group, i.kind}, "_"), V: version}
}

// parseEntry reads an entry; ok is false for what is none.
func parseEntry(e v1alpha1.InventoryEntry) (i id, ok bool) {
	parts := strings.Split(e.ID, "_")
	if len(parts) < 4 {
		return i, false
	}
	last := len(parts) - 1
	name := strings.Join(parts[1:last-1], "_")
	if name == "" || parts[last] == "" {
		return i, false
	}
	return id{parts[last-1], parts[last], parts[0], strings.ReplaceAll(name, "__", ":")}, true
}

// inventory is what an Environment applied: versions by object.
type inventory map[id]string

func inventoryOf(entries []v1alpha1.InventoryEntry) inventory {
	out := inventory{}
	for _, e := range entries {
		if i, ok := parseEntry(e); ok {
			out[i] = e.V
		}
	}
	return out
}

func inventoryOfSet(objects []*object) inventory {
	out := inventory{}
	for _, o := range objects {
		out[o.id] = o.gvk.Version
	}
	return out
}

// with is the union of both.
func (v inventory) with(other inventory) inventory {
	out := make(inventory, len(v)+len(other))
	for _, from := range []inventory{v, other} {
		for i, version := range from {
			out[i] = version
		}
	}
	return out
}

// sorted are the ids in a fixed order.
func (v inventory) sorted() []id {
	out := make([]id, 0, len(v))
	for i := range v {
		out = append(out, i)
	}
	slices.SortFunc(out, compareIDs)
	return out
}

// maxInventory bounds an inventory, in bytes of JSON: etcd takes 1.5 MiB of an
// object, and all else of a status is to fit, too.
const maxInventory = 768 << 10

func sizeOf(entries []v1alpha1.InventoryEntry) (n int) {
	for _, e := range entries {
		n += len(e.ID) + len(e.V) + len(`{"id":"","v":""},`)
	}
	return n
}

func (v inventory) entries() []v1alpha1.InventoryEntry {
	out := make([]v1alpha1.InventoryEntry, 0, len(v))
	for _, i := range v.sorted() {
		out = append(out, i.entry(v[i]))
	}
	return out
}
