package environment

import (
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// Metrics of Environments.
type Metrics struct {
	stages   *prometheus.HistogramVec
	ready    *prometheus.GaugeVec
	objects  *prometheus.GaugeVec
	secrets  *prometheus.CounterVec
	failures *prometheus.CounterVec
	drifts   *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	named := []string{"namespace", "name"}
	m := &Metrics{
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fuin_environment_stage_seconds", Help: "How long each stage of a pass took.",
			Buckets: []float64{0.001, 0.01, 0.1, 0.5, 1, 5, 30, 120},
		}, []string{"stage"}),
		ready:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fuin_environment_ready", Help: "1 if the Environment is Ready, else 0."}, named),
		objects:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fuin_environment_objects", Help: "Objects in the inventory."}, named),
		secrets:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fuin_environment_secrets_total", Help: "SealedSecrets of Environments that were opened or failed to."}, []string{"result"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fuin_environment_failures_total", Help: "Passes that failed, by reason."}, []string{"reason"}),
		drifts:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fuin_environment_drift_total", Help: "Objects found changed in the cluster."}, named),
	}
	registry.MustRegister(m.stages, m.ready, m.objects, m.secrets, m.failures, m.drifts)
	return m
}

func (m *Metrics) stage(name string, took time.Duration) {
	m.stages.WithLabelValues(name).Observe(took.Seconds())
}

func (m *Metrics) opened(all, failed int) {
	m.secrets.WithLabelValues("opened").Add(float64(max(all-failed, 0)))
	m.secrets.WithLabelValues("failed").Add(float64(failed))
}

func (m *Metrics) failed(reason string) { m.failures.WithLabelValues(reason).Inc() }

func (m *Metrics) drift(env types.NamespacedName) {
	m.drifts.WithLabelValues(env.Namespace, env.Name).Inc()
}

func (m *Metrics) observe(env *v1alpha1.Environment) {
	ready := 0.0
	if isTrue(env.Status.Conditions, v1alpha1.Ready) {
		ready = 1
	}
	m.ready.WithLabelValues(env.Namespace, env.Name).Set(ready)
	m.objects.WithLabelValues(env.Namespace, env.Name).Set(float64(len(env.Status.Inventory)))
}

func (m *Metrics) forget(env types.NamespacedName) {
	for _, v := range []*prometheus.GaugeVec{m.ready, m.objects} {
		v.DeleteLabelValues(env.Namespace, env.Name)
	}
	m.drifts.DeleteLabelValues(env.Namespace, env.Name)
}
