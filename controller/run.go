package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	goruntime "runtime"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/fair"
	"fuin.dev/controller/roll"
	"fuin.dev/controller/server"
	"fuin.dev/seal"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// Run opens SealedSecrets until ctx ends. It makes the cluster's keys if there
// are none. Of several replicas one leads, and does all that is written; all
// serve. It may be called once in a process: metrics are global.
func Run(ctx context.Context, cfg Config) error {
	collectAt(gcPercent)
	cfg = cfg.withDefaults()
	if cfg.Rest == nil || cfg.Namespace == "" || cfg.Render == nil {
		return errors.New("controller.Config lacks Rest, Namespace or Render")
	}
	ctrl.SetLogger(logr.FromSlogHandler(cfg.Log.Handler()))
	cfg.Rest = rest.CopyConfig(cfg.Rest)
	cfg.Rest.QPS = -1                  // the API server has its own fairness
	cfg.Rest.DisableCompression = true // what is sealed does not get smaller
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	api, err := client.New(cfg.Rest, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reaching the API server: %w", err)
	}
	events, stop, err := newRecorder(cfg.Rest, scheme)
	if err != nil {
		return err
	}
	defer stop()
	ring := newKeyring(api, cfg, func(s *corev1.Secret, err error) {
		events.Event(s, corev1.EventTypeWarning, "MalformedKey", err.Error())
	})
	if err := untilReached(ctx, cfg.Log, ring.load); err != nil {
		return err
	}
	return manage(ctx, cfg, scheme, api, events, ring)
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(corev1.AddToScheme(scheme), bitnami.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))
}

// newRecorder records core events on SealedSecrets, as Sealed Secrets does.
func newRecorder(cfg *rest.Config, scheme *runtime.Scheme) (record.EventRecorder, func(), error) {
	clientset, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, nil, err
	}
	b := record.NewBroadcaster()
	b.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clientset.CoreV1().Events("")})
	return b.NewRecorder(scheme, corev1.EventSource{Component: fieldOwner}), b.Shutdown, nil
}

// untilReached tries until the first success; a cluster that starts needs time.
func untilReached(ctx context.Context, log *slog.Logger, start func(context.Context) error) error {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := start(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		log.Error("starting; will try again", "error", err, "in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func manage(ctx context.Context, cfg Config, scheme *runtime.Scheme, api client.Client, events record.EventRecorder, ring *keyring) error {
	cached, err := cacheOptions(cfg)
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(cfg.Rest, ctrl.Options{
		Scheme: scheme, Cache: cached, Logger: logr.FromSlogHandler(cfg.Log.Handler()),
		Metrics: metricsserver.Options{BindAddress: cfg.ListenMetrics, ExtraHandlers: map[string]http.Handler{
			"/healthz": http.HandlerFunc(server.Healthz), // for probes: other clients cannot take its place
		}},
		HealthProbeBindAddress: "0",
		LeaderElection:         !cfg.OneReplica, LeaderElectionID: leaseName, LeaderElectionNamespace: cfg.Namespace,
		LeaderElectionReleaseOnCancel: true, // or the next one would wait for the lease to end
		LeaseDuration:                 new(leaseFor), RenewDeadline: new(leaseFor * 2 / 3), RetryPeriod: new(leaseFor / 6),
	})
	if err != nil {
		return err
	}
	metrics := newMetrics(ctrlmetrics.Registry, cfg.Version)
	o := &opener{
		cache: mgr.GetCache(), api: api, keyring: ring, render: cfg.Render,
		events: events, quota: newQuota(), log: cfg.Log, cfg: cfg, retries: newBackoff(), queued: make(chan struct{}), bodies: newBodies(), tide: newTide(),
		metrics: metrics, operator: operator{fair.NewGate(goruntime.GOMAXPROCS(0)), fair.NewRoomyGate(cfg.Sandboxes), metrics},
	}
	if err := o.connections(ctx, mgr); err != nil {
		return err
	}
	if err := o.watch(mgr); err != nil {
		return err
	}
	if err := ring.watch(mgr, o.queueAll); err != nil {
		return err
	}
	hook, err := o.environments(ctx, mgr)
	if err != nil {
		return err
	}
	if err := mgr.Add(newServer(cfg, o, hook, ctrlmetrics.Registry)); err != nil {
		return err
	}
	if cfg.Roll {
		if err := mgr.Add(newRoller(cfg, mgr.GetCache(), api, events, ring)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go ring.renewOn(ctx, cfg.RenewNow)
	return mgr.Start(ctx)
}

// The leader's lease. A replica that dies without a word is succeeded when it
// ends.
const (
	leaseName = "fuin-controller"
	leaseFor  = 9 * time.Second
)

func cacheOptions(cfg Config) (cache.Options, error) {
	selector, err := labels.Parse(cfg.LabelSelector)
	if err != nil {
		return cache.Options{}, fmt.Errorf("the label selector %q: %w", cfg.LabelSelector, err)
	}
	secrets := cache.ByObject{Transform: slim}
	sealed := cache.ByObject{Transform: slim, Label: selector}
	if len(cfg.Namespaces) > 0 {
		secrets.Namespaces = map[string]cache.Config{cfg.Namespace: {}} // the keys are there
		sealed.Namespaces = map[string]cache.Config{}
		for _, namespace := range cfg.Namespaces {
			secrets.Namespaces[namespace], sealed.Namespaces[namespace] = cache.Config{}, cache.Config{}
		}
	}
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&corev1.Secret{}: secrets, &bitnami.SealedSecret{}: sealed,
		&corev1.ConfigMap{}: {
			Namespaces: map[string]cache.Config{cfg.Namespace: {}},
			Field:      fields.OneTermEqualSelector("metadata.name", PublicKeys),
		},
	}}, nil
}

// newServer is the HTTP side. All requests together have one tenant's share of
// the processors, and no templates are run for whoever reaches the port.
func newServer(cfg Config, o *opener, hook server.Hook, registry prometheus.Registerer) *server.Server {
	return server.New(server.Config{
		Addr: cfg.Listen, Hook: hook, Registry: registry, Log: cfg.Log, Ready: o.keyring.ready.wait,
		Public: func() (certificate, recipients string) {
			keys := public(o.keyring.ring.Load())
			return keys[PublicCertificate], keys[PublicRecipients]
		},
		Sealing: o.keyring.sealing,
		Opener: func(ctx context.Context) (seal.Opener, func()) {
			try, leave := o.operator.turns(ctx, requests)
			return seal.Opener{Identities: o.keyring.ring.Load().Candidates(nil, time.Time{}), Try: try}, leave
		},
	})
}

// newRoller restarts workloads, on the replica that leads.
func newRoller(cfg Config, secrets cache.Cache, api client.Client, events record.EventRecorder, ring *keyring) *roll.Roller {
	return roll.New(roll.Config{
		Rest: cfg.Rest, API: api, Secrets: secrets, Coder: ring.rollCoder, Namespaces: cfg.Namespaces, Events: events, Log: cfg.Log,
	}, ctrlmetrics.Registry)
}
