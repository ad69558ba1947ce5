package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/v1alpha1"
)

// TestEnvironmentIsTheAPIs holds every field that the commands read to one of
// the API's of the same name and shape.
func TestEnvironmentIsTheAPIs(t *testing.T) {
	for name, pair := range map[string][2]any{
		"spec": {environmentSpec{}, v1alpha1.EnvironmentSpec{}}, "status": {environmentStatus{}, v1alpha1.EnvironmentStatus{}},
		"metadata": {environmentMetadata{}, v1alpha1.Environment{}.ObjectMeta},
	} {
		compareFields(t, name, reflect.TypeOf(pair[0]), reflect.TypeOf(pair[1]))
	}
	for _, kind := range []string{v1alpha1.Ready, v1alpha1.Reconciling, v1alpha1.Stalled} {
		e := environment{Status: environmentStatus{ObservedGeneration: 1, Conditions: []condition{{Type: kind, Status: "True"}}}}
		if at, _ := e.state(); at != state(kind) {
			t.Errorf("condition %s makes it %s", kind, at)
		}
	}
}

// compareFields walks ours and finds each field in the API's.
func compareFields(t *testing.T, path string, ours, api reflect.Type) {
	t.Helper()
	for ours.Kind() == reflect.Pointer || ours.Kind() == reflect.Slice {
		ours = ours.Elem()
	}
	for api.Kind() == reflect.Pointer || api.Kind() == reflect.Slice {
		api = api.Elem()
	}
	if ours == reflect.TypeFor[time.Time]() || strings.HasSuffix(strings.ToLower(path), "interval") { // text in JSON
		if name := api.Name(); name != "Time" && name != "Duration" {
			t.Errorf("%s is a %s in the API", path, api)
		}
		return
	}
	if ours.Kind() != reflect.Struct {
		if ours.Kind() != api.Kind() {
			t.Errorf("%s is a %s in the API", path, api)
		}
		return
	}
	for field := range ours.Fields() {
		name := field.Tag.Get("json")
		if found, ok := fieldNamed(api, name); ok {
			compareFields(t, path+"."+name, field.Type, found.Type)
		} else {
			t.Errorf("%s.%s is not in the API", path, name)
		}
	}
}

