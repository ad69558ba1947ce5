package server

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are those of Sealed Secrets' endpoints, under its names.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer) metrics {
	const namespace = "sealed_secrets_controller"
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "http_requests_total", Help: "Requests, by path, status and method.",
		}, []string{"path", "code", "method"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds", Help: "Time to answer, by path and method.",
		}, []string{"path", "method"}),
	}
	registry.MustRegister(m.requests, m.duration)
	return m
}

func (m metrics) count(path string, h http.HandlerFunc) http.Handler {
	label := prometheus.Labels{"path": path}
	return promhttp.InstrumentHandlerDuration(m.duration.MustCurryWith(label),
		promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(label), h))
}
