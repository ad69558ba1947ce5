package references_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vaulttest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestThousandReferences in a hundred Secrets of twenty namespaces: a namespace
// logs in once, each path is read once in a pass however many Secrets refer to it,
// and a pass in which nothing changed writes nothing.
func TestThousandReferences(t *testing.T) {
	const namespaces, secrets, references, paths = 20, 5, 10, 10
	s := newStand(t, kubetest.Shared(t), vaulttest.New(t, vaulttest.Config{}))
	s.connect(map[string]any{"refreshInterval": "30s"})
	var all []map[string]any
	var tenants []string
	for range namespaces {
		ns := s.tenant()
		tenants = append(tenants, ns)
		for path := range paths {
			s.put(ns, fmt.Sprint("p", path), map[string]any{"a": ns, "b": map[string]any{"c": "x"}})
		}
		for i := range secrets {
			templates := map[string]any{}
			for r := range references {
				templates[fmt.Sprint("k", r)] = s.ref(ns, fmt.Sprint("p", r), []string{"a", "b/c", "b"}[(i+r)%3])
			}
			all = append(all, templated(ns, fmt.Sprint("s", i), templates))
		}
	}
	s.apply(all...)
	mark, err := s.vault.Mark()
	s.OK(err)
	began := time.Now()
	p := s.Run(fuintest.Alone)
	s.Eventually("all are Ready", func() bool {
		ready := 0
		for _, ns := range tenants {
			ready += s.countReady(ns)
		}
		s.Last = fmt.Sprint(ready)
		return ready == namespaces*secrets
	})
	s.counted(mark, began, namespaces*paths)
	before, requests := s.settled(tenants), p.Metric("rest_client_requests_total")
	second, err := s.vault.Mark()
	s.OK(err)
	s.Eventually("a second pass begins", func() bool { return s.reads(second) > 0 })
	began = time.Now()
	s.Eventually("it read all again", func() bool { return s.reads(second) >= namespaces*paths })
	s.Eventually("and is through", func() bool { return p.Metric("workqueue_depth") == 0 })
	s.counted(second, began, namespaces*paths)
	if n := s.fetched(mark, "auth/"+s.name+"-jwt/login"); n != namespaces {
		t.Errorf("%d log-ins of %d namespaces", n, namespaces)
	}
	if n := p.Metric("rest_client_requests_total") - requests; n >= namespaces*secrets { // events may come late
		t.Errorf("%v requests to the API server in a pass that changed nothing", n)
	}
	if after := s.versions(tenants); !maps.Equal(before, after) {
		for name, version := range after {
			if before[name] != version {
				t.Errorf("%s was written in a pass that changed nothing: %s, then %s", name, before[name], version)
			}
		}
	}
}

func (s *stand) countReady(ns string) (n int) {
	s.T.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(bitnami.GroupVersion.WithKind(bitnami.Kind + "List"))
	s.OK(s.Client().List(s.T.Context(), list, client.InNamespace(ns)))
	for _, item := range list.Items {
		conditions, _, _ := unstructured.NestedSlice(item.Object, "status", "conditions")
		for _, c := range conditions {
			if m := c.(map[string]any); m["type"] == bitnami.Ready && m["status"] == "True" {
				n++
			}
		}
	}
	return n
}

// reads counts what was read of the KV engine, preflights apart.
func (s *stand) reads(since vaulttest.Mark) int { return s.fetched(since, s.name+"-kv/data/") }

// counted checks that a pass read each path once. What was read half an interval ago
// is read again, and may be where a pass takes long.
func (s *stand) counted(since vaulttest.Mark, began time.Time, paths int) {
	s.T.Helper()
	most := paths * (1 + int(time.Since(began)/(15*time.Second)))
	if n := s.reads(since); n < paths || n > most {
		s.T.Errorf("%d reads of %d paths in a pass of %s, want %d at most", n, paths, time.Since(began), most)
	}
}

// settled are the versions once the first pass is through and all events of it are
// there.
func (s *stand) settled(namespaces []string) map[string]string {
	s.T.Helper()
	last := s.versions(namespaces)
	s.Eventually("nothing is written any more", func() bool {
		before := last
		time.Sleep(time.Second) // what is measured is a rate
		last = s.versions(namespaces)
		return maps.Equal(before, last)
	})
	return last
}

// versions are those of all that a pass could write.
func (s *stand) versions(namespaces []string) map[string]string {
	s.T.Helper()
	out := map[string]string{}
	for _, ns := range namespaces {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(bitnami.GroupVersion.WithKind(bitnami.Kind + "List"))
		s.OK(s.Client().List(s.T.Context(), list, client.InNamespace(ns)))
		for _, item := range list.Items {
			out["SealedSecret "+ns+"/"+item.GetName()] = item.GetResourceVersion()
		}
		var made corev1.SecretList
		s.OK(s.Client().List(s.T.Context(), &made, client.InNamespace(ns)))
		for _, item := range made.Items {
			out["Secret "+ns+"/"+item.Name] = item.ResourceVersion
		}
		var events corev1.EventList
		s.OK(s.Client().List(s.T.Context(), &events, client.InNamespace(ns)))
		for _, item := range events.Items {
			if strings.Contains(item.Source.Component, "fuin") {
				out["Event "+ns+"/"+item.Name] = item.ResourceVersion
			}
		}
	}
	return out
}
