package vault_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/kubetest"
	"fuin.dev/controller/vault"
	"fuin.dev/controller/vaulttest"
	"fuin.dev/render/reference"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	// client-go leaves these behind when a watch ends before its last event was taken.
	kubetest.Main(m, goleak.IgnoreTopFunction("k8s.io/apimachinery/pkg/watch.(*filteredWatch).loop"))
}

// system is a cluster with Fuin's CRDs and RBAC, and a Vault that its namespaces
// log in to. A test has connections of its own, for namespaces of its own.
type system struct {
	*kubetest.Cluster
	Vault   *vaulttest.Server
	t       testing.TB
	admin   client.Client
	account *rest.Config // the controller's
	api     client.Client
	label   string // of the test's namespaces

	resolver *vault.Resolver
	registry *prometheus.Registry
	well     *calls // the connections that the resolver called well
}

// calls are names that something was called with.
type calls struct {
	mu    sync.Mutex
	names []string
}

func (c *calls) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names = append(c.names, name)
}

func (c *calls) count(name string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, called := range c.names {
		if called == name {
			n++
		}
	}
	return n
}

// prepared notes what was set up once.
var prepared struct {
	sync.Mutex
	clusters map[*kubetest.Cluster]bool
	vaults   map[*vaulttest.Server]bool
}

// policy lets each namespace read what is its own, and take what ends.
const policy = `
path "apps/data/{namespace}/*" { capabilities = ["read"] }
path "old/{namespace}/*" { capabilities = ["read"] }
path "db/creds/{namespace}" { capabilities = ["read"] }
path "pki/issue/web" { capabilities = ["update"] }
path "transit/keys/key" { capabilities = ["read"] }
`

// newSystem shares a cluster and a Vault with the other tests.
func newSystem(t testing.TB) *system { return newSystemWith(t, vaulttest.Shared(t)) }

