// Package controller opens SealedSecrets in a cluster: it keeps the ring, makes
// the Secrets, repairs them, and reports; and it applies Environments, which it
// opens SealedSecrets for. [Run] is all that a program needs.
package controller

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"fuin.dev/render"
	"fuin.dev/seal"
	"k8s.io/client-go/rest"
)

// Config says how the controller runs. Rest, Namespace and Render are
// required; the zero value of the rest means the default.
type Config struct {
	Rest      *rest.Config  // talks to the API server, as the controller's own account
	Namespace string        // the controller's own: keys and public keys live there
	Render    seal.Renderer // runs templates in the sandbox; see render.Pool
	Sandboxes int           // how many Render runs at a time; default 2

	// Directory renders a directory in the sandbox; see render.Pool. nil: there
	// are no Environments.
	Directory  func(context.Context, render.Directory) (*render.Set, error)
	SourceDir  string // keeps fetched repositories; default: a directory below os.TempDir
	SourceRoot string // local directories below it may be sources; empty: none

	Namespaces    []string      // watched; empty: all
	LabelSelector string        // of SealedSecrets; empty: all
	Workers       int           // that open at the same time; default 8 a core, 64 at most
	KeyPrefix     string        // of RSA key Secrets; default sealed-secrets-key
	KeyBits       int           // of new RSA keys; default 4096
	KeyTTL        time.Duration // of new certificates; default ten years
	KeyCN         string        // common name of new certificates; default empty
	OrderByAge    bool          // order RSA keys by their Secret's age, not by NotBefore

	RenewPeriod    time.Duration     // after which an RSA key is renewed; default 720 h, negative: never
	KeyCutoff      time.Time         // an RSA key made before then is renewed once it has come
	RenewNow       <-chan struct{}   // each receipt renews the RSA key, on the replica that leads
	KeyLabels      map[string]string // of the Secrets of new keys
	KeyAnnotations map[string]string // likewise
	OneReplica     bool              // there is no other: no election

	RejectLegacy bool // do not open the V1 format
	Roll         bool // restart workloads with the annotation fuin.dev/roll; see deploy/roll

	Listen        string // address of the HTTP endpoints; default :8080
	ListenMetrics string // address of /metrics; default :8081
	Version       string // shown in metrics
	Log           *slog.Logger
}

// maxWorkers bounds the default: each worker may hold an object of over 1 MiB.
const maxWorkers = 64

func (c Config) withDefaults() Config {
	defaultTo(&c.Workers, min(8*runtime.GOMAXPROCS(0), maxWorkers))
	defaultTo(&c.Sandboxes, 2)
	defaultTo(&c.KeyPrefix, "sealed-secrets-key")
	defaultTo(&c.KeyBits, 4096)
	defaultTo(&c.KeyTTL, 10*365*24*time.Hour)
	defaultTo(&c.RenewPeriod, 720*time.Hour)
	defaultTo(&c.Listen, ":8080")
	defaultTo(&c.ListenMetrics, ":8081")
	defaultTo(&c.Log, slog.Default())
	defaultTo(&c.SourceDir, filepath.Join(os.TempDir(), "fuin-sources"))
	return c
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
