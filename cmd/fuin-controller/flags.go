package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"fuin.dev/controller"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// options are the flags. Those of Sealed Secrets keep their names, so that
// its Deployment runs with the image changed and nothing else.
type options struct {
	cfg        controller.Config
	kubeconfig string
	renderPath string
	logLevel   string
	logFormat  string
	keyOrder   string
	renew      time.Duration
	cutoff     string
	keyLabels  string
	keyNotes   string
	elect      bool
	namespaces []string
	more       []string
	all        bool
	legacy     bool
	version    bool
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := pflag.NewFlagSet("fuin-controller", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVar(&o.cfg.Namespace, "namespace", ownNamespace(), "namespace of the controller and its keys; default: the pod's")
	f.StringSliceVar(&o.namespaces, "namespaces", nil, "namespaces to watch; default: all")
	f.StringVar(&o.cfg.LabelSelector, "label-selector", "", "open only SealedSecrets with these labels")
	f.IntVar(&o.cfg.Workers, "workers", 0, "objects opened at the same time; default: 8 a core")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "file to reach the cluster with; default: the pod's account")
	f.StringVar(&o.renderPath, "fuin-render", "", "sandbox program; default: beside this one")
	f.StringVar(&o.cfg.SourceDir, "source-dir", "", "directory that keeps fetched repositories; default: one in the temporary directory")
	f.StringVar(&o.cfg.SourceRoot, "source-root", "", "lets Environments name directories of this machine below it, for development")
	f.StringVar(&o.cfg.Listen, "listen-addr", ":8080", "address of the HTTP endpoints")
	f.StringVar(&o.cfg.ListenMetrics, "listen-metrics-addr", ":8081", "address of /metrics")
	f.StringVar(&o.cfg.KeyPrefix, "key-prefix", "sealed-secrets-key", "begins the names of RSA key Secrets")
	f.IntVar(&o.cfg.KeyBits, "key-size", 4096, "bits of new RSA keys")
	f.DurationVar(&o.cfg.KeyTTL, "key-ttl", 0, "validity of new certificates; default: ten years")
	f.StringVar(&o.cfg.KeyCN, "my-cn", "", "common name in new certificates")
	f.DurationVar(&o.renew, "key-renew-period", 720*time.Hour, "age at which the RSA key is renewed; 0: never")
	f.StringVar(&o.cutoff, "key-cutoff-time", "", "renew an RSA key made before this time, as Mon, 02 Jan 2006 15:04:05 -0700")
	f.StringVar(&o.keyLabels, "privatekey-labels", "", "labels of the Secrets of new keys: KEY=VALUE,...")
	f.StringVar(&o.keyNotes, "privatekey-annotations", "", "annotations of the Secrets of new keys: KEY=VALUE,...")
	f.BoolVar(&o.elect, "leader-elect", true, "elect one of several replicas to write; false: there is only one")
	f.StringVar(&o.keyOrder, "key-order-priority", "CertNotBefore", "what dates an RSA key: CertNotBefore or SecretCreationTimestamp")
	f.BoolVar(&o.legacy, "accept-deprecated-v1-data", true, "open the V1 format, too")
	f.BoolVar(&o.cfg.Roll, "roll", false, "restart workloads with the annotation fuin.dev/roll when what they name changes; needs deploy/roll")
	f.StringVar(&o.logLevel, "log-level", "INFO", "DEBUG, INFO, WARN or ERROR")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	f.BoolVar(&o.all, "all-namespaces", true, "false: watch only the controller's own namespace")
	f.StringSliceVar(&o.more, "additional-namespaces", nil, "namespaces to watch beside the controller's own")
	f.BoolVar(&o.version, "version", false, "print the version and end")
	f.DurationVar(&o.renew, "rotate-period", 720*time.Hour, "")
	_ = f.MarkHidden("rotate-period") // the older name of key-renew-period
	accept(f)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	return o, fromEnvironment(f)
}

