package controller_test

import (
	"os"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// argoHealth runs Argo CD's own script on an object, as Argo CD does.
func argoHealth(t *testing.T, script string, object *unstructured.Unstructured) string {
	t.Helper()
	state := lua.NewState()
	defer state.Close()
	state.SetContext(t.Context())
	state.SetGlobal("obj", luaValue(state, object.Object))
	if err := state.DoString(script); err != nil {
		t.Fatal(err)
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returned %v", state.Get(-1))
	}
	return result.RawGetString("status").String()
}

// luaValue is a value of JSON in Lua.
func luaValue(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, item := range v {
			table.RawSetString(key, luaValue(state, item))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, item := range v {
			table.Append(luaValue(state, item))
		}
		return table
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	}
	return lua.LNil
}

// health is what those who wait for a SealedSecret make of it.
type health struct {
	Kstatus status.Status
	ArgoCD  string
}

func (s *system) health(t *testing.T, script, namespace, name string) health {
	t.Helper()
	object := fuintest.NamedSealedSecret(namespace, name)
	s.OK(s.Client().Get(t.Context(), fuintest.Key(namespace, name), object))
	result, err := status.Compute(object)
	s.OK(err)
	return health{result.Status, argoHealth(t, script, object)}
}

func TestHealthAsFluxAndArgoCDSeeIt(t *testing.T) {
	script, err := os.ReadFile(kubetest.NeedPeers(t).HealthLua)
	if err != nil {
		t.Fatal(err)
	}
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	is := func(name, what string, want health) {
		t.Helper()
		if got := s.health(t, string(script), ns, name); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	opened := health{status.CurrentStatus, "Healthy"}
	refused := health{status.FailedStatus, "Degraded"}
	waiting := health{status.InProgressStatus, "Progressing"}

	good := s.Seal(secret(ns, "good", "k", "v"), true)
	s.Put(good)
	s.Says(ns, "good", bitnami.Ready, corev1.ConditionTrue, "")
	is("good", "opened", opened)

	moved := s.Edit(good, func(m map[string]any) { at(m, "bad", "metadata", "name") })
	s.Put(moved)
	s.Says(ns, "bad", bitnami.Ready, corev1.ConditionFalse, "")
	is("bad", "not opened", refused)

	s.OK(s.Client().Create(t.Context(), fuintest.NamedSecret(ns, "taken")))
	s.Put(s.Seal(secret(ns, "taken", "k", "v"), false))
	s.Says(ns, "taken", bitnami.Ready, corev1.ConditionFalse, "")
	is("taken", "with another's Secret in the way", refused)

	p.Stop()
	s.Put(s.Edit(good, func(m map[string]any) { at(m, "new", "metadata", "name") }))
	is("new", "not seen yet", waiting)
	s.Put(s.Seal(secret(ns, "good", "k", "v2"), true))
	is("good", "opened, changed since", waiting)
	s.Put(s.Seal(secret(ns, "bad", "k", "v2"), true))
	is("bad", "not opened, changed since", waiting)

	s.Run(fuintest.Alone)
	s.Says(ns, "bad", bitnami.Ready, corev1.ConditionTrue, "")
	is("bad", "opened after a change", opened)
	s.Says(ns, "new", bitnami.Ready, corev1.ConditionFalse, "")
	is("new", "seen, and not opened", refused)
}
