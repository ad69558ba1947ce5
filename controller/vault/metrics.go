package vault

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of what Vault is asked.
type Metrics struct {
	requests *prometheus.CounterVec
	logins   *prometheus.CounterVec
	failures *prometheus.CounterVec
	ready    *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fuin_vault_requests_total", Help: "Requests to Vault: health, login, lookup, mount or read, and OK or why they failed."}, []string{"connection", "kind", "outcome"}),
		logins:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fuin_vault_logins_total", Help: "Log-ins, OK or why they failed."}, []string{"connection", "outcome"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fuin_vault_failures_total", Help: "Secrets whose references were not resolved, by reason."}, []string{"connection", "reason"}),
		ready:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fuin_vault_connection_ready", Help: "1 if the VaultConnection is Ready, else 0."}, []string{"connection"}),
	}
	registry.MustRegister(m.requests, m.logins, m.failures, m.ready)
	return m
}

func (m *Metrics) asked(connection, kind string, f *Failure) {
	m.requests.WithLabelValues(connection, kind, outcome(f)).Inc()
}

func (m *Metrics) loggedIn(connection string, f *Failure) {
	m.logins.WithLabelValues(connection, outcome(f)).Inc()
}

func (m *Metrics) failed(f *Failure) {
	m.failures.WithLabelValues(f.Connection, f.Reason).Inc()
}

func (m *Metrics) observe(connection string, ready bool) {
	value := 0.0
	if ready {
		value = 1
	}
	m.ready.WithLabelValues(connection).Set(value)
}

func (m *Metrics) forget(connection string) {
	of := prometheus.Labels{"connection": connection}
	for _, v := range []*prometheus.CounterVec{m.requests, m.logins, m.failures} {
		v.DeletePartialMatch(of)
	}
	m.ready.DeletePartialMatch(of)
}

func outcome(f *Failure) string {
	if f == nil {
		return "OK"
	}
	return f.Reason
}
