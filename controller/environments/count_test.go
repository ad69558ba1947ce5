package environments_test

import (
	"slices"
	"strconv"
	"testing"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
)

const (
	operations = "fuin_private_key_operations_total"
	openings   = "sealed_secrets_controller_unseal_requests_total"
)

// TestOneWriterAndOneOpening: each SealedSecret of an Environment is opened once
// for each change, its values with one operation each, whatever else is
// committed and also after a restart; and nobody but Fuin writes its Secret.
func TestOneWriterAndOneOpening(t *testing.T) {
	t.Parallel()
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
	e := s.environment(gittest.New(t).New(t, "count"), s.Tenant(), "count", nil)
	counted := func(p *fuintest.Process, what string, wantOpenings, wantOperations float64) {
		t.Helper()
		if n, m := p.Metric(openings), p.Metric(operations); n != wantOpenings || m != wantOperations {
			t.Errorf("%s: %v openings with %v operations, want %v with %v", what, n, m, wantOpenings, wantOperations)
		}
	}
	names := []string{"s0", "s1", "s2", "s3", "s4"}
	all := files{}
	for _, name := range names {
		all[name+".yaml"] = e.sealed(name, "a", "1", "b", "2")
		all["web-"+name+".yaml"] = workload("web-"+name, name)
	}
	e.commit(all)
	e.applies()
	for _, name := range names {
		e.Rests(e.NS, name)
	}
	counted(p, "the first commit", 5, 10)

	all["s3.yaml"] = e.sealed("s3", "a", "changed", "b", "2")
	e.commit(all)
	e.applies()
	e.Opens(e.NS, "s3", "a", "changed")
	e.Rests(e.NS, "s3")
	counted(p, "one that changed", 6, 12)

	for round := range 2 {
		all["m.yaml"] = configMapOf("m", strconv.Itoa(round))
		e.commit(all)
		e.applies()
	}
	counted(p, "other changes", 6, 12)
	before := e.Versions(e.NS, names)
	p.Stop()

	p = s.Run(fuintest.Alone)
	all["m.yaml"] = configMapOf("m", "after")
	e.commit(all)
	e.applies()
	after := e.Versions(e.NS, names)
	counted(p, "a restart", 0, 0)
	for _, name := range names {
		if before[name] != after[name] {
			t.Errorf("%s was written by a restart: %s, then %s", name, before[name], after[name])
		}
		var managers []string
		for _, m := range e.Secret(e.NS, name).ManagedFields {
			managers = append(managers, m.Manager)
		}
		if !slices.Equal(slices.Compact(managers), []string{"fuin"}) {
			t.Errorf("Secret %s is written by %v", name, managers)
		}
	}
}
