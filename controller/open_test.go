package controller_test

import (
	"testing"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	corev1 "k8s.io/api/core/v1"
)

func TestOpensBothEncodings(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	s.Run(fuintest.Alone)
	for _, age := range []bool{false, true} {
		ns := s.Namespace(t)
		s.Put(s.Seal(secret(ns, "db", "password", "hunter2"), age))
		made := s.Opens(ns, "db", "password", "hunter2")
		if len(made.OwnerReferences) != 1 || made.OwnerReferences[0].Kind != bitnami.Kind {
			t.Errorf("owners are %v", made.OwnerReferences)
		}
		s.Says(ns, "db", bitnami.Synced, corev1.ConditionTrue, "")
		s.Says(ns, "db", bitnami.Ready, corev1.ConditionTrue, "")
		s.Says(ns, "db", bitnami.Stalled, corev1.ConditionFalse, "")
	}
}
