package environments_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hostile is what a repository serves once it was applied, and what is to be
// said about it.
type hostile struct {
	commit       gittest.Commit
	reason, text string
}

// chart is one of a single template.
func chart(template string) files {
	return files{"app/Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\n", "app/templates/m.yaml": template}
}

// bomb is nine aliases of nine aliases, and so on.
func bomb() string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\na: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		text += "b" + strconv.Itoa(i) + ": &a" + strconv.Itoa(i+1) + " [" + strings.TrimSuffix(strings.Repeat("*a"+strconv.Itoa(i)+", ", 9), ", ") + "]\n"
	}
	return text
}

var hostiles = map[string]hostile{
	"empty":    {gittest.Commit{}, "RenderFailed", "app"},
	"nothing":  {gittest.Commit{Files: files{"app/README.md": "x"}}, "EmptySet", "allowEmpty"},
	"deleted":  {gittest.Commit{Files: files{"other/m.yaml": configMapOf("m", "1")}}, "RenderFailed", "app"},
	"huge":     {gittest.Commit{Files: files{"app/m.yaml": configMapOf("m", strings.Repeat("x", 5<<20))}}, "RenderFailed", "app/m.yaml"},
	"inflated": {gittest.Commit{Files: files{"app/m.yaml": strings.Repeat("#", 100<<20)}}, "TooLarge", "64 MiB"},
	"link":     {gittest.Commit{Links: files{"app/m.yaml": "/etc/passwd"}}, "RenderFailed", "app/m.yaml"},
	"folder":   {gittest.Commit{Links: files{"app": "/etc"}}, "RenderFailed", "app"},
	"bomb":     {gittest.Commit{Files: files{"app/m.yaml": bomb()}}, "RenderFailed", "app/m.yaml"},
	"remote":   {gittest.Commit{Files: files{"app/kustomization.yaml": "resources: [\"https://127.0.0.1:1/x//y?ref=main\"]\n"}}, "RenderFailed", "app/kustomization.yaml"},
	"chart":    {gittest.Commit{Files: chart("{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}")}, "", "spec.timeout"},
	"deep":     {gittest.Commit{Files: chart(`{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`)}, "RenderFailed", "app"},
	"jsonnet":  {gittest.Commit{Files: files{"app/main.jsonnet": "local f(n) = if n == 0 then 0 else f(n - 1) + f(n - 1); f(60)"}}, "", "spec.timeout"},
	"hungry":   {gittest.Commit{Files: files{"app/main.jsonnet": "local f(x) = f(x + x) tailstrict; f('xxxxxxxx')"}}, "RenderFailed", "MiB while it rendered"},
	"stack":    {gittest.Commit{Files: files{"app/main.jsonnet": "local f(x) = 1 + f(x + 1); f(0)"}}, "RenderFailed", "app/main.jsonnet"},
}

// soon is how long an Environment may wait for those of another namespace: less than
// if it stood in line with them, who have eight seconds each.
const soon = 40 * time.Second

// tells reports whether what is to be said is said; what was applied is there
// still then.
func (e *environment) tells(h hostile) bool {
	e.T.Helper()
	env := e.Get()
	c, reason := e.ready(env), h.reason
	if reason == "" {
		reason = "Timeout"
	}
	if c.Status != metav1.ConditionFalse || c.Reason != reason || !strings.Contains(c.Message, h.text) {
		return false
	}
	if e.configMap("kept-"+e.Name) == nil || len(env.Status.Inventory) != 1 {
		e.T.Errorf("%s: what was applied is gone, or its inventory is %v", e.Name, env.Status.Inventory)
	}
	return true
}

// TestHostileRepositories: whatever a repository serves, what was applied stays,
// the condition says what is wrong, memory stays within what the Deployment has,
// and the Environment of another namespace is served meanwhile.
func TestHostileRepositories(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	server, ns := gittest.New(t), s.Tenant()
	calm := s.environment(server.New(t, "calm"), s.Tenant(), "calm", nil)
	calm.commit(files{"m.yaml": configMapOf("m", "0")})
	calm.applies()
	all := map[string]*environment{}
	for name := range hostiles {
		e := s.environment(server.New(t, name), ns, name, map[string]any{"path": "app", "timeout": "8s"})
		e.commit(files{"app/m.yaml": configMapOf("kept-"+name, "1")})
		all[name] = e
	}
	for _, e := range all {
		e.applies()
	}

	ctx, end := context.WithCancel(t.Context())
	defer end()
	most := p.Follow(ctx)
	for name, h := range hostiles {
		h.commit.Replace = true
		all[name].push(h.commit)
	}
	for round := range 3 {
		start, value := time.Now(), strconv.Itoa(round+1)
		calm.commit(files{"m.yaml": configMapOf("m", value)})
		calm.Eventually("another Environment goes on", func() bool { return calm.configMap("m").Data["k"] == value })
		if took := time.Since(start); took > soon {
			t.Errorf("another Environment waited %s for its commit", took)
		}
	}
	s.Eventually("all is told", func() bool {
		for name, e := range all {
			if e.tells(hostiles[name]) {
				e.Declare(map[string]any{"suspend": true}) // or the endless ones would keep the rest waiting
				delete(all, name)
			}
		}
		s.Last = fmt.Sprint(slices.Collect(maps.Keys(all)))
		return len(all) == 0
	})
	end()
	peak := <-most
	t.Logf("at most %d MiB in all, %d children", peak.Memory>>20, peak.Children)
	if !fuintest.RaceEnabled && peak.Memory > 1536<<20 {
		t.Errorf("controller and sandboxes had %d MiB", peak.Memory>>20)
	}
	if own := p.PeakMemory(); !fuintest.RaceEnabled && own > 512<<20 {
		t.Errorf("the controller itself had %d MiB", own>>20)
	}
	if strings.Contains(p.Log.String(), "panic") {
		t.Error("something panicked")
	}
}

// TestHistoryRewritten by a force push is followed, and the trail has both.
func TestHistoryRewritten(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "force"), s.Tenant(), "force", nil)
	e.commit(files{"m.yaml": configMapOf("m", "1")})
	first := e.applies().Status.LastAppliedRevision
	e.push(gittest.Commit{Files: files{"m.yaml": configMapOf("m", "2")}, Amend: true, Message: "rewritten\x1b[31m"})
	env := e.applies()
	if e.configMap("m").Data["k"] != "2" {
		t.Error("the new history was not applied")
	}
	h := env.Status.History
	if len(h) != 2 || h[1].Revision != first || h[0].Revision == first || strings.Contains(h[0].Subject, "\x1b") {
		t.Errorf("the history is %+v", h)
	}
}
