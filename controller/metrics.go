package controller

import (
	"sync"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/keys"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// labelInstance is the label of SealedSecrets that upstream's metric repeats.
const labelInstance = "app.kubernetes.io/instance"

// upstream prefixes the metrics that Sealed Secrets has, too.
const upstream = "sealed_secrets_controller"

// metrics are those of Sealed Secrets, under its names, and Fuin's own.
type metrics struct {
	requests   prometheus.Counter
	errors     *prometheus.CounterVec
	conditions *prometheus.GaugeVec
	operations *prometheus.CounterVec
	instances  sync.Map // types.NamespacedName → the instance label last shown
}

func newMetrics(registry prometheus.Registerer, version string) *metrics {
	m := &metrics{
		requests: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: upstream, Name: "unseal_requests_total", Help: "SealedSecrets whose values were opened, or tried.",
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: upstream, Name: "unseal_errors_total", Help: "SealedSecrets that were not served, by reason.",
		}, []string{"reason", "namespace"}),
		conditions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: upstream, Name: "condition_info", Help: "Conditions of SealedSecrets: -1 false, 0 unknown, 1 true.",
		}, []string{"namespace", "name", "condition", "ss_app_kubernetes_io_instance"}),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "fuin", Name: "private_key_operations_total", Help: "Operations with a private key, by its kind.",
		}, []string{"kind"}),
	}
	for _, kind := range []keys.Kind{keys.RSA, keys.Hybrid, keys.X25519} {
		m.operations.WithLabelValues(string(kind)) // shown as 0 before the first one
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: upstream, Name: "build_info", Help: "Version of the controller.",
		ConstLabels: prometheus.Labels{"revision": version},
	})
	info.Set(1)
	registry.MustRegister(m.requests, m.errors, m.conditions, m.operations, info)
	return m
}

var gauge = map[corev1.ConditionStatus]float64{corev1.ConditionFalse: -1, corev1.ConditionUnknown: 0, corev1.ConditionTrue: 1}

// observe shows the conditions of one SealedSecret.
func (m *metrics) observe(ss *bitnami.SealedSecret) {
	name := types.NamespacedName{Namespace: ss.Namespace, Name: ss.Name}
	instance := ss.Labels[labelInstance]
	if before, ok := m.instances.Swap(name, instance); ok && before != instance {
		m.drop(name)
	}
	for _, c := range ss.Status.Conditions {
		m.conditions.WithLabelValues(ss.Namespace, ss.Name, c.Type, instance).Set(gauge[c.Status])
	}
}

// forget removes a SealedSecret that is gone.
func (m *metrics) forget(name types.NamespacedName) {
	if _, shown := m.instances.LoadAndDelete(name); shown {
		m.drop(name)
	}
}

func (m *metrics) drop(name types.NamespacedName) {
	m.conditions.DeletePartialMatch(prometheus.Labels{"namespace": name.Namespace, "name": name.Name})
}
