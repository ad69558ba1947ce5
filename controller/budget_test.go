package controller_test

import (
	"slices"
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
)

// restartsIdle restarts the controller and checks that it tries no key on what
// was there already: one more object tells when the queue has gone through.
func (s *system) restartsIdle(p *fuintest.Process, ns, name string, newest *keys.Identity) *fuintest.Process {
	s.T.Helper()
	p.Stop()
	p = s.Run(fuintest.Alone)
	s.Put(s.sealedWith(ns, name, newest))
	s.Opens(ns, name, valueKey(0), valueKey(0))
	s.Rests(ns, name)
	if n := p.Operations(); n != 1 {
		s.T.Errorf("%d operations after a restart, want the one of the new object", n)
	}
	return p
}

// An object with values of fifty keys, none of them hinted at, takes more than
// one turn. It opens in the end, later objects of its namespace do not wait for
// it, and no key is tried twice on a value in vain.
func TestLegitimateObjectWithFiftyKeysOpens(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	ring, _ := s.agedRing()
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	oldestFirst := slices.Clone(ring)
	slices.Reverse(oldestFirst) // the worst order: the key of each value is the last to be tried
	large := s.sealedWith(ns, "large", oldestFirst...)
	later := s.sealedWith(ns, "later", ring[0])

	s.Put(large)
	s.Eventually("the large object's search has begun", func() bool { return p.Operations() > 0 })
	s.Put(later)
	inTime := s.Secret(ns, "large") == nil // else the machine let the test wait, and the order tells nothing
	first := s.Opens(ns, "later", valueKey(0), valueKey(0))
	made := s.Opens(ns, "large", valueKey(0), valueKey(0))
	if inTime && s.Version(made) < s.Version(first) {
		t.Error("the later object waited for the large one")
	}
	for i := range ring {
		if key := valueKey(i); string(made.Data[key]) != key {
			t.Errorf("%s opened as %q", key, made.Data[key])
		}
	}
	s.Rests(ns, "large")
	s.Rests(ns, "later")
	// Every other key in vain on each value, which is then opened at most twice:
	// when its key is found, and when all are.
	inVain := ringSize * (ringSize - 1)
	if n := p.Operations() - 1; n < inVain+ringSize || n > inVain+2*ringSize {
		t.Errorf("%d operations, want %d and the openings of %d values", n, inVain, ringSize)
	}
	s.restartsIdle(p, ns, "after", ring[0])
}

// One value that opens with no key fails the object. It is named, costs each
// key one trial, and none after a restart; its key opens it once it is there.
func TestMissingKeyIsTriedOnceAndOpensWhenRestored(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	ring, missing := s.agedRing()
	p := s.Run(fuintest.Alone)
	ns := s.Namespace(t)
	const values = 5
	s.Put(s.sealedWith(ns, "db", ring[0], ring[40], missing, ring[0], ring[40]))
	s.Says(ns, "db", bitnami.Ready, corev1.ConditionFalse, `key "`+valueKey(2)+`": no key opens it`)
	s.Says(ns, "db", bitnami.Stalled, corev1.ConditionTrue, "")
	s.Rests(ns, "db")
	if s.Secret(ns, "db") != nil {
		t.Error("a Secret was made of the values that open")
	}
	// In vain: 40 for the first old value, 50 for the missing key, and one each
	// for the two values after it.
	if n, most := p.Operations(), 40+ringSize+2+values; n > most {
		t.Errorf("%d operations, want %d at most", n, most)
	}
	p = s.restartsIdle(p, ns, "after", ring[0])

	before := p.Operations()
	s.addSecret(missing, "restored")
	made := s.Opens(ns, "db", valueKey(2), valueKey(2))
	if len(made.Data) != values {
		t.Errorf("%d values, want %d", len(made.Data), values)
	}
	s.Rests(ns, "db")
	if n, most := p.Operations()-before, 40+ringSize+2+2+2*values; n > most {
		t.Errorf("%d operations once the key is there, want %d at most", n, most)
	}
	s.restartsIdle(p, ns, "later", ring[0])
}
