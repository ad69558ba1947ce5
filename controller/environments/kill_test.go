package environments_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// crowd is how many objects the killed controller has to do with, of which each
// round leaves out a fifth, another one each time.
const crowd = 60

func inRound(i, round int) bool { return (i+round)%5 != 0 }

// round is the content of the repository at a round: of three objects one is
// sealed.
func (e *environment) round(round int) files {
	all := files{}
	for i := range crowd {
		if !inRound(i, round) {
			continue
		}
		name, value := fmt.Sprintf("o%02d", i), fmt.Sprintf("round %d", round)
		if i%3 == 0 {
			all[name+".yaml"] = e.sealed(name, "k", value)
		} else {
			all[name+".yaml"] = configMapOf(name, value)
		}
	}
	return all
}

// converged tells what is not as the round says, "" if all is.
func (e *environment) converged(round int) string {
	var maps corev1.ConfigMapList
	var secrets corev1.SecretList
	e.OK(e.Client().List(e.T.Context(), &maps, client.InNamespace(e.NS)))
	e.OK(e.Client().List(e.T.Context(), &secrets, client.InNamespace(e.NS)))
	have := map[string]string{}
	for _, m := range maps.Items {
		have[m.Name] = m.Data["k"]
	}
	for _, s := range secrets.Items {
		have[s.Name] = string(s.Data["k"])
	}
	for i := range crowd {
		name := fmt.Sprintf("o%02d", i)
		got, there := have[name]
		switch want := fmt.Sprintf("round %d", round); {
		case there != inRound(i, round):
			return fmt.Sprintf("%s is there: %v", name, there)
		case there && got != want:
			return fmt.Sprintf("%s has %q", name, got)
		}
	}
	if have["theirs"] != "1" {
		return "an object of others is gone"
	}
	return ""
}

// TestEnvironmentKilledAtAnyMoment kills the controller at random moments while
// commits change, add and remove objects: at the end the cluster is as the last
// commit says, with no orphan and nothing pruned that should stay.
func TestEnvironmentKilledAtAnyMoment(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	p := s.Run(fuintest.Alone)
	ns := s.Tenant()
	s.OK(s.ApplyYAML(t.Context(), ns, configMapOf("theirs", "1")))
	e := s.environment(gittest.New(t).New(t, "killed"), ns, "killed", nil)
	round := 0
	e.commit(e.round(round))
	for range fuintest.Kills() {
		time.Sleep(rand.N(time.Second))
		p.Kill()
		round++
		e.commit(e.round(round))
		p = s.Run(fuintest.Alone)
	}
	s.Eventually("all is as the last commit says", func() bool {
		s.Last = e.converged(round)
		return s.Last == ""
	})
	env := e.applies() // and only then the inventory has no more than that
	if n := len(env.Status.Inventory); n != crowd*4/5 {
		t.Errorf("the inventory has %d objects, want %d", n, crowd*4/5)
	}
}

// outage is how long servers are away: a minute in a soak.
func outage() time.Duration {
	if os.Getenv("FUIN_SOAK") != "" {
		return time.Minute
	}
	return 4 * time.Second
}

// TestEnvironmentOutlivesItsServers: without the API server, without Git, and
// without both, nothing is pruned, and all goes on when they are back.
func TestEnvironmentOutlivesItsServers(t *testing.T) {
	t.Parallel()
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	p := s.Run(fuintest.Alone)
	ns := s.Tenant()
	s.OK(s.ApplyYAML(t.Context(), ns, configMapOf("theirs", "1")))
	git := gittest.New(t)
	e := s.environment(git.New(t, "outage"), ns, "outage", nil)
	e.commit(e.round(0))
	e.applies()
	for round, tt := range []struct {
		api, git bool
	}{{true, false}, {false, true}, {true, true}} {
		round++
		sealed := e.round(round) // needs the API server
		if tt.git {
			git.Pause()
		}
		if tt.api {
			s.OK(s.APIServer.Stop())
		}
		e.commit(sealed)
		time.Sleep(outage())
		if !tt.api {
			e.becomes(metav1.ConditionFalse, "Unreachable", "")
			if why := e.converged(round - 1); why != "" {
				t.Fatalf("without Git: %s", why)
			}
		}
		if tt.api {
			s.RestartAPIServer()
		}
		if tt.git {
			s.OK(git.Resume())
		}
		s.Eventually("all is as the last commit says", func() bool {
			s.Last = e.converged(round)
			return s.Last == ""
		})
	}
	if strings.Contains(p.Log.String(), "panic") {
		t.Error("the controller panicked")
	}
}
