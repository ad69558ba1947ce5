package roll_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fuin.dev/controller/roll"
	"fuin.dev/render"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// objects are what a reader knows, by kind and namespace/name.
type objects map[string]map[string]string

func (o objects) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("nothing lists")
}

func (o objects) Get(_ context.Context, at client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	switch out := obj.(type) {
	case *corev1.Secret:
		data, ok := o["Secret "+at.String()]
		if !ok {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, at.Name)
		}
		out.Data = map[string][]byte{}
		for k, v := range data {
			out.Data[k] = []byte(v)
		}
		out.UID = types.UID(fmt.Sprint(len(data))) // must not matter
	case *corev1.ConfigMap:
		data, ok := o["ConfigMap "+at.String()]
		if !ok {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, at.Name)
		}
		out.ObjectMeta = metav1.ObjectMeta{Name: at.Name}
		out.Data, out.BinaryData = map[string]string{}, map[string][]byte{}
		for k, v := range data {
			if name, binary := strings.CutPrefix(k, "binary:"); binary {
				out.BinaryData[name] = []byte(v)
			} else {
				out.Data[k] = v
			}
		}
	}
	return nil
}

func coder(t testing.TB, master string) *roll.Coder {
	t.Helper()
	c, err := roll.NewCoder([]byte(master + strings.Repeat("k", 32-len(master))))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func code(t testing.TB, o objects, namespace string, uses ...render.Use) string {
	t.Helper()
	got, err := coder(t, "a").Code(t.Context(), o, namespace, uses)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func secretUse(name string, keys ...string) render.Use {
	return render.Use{Kind: "Secret", Name: name, Keys: keys}
}

func optional(use render.Use) render.Use {
	use.Optional = true
	return use
}

// Every row is another thing for a container, so every code is another one.
func TestCodesTellContentsApart(t *testing.T) {
	db := secretUse("db")
	rows := map[string]struct {
		objects objects
		ns      string
		uses    []render.Use
	}{
		"base":              {objects{"Secret a/db": {"k": "v"}}, "a", []render.Use{db}},
		"another value":     {objects{"Secret a/db": {"k": "w"}}, "a", []render.Use{db}},
		"another key":       {objects{"Secret a/db": {"l": "v"}}, "a", []render.Use{db}},
		"one more key":      {objects{"Secret a/db": {"k": "v", "l": ""}}, "a", []render.Use{db}},
		"no key":            {objects{"Secret a/db": {}}, "a", []render.Use{db}},
		"bytes moved":       {objects{"Secret a/db": {"kv": ""}}, "a", []render.Use{db}},
		"another namespace": {objects{"Secret b/db": {"k": "v"}}, "b", []render.Use{db}},
		"another name":      {objects{"Secret a/dc": {"k": "v"}}, "a", []render.Use{secretUse("dc")}},
		"another kind":      {objects{"ConfigMap a/db": {"k": "v"}}, "a", []render.Use{{Kind: "ConfigMap", Name: "db"}}},
		"binary":            {objects{"ConfigMap a/db": {"binary:k": "v"}}, "a", []render.Use{{Kind: "ConfigMap", Name: "db"}}},
		"absent, optional":  {objects{}, "a", []render.Use{optional(db)}},
		"key absent":        {objects{"Secret a/db": {"l": "v"}}, "a", []render.Use{optional(secretUse("db", "k"))}},
		"key empty":         {objects{"Secret a/db": {"k": ""}}, "a", []render.Use{optional(secretUse("db", "k"))}},
		"key says absent":   {objects{"Secret a/db": {"k": "absent"}}, "a", []render.Use{optional(secretUse("db", "k"))}},
		"two":               {objects{"Secret a/db": {"k": "v"}, "Secret a/dc": {"k": "v"}}, "a", []render.Use{db, secretUse("dc")}},
		"one of two absent": {objects{"Secret a/db": {"k": "v"}}, "a", []render.Use{db, optional(secretUse("dc"))}},
	}
	seen := map[string]string{}
	for name, row := range rows {
		got := code(t, row.objects, row.ns, row.uses...)
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q have the same code", name, other)
		}
		seen[got] = name
	}
	if other, err := coder(t, "b").Code(t.Context(), rows["base"].objects, "a", rows["base"].uses); err != nil || seen[other] != "" {
		t.Errorf("another cluster's key makes the same code, or %v", err)
	}
}

// What a container cannot tell apart has one code.
func TestCodesRestOnNothingElse(t *testing.T) {
	o := objects{"Secret a/db": {"k": "v", "l": "w"}, "ConfigMap a/c": {"k": "v"}, "Secret a/pull": {"x": "1"}}
	config := render.Use{Kind: "ConfigMap", Name: "c"}
	pull := render.Use{Kind: "Secret", Name: "pull", Pull: true}
	want := code(t, o, "a", secretUse("db"), config)
	for name, uses := range map[string][]render.Use{
		"another order": {config, secretUse("db")},
		"named twice":   {secretUse("db"), config, secretUse("db"), secretUse("db", "k")},
		"pull secrets":  {pull, secretUse("db"), config},
		"now optional":  {optional(secretUse("db")), optional(config)},
	} {
		if got := code(t, o, "a", uses...); got != want {
			t.Errorf("%s changes the code", name)
		}
	}
	one := code(t, o, "a", secretUse("db", "k"))
	o["Secret a/db"]["l"] = "changed"
	if code(t, o, "a", secretUse("db", "k")) != one {
		t.Error("a key that the workload does not read changes the code")
	}
	if code(t, o, "a", secretUse("db"), config) == want {
		t.Error("a key that the workload reads does not")
	}
	if got := code(t, o, "a", pull); got != "" {
		t.Errorf("a workload that names nothing has the code %q", got)
	}
}

func TestWhatThePodsNeedIsMissing(t *testing.T) {
	o := objects{"Secret a/db": {"k": "v"}}
	for name, row := range map[string]struct {
		uses []render.Use
		want *roll.MissingError
	}{
		"an object":               {[]render.Use{secretUse("none")}, &roll.MissingError{Kind: "Secret", Namespace: "a", Name: "none"}},
		"optional in one place":   {[]render.Use{optional(secretUse("none")), secretUse("none")}, &roll.MissingError{Kind: "Secret", Namespace: "a", Name: "none"}},
		"a key":                   {[]render.Use{secretUse("db", "k", "l")}, &roll.MissingError{Kind: "Secret", Namespace: "a", Name: "db", Key: "l"}},
		"a name that can be none": {[]render.Use{secretUse("../../pods")}, &roll.MissingError{Kind: "Secret", Namespace: "a", Name: "../../pods"}},
	} {
		_, err := coder(t, "a").Code(t.Context(), o, "a", row.uses)
		var missing *roll.MissingError
		if !errors.As(err, &missing) || *missing != *row.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAWorkloadMayNotNameThousands(t *testing.T) {
	uses := make([]render.Use, 0, 300)
	for i := range 300 {
		uses = append(uses, optional(secretUse(fmt.Sprint("s", i))))
	}
	if _, err := coder(t, "a").Code(t.Context(), objects{}, "a", uses); !errors.Is(err, roll.ErrTooMany) {
		t.Errorf("300 objects are read: %v", err)
	}
}

func deployment(kind string) map[string]any {
	return map[string]any{
		"apiVersion": "apps/v1", "kind": kind, "metadata": map[string]any{"namespace": "a", "name": "app"},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
			"name": "app", "envFrom": []any{map[string]any{"secretRef": map[string]any{"name": "db"}}},
		}}}}},
	}
}