func fieldNamed(of reflect.Type, name string) (reflect.StructField, bool) {
	for field := range of.Fields() {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

func TestState(t *testing.T) {
	status := func(generation int64, conditions ...condition) environmentStatus {
		return environmentStatus{ObservedGeneration: generation, Conditions: conditions}
	}
	is := func(kind, value string) condition { return condition{Type: kind, Status: value, Message: kind} }
	for name, row := range map[string]struct {
		status  environmentStatus
		suspend bool
		want    state
		message string
	}{
		"new":                    {status: status(-1), want: stateUnknown, message: "no controller has seen it yet"},
		"without any status":     {want: stateUnknown, message: "no controller has seen it yet"},
		"ready":                  {status: status(2, is("Ready", "True")), want: stateReady, message: "Ready"},
		"of the spec before":     {status: status(1, is("Ready", "True")), want: stateReconciling, message: "its spec was changed; the controller has not seen that yet"},
		"ready and at work":      {status: status(2, is("Ready", "True"), is("Reconciling", "True")), want: stateReconciling, message: "Reconciling"},
		"failed":                 {status: status(2, is("Ready", "False")), want: stateFailed, message: "Ready"},
		"failed, is retried":     {status: status(2, is("Ready", "False"), condition{Type: "Reconciling", Status: "True", Reason: "Retrying"}), want: stateFailed, message: "Ready"},
		"failed before":          {status: status(2, is("Ready", "False"), is("Reconciling", "True")), want: stateReconciling, message: "Reconciling"},
		"stalled before":         {status: status(2, is("Ready", "False"), is("Stalled", "True"), is("Reconciling", "True")), want: stateReconciling, message: "Reconciling"},
		"stalled":                {status: status(2, is("Ready", "False"), is("Stalled", "True")), want: stateStalled, message: "Stalled"},
		"not stalled":            {status: status(2, is("Ready", "True"), is("Stalled", "False")), want: stateReady, message: "Ready"},
		"suspended":              {status: status(2, is("Ready", "False")), suspend: true, want: stateSuspended, message: "Ready"},
		"no Ready":               {status: status(2, is("Healthy", "True")), want: stateUnknown},
		"ready is not known yet": {status: status(2, is("Ready", "Unknown")), want: stateUnknown, message: "Ready"},
	} {
		e := environment{Spec: environmentSpec{Suspend: row.suspend}, Status: row.status}
		e.Metadata.Generation = 2
		if at, message := e.state(); at != row.want || message != row.message {
			t.Errorf("%s: %s, %q; want %s, %q", name, at, message, row.want, row.message)
		}
	}
}

func TestInventoryEntries(t *testing.T) {
	for entry, want := range map[string]objectID{
		"shop_web_apps_Deployment":                 {"shop", "web", "apps", "Deployment"},
		"_shop__Namespace":                         {"", "shop", "", "Namespace"},
		"shop_a__b_rbac.authorization.k8s.io_Role": {"shop", "a:b", "rbac.authorization.k8s.io", "Role"},
		"":         {},
		"a_b_c":    {},
		"tampered": {},
	} {
		if got, ok := (inventoryEntry{entry}).object(); got != want || ok != (want != objectID{}) {
			t.Errorf("%q is %+v, %v", entry, got, ok)
		}
	}
}

func TestImages(t *testing.T) {
	for _, row := range []struct {
		has, wanted string
		named, is   bool
	}{
		{"app:v1", "app:v1", true, true},
		{"app:v1", "app", true, true},
		{"app:v1", "app:v2", true, false},
		{"registry.example:5000/team/app:v1", "app:v1", true, true},
		{"registry.example:5000/team/app", "registry.example:5000/team/app", true, true},
		{"registry.example:5000/team/app:v1@sha256:ab", "team/app@sha256:ab", true, true},
		{"registry.example:5000/team/app:v1@sha256:ab", "team/app@sha256:cd", true, false},
		{"webapp:v1", "app:v1", false, false},
		{"app/web:v1", "app:v1", false, false},
	} {
		has, wanted := parseImage(row.has), parseImage(row.wanted)
		if has.named(wanted) != row.named || has.is(wanted) != row.is {
			t.Errorf("%s against %s: %v, %v", row.has, row.wanted, has.named(wanted), has.is(wanted))
		}
	}
}

func TestRepositoryPlaces(t *testing.T) {
	for address, want := range map[string]string{
		"https://git.example/team/shop.git":              "git.example/team/shop",
		"https://robot:token@GIT.example:8443/team/shop": "git.example/team/shop",
		"ssh://git@git.example:2222/team/shop.git":       "git.example/team/shop",
		"git@git.example:team/shop.git":                  "git.example/team/shop",
		"git.example:/team/shop/":                        "git.example/team/shop",
		"/srv/git/shop.git":                              "",
		"file:///srv/git/shop.git":                       "",
		"../shop":                                        "",
		`C:\repos\shop`:                                  "",
		"":                                               "",
	} {
		if got := repositoryPlace(address); got != want {
			t.Errorf("%q is %q, want %q", address, got, want)
		}
	}
}

func TestShortRevisions(t *testing.T) {
	for revision, want := range map[string]string{
		mainA:                       "main@aaaaaaaa",
		"feature/a@sha1:" + commitB: "feature/a@bbbbbbbb",
		commitA:                     "aaaaaaaa",
		"v1.2.3@sha1:" + commitA:    "v1.2.3@aaaaaaaa",
		"no revision":               "no revision",
		"":                          "",
	} {
		if got := shortRevision(revision); got != want {
			t.Errorf("%q is %q, want %q", revision, got, want)
		}
	}
}
