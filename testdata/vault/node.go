package main

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/audit"
	auditfile "github.com/hashicorp/vault/builtin/audit/file"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/vault"
)

// node is a core and the address at which it answers.
type node struct {
	core     *vault.Core
	listener net.Listener
	server   *http.Server
}

// newNode makes a sealed core. It listens at once, so that a port that is taken
// is told before anything else happens, and serves once serve is called.
func newNode(address string, config *tls.Config, storage *storage, all registry, logger hclog.Logger) (*node, error) {
	listener, err := tls.Listen("tcp", address, config)
	if err != nil {
		return nil, err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage.data,
		HAPhysical:         storage.lock,
		StorageType:        "file",
		RedirectAddr:       "https://" + address,
		ClusterAddr:        "https://127.0.0.1:0",
		BuiltinRegistry:    all,
		LogicalBackends:    all.factories(consts.PluginTypeSecrets),
		CredentialBackends: all.factories(consts.PluginTypeCredential),
		AuditBackends:      map[string]audit.Factory{"file": auditfile.Factory},
		DisableMlock:       true,
		Logger:             logger,
	})
	if err != nil {
		return nil, err
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{Address: address},
	})
	// Standbys reach the active core here, and so need no redirects.
	core.SetClusterListenerAddrs([]*net.TCPAddr{{IP: net.IPv4(127, 0, 0, 1)}})
	core.SetClusterHandler(handler)
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       5 * time.Minute,
		ErrorLog:          logger.StandardLogger(nil),
	}
	return &node{core: core, listener: listener, server: server}, nil
}

// serve answers until a listener fails.
func serve(nodes []*node) error {
	failed := make(chan error)
	for _, n := range nodes {
		go func() { failed <- n.server.Serve(n.listener) }()
	}
	return <-failed
}
