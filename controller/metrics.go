package controller

import (
	"strings"
	"unique"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/keys"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
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
	shown      table[shown]
}

// shown is what the metrics tell of one SealedSecret.
type shown struct {
	instance   unique.Handle[string]
	conditions [len(conditionTypes)]int8
	keys       unique.Handle[string] // one behind the other
}

var conditionTypes = [...]string{bitnami.Synced, bitnami.Ready, bitnami.Stalled, bitnami.Stale}

const (
	labelCondition = "condition"
	labelNamespace = "namespace"
	labelUpstream  = "ss_app_kubernetes_io_instance" // labelInstance as a label of metrics
)

var labelName = "name"

var (
	conditionInfo = prometheus.NewDesc(upstream+"_condition_info", "Conditions of SealedSecrets: -1 false, 0 unknown, 1 true.",
		[]string{labelCondition, labelName, labelNamespace, labelUpstream}, nil)
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
	s := shown{instance: unique.Make(ss.Labels[labelInstance]), keys: unique.Make("")}
	for i, kind := range conditionTypes {
		if c := conditionOf(ss.Status.Conditions, kind); c != nil {
			s.conditions[i] = gauge[c.Status]
		}
	}
	if r := ss.Status.Fuin; r != nil && s.isWell() {
		s.keys = unique.Make(strings.Join(r.Keys, " "))
	}
	m.shown.put(types.NamespacedName{Namespace: ss.Namespace, Name: ss.Name}, s)
}

// forget removes a SealedSecret that is gone.
func (m *metrics) forget(name types.NamespacedName) { m.shown.forget(name) }

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
	label := pairs{}
	for name, s := range m.shown.all() {
		labels := [...]*dto.LabelPair{
			1: {Name: &labelName, Value: &name.Name}, 2: label.of(labelNamespace, name.Namespace), 3: label.of(labelUpstream, s.instance.Value()),
		}
		for i, value := range s.conditions {
			stale := conditionTypes[i] == bitnami.Stale
			if stale && value != 1 || !stale && i > 0 && s.isWell() {
				continue // it says nothing more
			}
			labels[0] = label.of(labelCondition, conditionTypes[i])
			out <- condition{labels, float64(value)}
		}
		for fingerprint := range strings.FieldsSeq(s.keys.Value()) {
			objects[fingerprint]++
		}
	}
	for fingerprint, n := range objects {
		out <- prometheus.MustNewConstMetric(objectsByKey, prometheus.GaugeValue, float64(n), fingerprint)
	}
}

// condition is one sample of conditionInfo. Its labels are in the order of
// their names.
type condition struct {
	labels [4]*dto.LabelPair
	value  float64
}

func (condition) Desc() *prometheus.Desc { return conditionInfo }

func (c condition) Write(out *dto.Metric) error {
	out.Label, out.Gauge = c.labels[:], &dto.Gauge{Value: &c.value}
	return nil
}

// pairs are labels that many samples share: made for each, they would be half of
// what a scrape allocates.
type pairs map[[2]string]*dto.LabelPair

func (p pairs) of(name, value string) *dto.LabelPair {
	at := [2]string{name, value}
	pair := p[at]
	if pair == nil {
		pair = &dto.LabelPair{Name: new(name), Value: new(value)}
		p[at] = pair
	}
	return pair
}
