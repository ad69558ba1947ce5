package vaulttest

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/api"
)

// Client is root's client at the first core. It follows no redirects and tries
// once: what it is told is what the server said.
func (s *Server) Client() *api.Client { return s.clients[0] }

// As returns a client at the first core with another token, or with none to log
// in by.
func (s *Server) As(token string) (*api.Client, error) {
	c, err := s.Client().CloneWithHeaders()
	if err != nil {
		return nil, err
	}
	c.SetToken(token)
	return c, nil
}

// connect makes a client for an address, whatever VAULT_ variables are set.
func (s *Server) connect(address, token string) (*api.Client, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	config.Address = address
	config.MaxRetries = 0
	config.DisableRedirects = true
	if err := config.ConfigureTLS(&api.TLSConfig{CACertBytes: s.CA}); err != nil {
		return nil, err
	}
	c, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	c.ClearNamespace()
	c.SetToken(token)
	return c, nil
}

// Write writes to a path as root: whatever there is no method for.
func (s *Server) Write(ctx context.Context, path string, data map[string]any) error {
	_, err := s.write(ctx, path, data)
	return err
}

func (s *Server) write(ctx context.Context, path string, data map[string]any) (*api.Secret, error) {
	answer, err := s.Client().Logical().WriteWithContext(ctx, path, data)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return answer, nil
}
