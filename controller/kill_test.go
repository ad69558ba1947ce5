package controller_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kills is how often the controller is killed: five times, thirty in a soak.
func kills() int {
	if os.Getenv("FUIN_SOAK") != "" {
		return 30
	}
	return 5
}

// TestKilledAtAnyMoment kills the controller at random moments while 200
// SealedSecrets are applied and changed: at the end all Secrets are right, and
// the keys are those of the first start.
func TestKilledAtAnyMoment(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	// The first kills hit the making of the keys.
	for range 3 {
		p := s.start()
		time.Sleep(rand.N(400 * time.Millisecond))
		p.kill()
	}
	p := s.run()
	first := s.keys()
	if len(first) != 3 {
		t.Fatalf("after kills at the start the keys are %v, want one RSA, one age and the MAC's", first)
	}
	ns := s.Namespace(t)
	const objects = 200
	manifests := make([]string, objects)
	for i := range manifests {
		manifests[i] = s.seal(secret(ns, fmt.Sprintf("s%03d", i), "k", fmt.Sprint("v", i)), i%2 == 0)
	}
	applied := make(chan error, 1)
	go func() { applied <- s.ApplyYAML(t.Context(), "", strings.Join(manifests, "\n---\n")) }()
	for range kills() {
		time.Sleep(200*time.Millisecond + rand.N(1200*time.Millisecond))
		p.kill()
		p = s.run()
	}
	s.ok(<-applied)
	s.eventually("all Secrets are right", func() bool { return s.right(ns, objects) })
	if after := s.keys(); fmt.Sprint(after) != fmt.Sprint(first) {
		t.Errorf("the keys changed from %v to %v", first, after)
	}
}

// keys lists the UIDs of the key Secrets by name.
func (s *system) keys() map[string]types.UID {
	s.t.Helper()
	var list corev1.SecretList
	s.ok(s.Client().List(s.t.Context(), &list, client.InNamespace("fuin-system")))
	out := map[string]types.UID{}
	for _, k := range list.Items {
		if k.Type == keys.TypeAge || k.Labels[keys.LabelRSA] != "" || k.Name == "fuin-mac" {
			out[k.Name] = k.UID
		}
	}
	return out
}

func (s *system) right(ns string, objects int) bool {
	var list corev1.SecretList
	s.ok(s.Client().List(s.t.Context(), &list, client.InNamespace(ns)))
	right := 0
	for i := range list.Items {
		var n int
		if _, err := fmt.Sscanf(list.Items[i].Name, "s%d", &n); err != nil {
			continue
		}
		if string(list.Items[i].Data["k"]) == fmt.Sprint("v", n) && len(list.Items[i].OwnerReferences) == 1 {
			right++
		}
	}
	return right == objects
}