// accept takes the flags of Sealed Secrets that say nothing here: there is no
// client throttle, nothing gives up, and status and Secrets are always kept.
func accept(f *pflag.FlagSet) {
	for _, name := range []string{"update-status", "watch-for-secrets", "skip-recreate", "old-gc-behavior", "log-info-stdout"} {
		f.Bool(name, true, "")
		_ = f.MarkHidden(name)
	}
	for _, name := range []string{
		"max-unseal-retries", "rate-limit", "rate-limit-burst", "kubeclient-qps", "kubeclient-burst",
		"read-timeout", "write-timeout",
	} {
		f.String(name, "", "")
		_ = f.MarkHidden(name)
	}
}

// fromEnvironment sets what the command line leaves open as Sealed Secrets
// does: SEALED_SECRETS_ALL_NAMESPACES=false is --all-namespaces=false.
func fromEnvironment(f *pflag.FlagSet) error {
	var errs []error
	f.VisitAll(func(flag *pflag.Flag) {
		name := "SEALED_SECRETS_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		if value, ok := os.LookupEnv(name); ok && !flag.Changed {
			if err := f.Set(flag.Name, value); err != nil {
				errs = append(errs, fmt.Errorf("environment variable %s: %w", name, err))
			}
		}
	})
	return errors.Join(errs...)
}

func (o *options) config() (controller.Config, error) {
	cfg := o.cfg
	var err error
	if cfg.Log, err = logger(o.logLevel, o.logFormat); err != nil {
		return cfg, err
	}
	if cfg.Rest, err = restConfig(o.kubeconfig); err != nil {
		return cfg, fmt.Errorf("%w: run it in a pod, or give --kubeconfig FILE", err)
	}
	cfg.Namespaces = o.namespaces
	if !o.all || len(o.more) > 0 {
		cfg.Namespaces = append(append(cfg.Namespaces, cfg.Namespace), o.more...)
	}
	switch o.keyOrder {
	case "CertNotBefore":
	case "SecretCreationTimestamp":
		cfg.OrderByAge = true
	default:
		return cfg, fmt.Errorf("--key-order-priority %q: use CertNotBefore or SecretCreationTimestamp", o.keyOrder)
	}
	if err := o.renewal(&cfg); err != nil {
		return cfg, err
	}
	cfg.RejectLegacy = !o.legacy
	cfg.OneReplica = !o.elect
	cfg.Version = version()
	return cfg, nil
}

// renewal is what the flags say of new keys.
func (o *options) renewal(cfg *controller.Config) (err error) {
	if cfg.KeyLabels, err = pairs("--privatekey-labels", o.keyLabels); err != nil {
		return err
	}
	if cfg.KeyAnnotations, err = pairs("--privatekey-annotations", o.keyNotes); err != nil {
		return err
	}
	if cfg.RenewPeriod = o.renew; o.renew <= 0 {
		cfg.RenewPeriod = -1
	}
	if o.cutoff == "" {
		return nil
	}
	if cfg.KeyCutoff, err = time.Parse(time.RFC1123Z, o.cutoff); err != nil {
		return fmt.Errorf("--key-cutoff-time %q: write it as %s", o.cutoff, time.RFC1123Z)
	}
	return nil
}

// pairs reads KEY=VALUE,... as Sealed Secrets does.
func pairs(flag, text string) (map[string]string, error) {
	out := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%s %q: write KEY=VALUE, several with commas between them", flag, text)
		}
		out[strings.TrimSpace(key)] = value
	}
	return out, nil
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		return rest.InClusterConfig()
	}
	return clientcmd.BuildConfigFromFlags("", kubeconfig)
}

func logger(level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: use DEBUG, INFO, WARN or ERROR", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
}

// ownNamespace is where the pod runs.
func ownNamespace() string {
	if ns := os.Getenv("POD_NAMESPACE"); ns != "" {
		return ns
	}
	if data, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace"); err == nil {
		return strings.TrimSpace(string(data))
	}
	return "fuin-system"
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
