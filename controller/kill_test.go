package controller_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestKilledAtAnyMoment kills the controller at random moments while 200
// SealedSecrets are applied and changed again and again: at the end all Secrets are right, and
// the keys are those of the first start.
func TestKilledAtAnyMoment(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	// The first kills hit the making of the keys.
	for range 3 {
		p := s.Start(fuintest.Alone)
		time.Sleep(rand.N(400 * time.Millisecond))
		p.Kill()
	}
	p := s.Run(fuintest.Alone)
	first := s.allKeys()
	ns := s.Namespace(t)
	killed := make(chan struct{})
	last := make(chan int, 1)
	go func() { last <- s.keepChanging(ns, killed) }()
	for range fuintest.Kills() {
		time.Sleep(200*time.Millisecond + rand.N(1200*time.Millisecond))
		p.Kill()
		p = s.Run(fuintest.Alone)
	}
	close(killed)
	round := <-last
	s.Eventually("all Secrets are right", func() bool { return s.right(ns, round) })
	if after := s.keys(); fmt.Sprint(after) != fmt.Sprint(first) {
		t.Errorf("the keys changed from %v to %v", first, after)
	}
}

// objects is how many SealedSecrets the killed controller has to do with.
const objects = 200

// keepChanging gives all objects new values, round after round, until told to
// stop, and returns the last round. Both encodings take turns.
func (s *system) keepChanging(ns string, stop chan struct{}) (round int) {
	for ; ; round++ {
		manifests := make([]string, objects)
		for i := range manifests {
			value := fmt.Sprintf("value %d of round %d", i, round)
			manifests[i] = s.Seal(secret(ns, fmt.Sprintf("s%03d", i), "k", value), (i+round)%2 == 0)
		}
		if err := s.ApplyYAML(s.T.Context(), "", strings.Join(manifests, "\n---\n")); err != nil {
			s.T.Error(err)
			return round
		}
		select {
		case <-stop:
			return round
		default:
		}
	}
}

// allKeys are those that a controller makes first. Ready is who has a ring; the
// MAC's key may come a moment later.
func (s *system) allKeys() (all map[string]types.UID) {
	s.T.Helper()
	s.Eventually("there are one RSA key, one age key and the MAC's", func() bool {
		all = s.keys()
		return len(all) == 3
	})
	return all
}

// keys lists the UIDs of the key Secrets by name.
func (s *system) keys() map[string]types.UID {
	s.T.Helper()
	var list corev1.SecretList
	s.OK(s.Client().List(s.T.Context(), &list, client.InNamespace("fuin-system")))
	out := map[string]types.UID{}
	for _, k := range list.Items {
		if k.Type == keys.TypeAge || k.Labels[keys.LabelRSA] != "" || k.Name == "fuin-mac" {
			out[k.Name] = k.UID
		}
	}
	return out
}

// right reports whether all objects have their values of a round.
func (s *system) right(ns string, round int) bool {
	var list corev1.SecretList
	s.OK(s.Client().List(s.T.Context(), &list, client.InNamespace(ns)))
	right := 0
	for i := range list.Items {
		var n int
		if _, err := fmt.Sscanf(list.Items[i].Name, "s%d", &n); err != nil {
			continue
		}
		if string(list.Items[i].Data["k"]) == fmt.Sprintf("value %d of round %d", n, round) && len(list.Items[i].OwnerReferences) == 1 {
			right++
		}
	}
	return right == objects
}