func newSystemWith(t testing.TB, v *vaulttest.Server) *system {
	t.Helper()
	s := &system{Cluster: kubetest.Shared(t), Vault: v, t: t}
	s.prepare()
	scheme := runtime.NewScheme()
	s.ok(errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	var err error
	s.admin, err = client.New(s.Admin(), client.Options{Scheme: scheme})
	s.ok(err)
	s.account, err = s.As(t.Context(), "fuin-system", "fuin-controller")
	s.ok(err)
	s.api, err = client.New(s.account, client.Options{Scheme: scheme})
	s.ok(err)
	s.label = strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	s.label = s.label[:min(len(s.label), 60)] + "x"
	s.fresh()
	return s
}

// fresh makes a new resolver: what a restart of the controller does.
func (s *system) fresh() {
	s.t.Helper()
	s.registry, s.well = prometheus.NewRegistry(), &calls{}
	s.resolver = vault.New(vault.Config{
		API: s.api, Cache: s.api, Namespace: "fuin-system", Version: "test",
		Metrics: vault.NewMetrics(s.registry), Well: s.well.add,
	})
	s.t.Cleanup(s.resolver.Close)
}

// in is the system for a subtest.
func (s *system) in(t testing.TB) *system {
	sub := *s
	sub.t = t
	return &sub
}

func (s *system) prepare() {
	s.t.Helper()
	prepared.Lock()
	defer prepared.Unlock()
	if prepared.clusters == nil {
		prepared.clusters, prepared.vaults = map[*kubetest.Cluster]bool{}, map[*vaulttest.Server]bool{}
	}
	if !prepared.clusters[s.Cluster] {
		for _, file := range []string{"namespace.yaml", "fuin.dev_vaultconnections.yaml", "rbac.yaml"} {
			s.ok(s.Apply(s.t.Context(), "", filepath.Join("..", "..", "deploy", "base", file)))
		}
		prepared.clusters[s.Cluster] = true
	}
	if !prepared.vaults[s.Vault] {
		s.prepareVault()
		prepared.vaults[s.Vault] = true
	}
}

func (s *system) prepareVault() {
	s.t.Helper()
	ctx, v := s.t.Context(), s.Vault
	s.ok(v.KV(ctx, "apps", 2))
	s.ok(v.KV(ctx, "old", 1))
	s.ok(v.Transit(ctx, "transit", "key"))
	s.ok(v.Database(ctx, "db"))
	s.ok(v.PKI(ctx, "pki", "web", time.Hour))
	s.ok(v.JWT(ctx, "jwt", s.Cluster))
	s.ok(v.Policy(ctx, "tenant", "jwt", policy))
	s.ok(v.JWTRole(ctx, "jwt", vaulttest.Role{Name: "tenant", Policies: []string{"tenant"}}))
}

func (s *system) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// tenant makes a namespace with the account that deploy/tenant makes.
func (s *system) tenant() string {
	s.t.Helper()
	ns := s.Namespace(s.t)
	s.ok(s.admin.Patch(s.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}},
		client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"labels":{"test":%q}}}`, s.label))))
	s.reader(ns)
	return ns
}

// reader makes a namespace's account.
func (s *system) reader(ns string) {
	s.t.Helper()
	s.ok(s.admin.Create(s.t.Context(), account(ns)))
}

// spec is what a test changes of a connection.
type spec = v1alpha1.VaultConnectionSpec

func account(ns string) *corev1.ServiceAccount { return named(ns, vault.Account) }

func named(ns, name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
}

func tokenRequest() *authenticationv1.TokenRequest {
	return &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"vault"}}}
}

// secret makes a Secret in the controller's namespace, for the time of the test.
func (s *system) secret(name string, data map[string]string) *corev1.Secret {
	s.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "fuin-system", Name: name}, StringData: data}
	s.ok(s.admin.Create(s.t.Context(), secret))
	s.t.Cleanup(func() {
		if err := s.admin.Delete(context.Background(), secret); err != nil {
			s.t.Error(err)
		}
	})
	return secret
}

// connect makes a VaultConnection for the test's namespaces.
func (s *system) connect(change func(*spec)) string {
	s.t.Helper()
	vc := &v1alpha1.VaultConnection{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}, Spec: s.usual()}
	if change != nil {
		change(&vc.Spec)
	}
	s.ok(s.admin.Create(s.t.Context(), vc))
	s.t.Cleanup(func() {
		if err := s.admin.Delete(context.Background(), vc); client.IgnoreNotFound(err) != nil {
			s.t.Error(err)
		}
	})
	return vc.Name
}

// usual is what most tests use.
func (s *system) usual() spec {
	return spec{
		Address: s.Vault.Addresses[0], CABundle: s.Vault.CA, QPS: 1000,
		Auth:              v1alpha1.VaultAuth{JWT: &v1alpha1.VaultAccountAuth{Role: "tenant", Audience: "vault"}},
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"test": s.label}},
	}
}

// change edits a VaultConnection.
func (s *system) change(name string, change func(*spec)) {
	s.t.Helper()
	vc := &v1alpha1.VaultConnection{}
	s.ok(s.admin.Get(s.t.Context(), client.ObjectKey{Name: name}, vc))
	change(&vc.Spec)
	s.ok(s.admin.Update(s.t.Context(), vc))
}

// put writes a secret to KV version 2, and returns its version.
func (s *system) put(path string, data map[string]any) {
	s.t.Helper()
	mount, rest, _ := strings.Cut(path, "/")
	s.ok(s.Vault.Write(s.t.Context(), mount+"/data/"+rest, map[string]any{"data": data}))
}

// refs parses references, as they stand in a value each.
func (s *system) refs(texts ...string) (all []reference.Reference) {
	s.t.Helper()
	for _, text := range texts {
		parts, err := reference.Parse("ref+vault://" + text)
		s.ok(err)
		if len(parts) != 1 || parts[0].Reference == nil {
			s.t.Fatalf("%s is %d parts", text, len(parts))
		}
		all = append(all, *parts[0].Reference)
	}
	return all
}

func (s *system) resolve(ns string, texts ...string) (vault.Answer, error) {
	s.t.Helper()
	return s.resolver.Resolve(s.t.Context(), vault.Request{Namespace: ns, References: s.refs(texts...)})
}

// values resolves references that are there.
func (s *system) values(ns string, texts ...string) []string {
	s.t.Helper()
	answer, err := s.resolve(ns, texts...)
	s.ok(err)
	var all []string
	for _, v := range answer.Values {
		all = append(all, string(v.Bytes))
	}
	return all
}

// fails wants a failure of a reason, which has no word of these in it.
func (s *system) fails(reason string, err error, secrets ...string) *vault.Failure {
	s.t.Helper()
	var f *vault.Failure
	if !errors.As(err, &f) {
		s.t.Fatalf("got %v, want %s", err, reason)
	}
	if f.Reason != reason {
		s.t.Fatalf("got %v, want %s", f, reason)
	}
	for _, secret := range secrets {
		if strings.Contains(f.Error(), secret) {
			s.t.Errorf("it tells a secret: %v", f)
		}
	}
	return f
}

// patience is how long a test waits for what must come. Most of it comes in less
// than a second; a machine that runs all tests at once may need a while.
const patience = 2 * time.Minute

// eventually waits for a condition.
func (s *system) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("after %s not true: %s", patience, what)
		}
	}
}

// since counts what Vault was asked since a mark, by kind: login, read, mount.
func (s *system) since(mark vaulttest.Mark, about string) map[string]int {
	s.t.Helper()
	all, err := s.Vault.Audit(mark)
	s.ok(err)
	counts := map[string]int{}
	for _, e := range all {
		switch {
		case strings.HasPrefix(e.Path, "auth/") && strings.HasSuffix(e.Path, "/login"):
			if ns := e.Metadata["service_account_namespace"]; about == "" || ns == "" || strings.Contains(ns, about) {
				counts["login"]++
			}
		case strings.HasPrefix(e.Path, "sys/internal/ui/mounts/"):
			counts["mount"]++
		case strings.HasPrefix(e.Path, "sys/"), strings.HasPrefix(e.Path, "auth/"):
		case strings.Contains(e.Path, about):
			counts["read"]++
		}
	}
	return counts
}

func (s *system) mark() vaulttest.Mark {
	s.t.Helper()
	mark, err := s.Vault.Mark()
	s.ok(err)
	return mark
}
