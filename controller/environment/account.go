package environment

import (
	"fmt"
	"net/http"
	"sync"

	"fuin.dev/controller/api/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// account acts in the name of a service account.
type account struct {
	user     string
	objects  dynamic.Interface
	metadata metadata.Interface
	reader   client.Client // of core types
}

// accounts makes one account for each service account that is named.
type accounts struct {
	base *rest.Config
	mu   sync.Mutex
	made map[string]*account
}

// maxAccounts bounds what is kept of accounts that were named once.
const maxAccounts = 1000

// userOf is the name of an Environment's service account as a user.
func userOf(env *v1alpha1.Environment) string {
	return fmt.Sprintf("system:serviceaccount:%s:%s", env.Namespace, env.Spec.ServiceAccountName)
}

// of returns the account of an Environment. It need not exist: then the API
// server refuses what it does.
func (a *accounts) of(env *v1alpha1.Environment, mapper meta.RESTMapper) (*account, error) {
	user := userOf(env)
	a.mu.Lock()
	defer a.mu.Unlock()
	if made := a.made[user]; made != nil {
		return made, nil
	}
	made, err := newAccount(a.base, user, mapper)
	if err != nil {
		return nil, err
	}
	if a.made == nil || len(a.made) == maxAccounts {
		a.made = map[string]*account{} // those in use stay with who uses them
	}
	a.made[user] = made
	return made, nil
}

func newAccount(base *rest.Config, user string, mapper meta.RESTMapper) (*account, error) {
	cfg := rest.CopyConfig(base)
	cfg.QPS = -1 // the API server has its own fairness
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user}
	http, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, err
	}
	return connect(cfg, user, http, mapper)
}

func connect(cfg *rest.Config, user string, http *http.Client, mapper meta.RESTMapper) (*account, error) {
	objects, err := dynamic.NewForConfigAndClient(cfg, http)
	if err != nil {
		return nil, err
	}
	metadata, err := metadata.NewForConfigAndClient(cfg, http)
	if err != nil {
		return nil, err
	}
	reader, err := client.New(cfg, client.Options{HTTPClient: http, Mapper: mapper})
	return &account{user: user, objects: objects, metadata: metadata, reader: reader}, err
}