func codeIn(w map[string]any) any {
	template := w["spec"].(map[string]any)["template"].(map[string]any)
	m, _ := template["metadata"].(map[string]any)
	annotations, _ := m["annotations"].(map[string]any)
	return annotations[roll.AnnotationCode]
}

func TestAnnotate(t *testing.T) {
	o := objects{"Secret a/db": {"k": "v"}}
	first := deployment("Deployment")
	if err := coder(t, "a").Annotate(t.Context(), o, first, nil); err != nil || codeIn(first) != code(t, o, "a", secretUse("db")) {
		t.Errorf("got %v, %v", codeIn(first), err)
	}
	// What was deleted for a while restarts nothing.
	again := deployment("Deployment")
	var missing *roll.MissingError
	if err := coder(t, "a").Annotate(t.Context(), objects{}, again, first); !errors.As(err, &missing) || codeIn(again) != codeIn(first) {
		t.Errorf("missing: %v, %v", codeIn(again), err)
	}
	fresh := deployment("StatefulSet")
	if err := coder(t, "a").Annotate(t.Context(), objects{}, fresh, nil); !errors.As(err, &missing) || codeIn(fresh) != nil {
		t.Errorf("missing, and new: %v, %v", codeIn(fresh), err)
	}
	replicas := deployment("ReplicaSet")
	if err := coder(t, "a").Annotate(t.Context(), o, replicas, nil); err != nil || codeIn(replicas) != nil {
		t.Errorf("what does not roll: %v, %v", codeIn(replicas), err)
	}
}

// No code may repeat content, and none may be longer than an annotation should.
func TestACodeIsShort(t *testing.T) {
	got := code(t, objects{"Secret a/db": {"k": strings.Repeat("v", 1<<20)}}, "a", secretUse("db"))
	if len(got) != 43 || slices.Contains([]byte(got), '=') {
		t.Errorf("%q", got)
	}
}
