package controller

import (
	"strings"
	"sync"
	"unique"

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
	operations *prometheus.CounterVec
	shown      sync.Map // types.NamespacedName → shown
}

// shown is what the metrics tell of one SealedSecret.
type shown struct {
	instance   string
	conditions [len(conditionTypes)]int8
	keys       string // one behind the other
}

var conditionTypes = [...]string{bitnami.Synced, bitnami.Ready, bitnami.Stalled, bitnami.Stale}

var (
	conditionInfo = prometheus.NewDesc(upstream+"_condition_info", "Conditions of SealedSecrets: -1 false, 0 unknown, 1 true.",
		[]string{"namespace", "name", "condition", "ss_app_kubernetes_io_instance"}, nil)
	objectsByKey = prometheus.NewDesc("fuin_sealed_secrets", "SealedSecrets of which a key opened values, by its fingerprint.",
		[]string{"key"}, nil)
)

func newMetrics(registry prometheus.Registerer, version string) *metrics {
	m := &metrics{
		requests: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: upstream, Name: "unseal_requests_total", Help: "SealedSecrets whose values were opened, or tried.",
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: upstream, Name: "unseal_errors_total", Help: "SealedSecrets that were not served, by reason.",
		}, []string{"reason", "namespace"}),
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
	registry.MustRegister(m.requests, m.errors, m.operations, info, m)
	return m
}

// observe shows what a SealedSecret's status says. It must be the controller's
// own word.
func (m *metrics) observe(ss *bitnami.SealedSecret) {
	s := shown{instance: unique.Make(ss.Labels[labelInstance]).Value()}
	for i, kind := range conditionTypes {
		if c := conditionOf(ss.Status.Conditions, kind); c != nil {
			s.conditions[i] = gauge[c.Status]
		}
	}
	if r := ss.Status.Fuin; r != nil && s.isWell() {
		s.keys = unique.Make(strings.Join(r.Keys, " ")).Value()
	}
	m.shown.Store(types.NamespacedName{Namespace: ss.Namespace, Name: ss.Name}, s)
}

// forget removes a SealedSecret that is gone.
func (m *metrics) forget(name types.NamespacedName) { m.shown.Delete(name) }

// Describe tells the registry what Collect makes.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	out <- conditionInfo
	out <- objectsByKey
}

func (s shown) isWell() bool { return s.conditions[1] == 1 } // Ready

var gauge = map[corev1.ConditionStatus]int8{corev1.ConditionFalse: -1, corev1.ConditionUnknown: 0, corev1.ConditionTrue: 1}

// Collect makes the samples of all SealedSecrets when they are asked for: kept,
// those of ten thousand would take more memory than all else. Objects that are
// well have Sealed Secrets' one, others all three, and those that are stale say so.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	objects := map[string]int{}
	m.shown.Range(func(key, value any) bool {
		name, s := key.(types.NamespacedName), value.(shown)
		for i, value := range s.conditions {
			stale := conditionTypes[i] == bitnami.Stale
			if stale && value != 1 || !stale && i > 0 && s.isWell() {
				continue // it says nothing more
			}
			out <- prometheus.MustNewConstMetric(conditionInfo, prometheus.GaugeValue, float64(value),
				name.Namespace, name.Name, conditionTypes[i], s.instance)
		}
		for fingerprint := range strings.FieldsSeq(s.keys) {
			objects[fingerprint]++
		}
		return true
	})
	for fingerprint, n := range objects {
		out <- prometheus.MustNewConstMetric(objectsByKey, prometheus.GaugeValue, float64(n), fingerprint)
	}
}
