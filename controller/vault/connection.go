package vault

import (
	"net/http"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/fair"
	"github.com/hashicorp/vault/api"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
)

// parallel is how many requests a Vault has at a time.
const parallel = 8

// The defaults of a VaultConnection, as its CRD has them.
const (
	defaultInterval = 5 * time.Minute
	defaultTimeout  = 10 * time.Second
	defaultQPS      = 20
)

// connection is what is known of a VaultConnection as long as its spec stays:
// another spec begins with nothing.
type connection struct {
	*Resolver
	name       string
	uid        types.UID
	generation int64
	spec       v1alpha1.VaultConnectionSpec
	interval   time.Duration
	timeout    time.Duration
	invalid    *Failure // the spec cannot be used

	client    *api.Client
	transport *http.Transport
	limiter   *rate.Limiter
	gate      *fair.Gate
	health    pause // after failures of the connection
	seen      seen

	logins logins
	mounts *mounts
	values *values
	passes passes
}

// connection returns what is known of a VaultConnection of this spec.
func (r *Resolver) connection(vc *v1alpha1.VaultConnection) *connection {
	r.mu.Lock()
	known := r.connections[vc.Name]
	if known != nil && known.uid == vc.UID && known.generation >= vc.Generation || r.closed {
		r.mu.Unlock()
		return known // nil if it is closed
	}
	c := r.newConnection(vc)
	r.connections[vc.Name] = c
	wanted := r.wanted
	r.wanted = false
	r.mu.Unlock()
	if known != nil {
		known.close()
	}
	if wanted || known != nil {
		r.Well(c.name)
	}
	return c
}

// forget drops all that is known of a VaultConnection.
func (r *Resolver) forget(name string) {
	r.mu.Lock()
	known := r.connections[name]
	delete(r.connections, name)
	r.mu.Unlock()
	if known != nil {
		known.close()
	}
	r.Metrics.forget(name)
}

// current reports whether the spec is still that of the connection.
func (c *connection) current() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connections[c.name] == c
}

func (r *Resolver) newConnection(vc *v1alpha1.VaultConnection) *connection {
	c := &connection{
		Resolver: r, name: vc.Name, uid: vc.UID, generation: vc.Generation, spec: vc.Spec,
		interval: orDefault(vc.Spec.RefreshInterval.Duration, defaultInterval),
		timeout:  orDefault(vc.Spec.Timeout.Duration, defaultTimeout),
		gate:     fair.NewRoomyGate(parallel),
	}
	qps := int(orDefault(vc.Spec.QPS, defaultQPS))
	c.limiter = rate.NewLimiter(rate.Limit(qps), qps)
	c.values, c.mounts = newValues(c.interval), newMounts()
	var err error
	if c.client, c.transport, err = newClient(vc.Spec); err != nil {
		c.invalid = c.fault(InvalidConnection, "spec.address or spec.caBundle cannot be used")
		c.invalid.Again = false
	}
	return c
}

func orDefault[T int32 | time.Duration](value, usual T) T {
	if value <= 0 {
		return usual
	}
	return value
}

// close forgets tokens and values. Who still works with them ends by itself.
func (c *connection) close() {
	c.values.clear()
	c.logins.clear()
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}
