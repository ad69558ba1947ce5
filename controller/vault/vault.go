// Package vault reads what references name, from the Vault of a VaultConnection
// and in the name of the namespace that consumes it. [Resolver.Resolve] is what
// the opener calls; [Resolver.Add] has a manager keep the statuses of
// VaultConnections.
//
// Values are in memory for seconds: as long as the Secrets of one pass may share
// what was read for one of them. Nothing here logs them, and no error has them.
package vault

import (
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"fuin.dev/controller/fair"
	"fuin.dev/render/reference"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// Account is the service account by which a namespace logs in.
const Account = "vault-reader"

// Config is what a [Resolver] works with. All but Well, Version and Log is
// required.
type Config struct {
	API       client.Client // straight to the API server: tokens, statuses, the Secret of an AppRole or token
	Cache     client.Reader // VaultConnections, and the metadata of namespaces
	Namespace string        // the controller's own, where these Secrets are
	// Well is told when a connection that failed answers again, and when one was
	// made or changed: what was not resolved by it may be tried now.
	Well    func(connection string)
	Metrics *Metrics
	Version string // of the controller, told to Vault
	Log     *slog.Logger
}

// Resolver reads references. Its methods may be called concurrently.
type Resolver struct {
	Config
	trigger   chan event.GenericEvent // of connections whose state changed
	composing *fair.Gate              // to what takes our processors

	mu          sync.Mutex
	connections map[string]*connection
	wanted      bool // somebody found none that fits
	closed      bool
}

// New makes a Resolver. Close gives back what it holds. VAULT_ variables are taken
// out of the process's environment: they are other programs' business, and the
// client library would heed them.
func New(cfg Config) *Resolver {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "VAULT_") {
			_ = os.Unsetenv(name)
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Well == nil {
		cfg.Well = func(string) {}
	}
	return &Resolver{
		Config: cfg, trigger: make(chan event.GenericEvent, 1024), connections: map[string]*connection{},
		composing: fair.NewGate(runtime.GOMAXPROCS(0)),
	}
}

// Close forgets all tokens and values and ends idle connections.
func (r *Resolver) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for name, c := range r.connections {
		c.close()
		delete(r.connections, name)
	}
}

// Request asks for the values of one Secret.
type Request struct {
	Namespace  string // that consumes them, and in whose name they are read
	Connection string // of the annotation; empty: the one that fits
	References []reference.Reference
	NotBefore  time.Time // values that were read earlier do not count
}

// Answer has a value for each reference.
type Answer struct {
	Values []Value // by the index of the reference
	// Next is when to read again: the same instant for all of the namespace, so
	// that its Secrets share what is read.
	Next time.Time
	// Ends is when the first of the leased values ends; zero if none is leased.
	Ends time.Time
}

// Value is what one reference stands for.
type Value struct {
	Bytes  []byte
	Absent bool // the reference is optional, and Vault has nothing there
	Leased bool // it ends: read anew before Answer.Ends, and not otherwise
}

// Failure is why a Secret's references could not be resolved: the first one
// that failed, by its index. It holds no content.
type Failure struct {
	Reason, Message string
	Again           bool   // another try may help, though nothing that Kubernetes has is changed
	Connection      string // empty if none was chosen
	Absent          bool   // Vault confirms that it has no such value
	common          bool   // it is of the connection, whatever is asked
	mute            bool   // it tells nothing about the connection
}

// The reasons of a Failure, as conditions have them.
const (
	NoConnection        = "NoVaultConnection"
	AmbiguousConnection = "AmbiguousConnection"
	InvalidConnection   = "InvalidConnection"   // its CA bundle is of no use, or its Secret is not there
	Refused             = "ReferenceRefused"    // by Fuin: a path prefix, an option, an engine
	AccountMissing      = "VaultAccountMissing" // the API server gives no token for it
	LoginFailed         = "VaultLoginFailed"
	Denied              = "VaultDenied"
	AbsentValue         = "VaultAbsent"
	InvalidValue        = "VaultInvalidValue" // it is there, and not as the reference says
	Unreachable         = "VaultUnreachable"
	SealedVault         = "VaultSealed"
	InvalidAnswer       = "VaultInvalidAnswer"
	RateLimited         = "VaultRateLimited"
	FailedRequest       = "VaultFailed" // Vault answers with another error
)

func (f *Failure) Error() string { return f.Reason + ": " + f.Message }

// session is a log-in. It is never changed.
type session struct {
	account types.UID // of the service account, or of the Secret
	token   string
	batch   bool
	issued  time.Time
	ends    time.Time // zero: never
}
