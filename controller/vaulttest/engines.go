package vaulttest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/vault/api"
)

// KV mounts a key-value engine of version 1 or 2, and returns when it takes writes.
func (s *Server) KV(ctx context.Context, mount string, version int) error {
	options := map[string]string{"version": fmt.Sprint(version)}
	if err := s.mount(ctx, mount, &api.MountInput{Type: "kv", Options: options}); err != nil {
		return err
	}
	if version != 2 {
		return nil
	}
	return s.await(ctx, func() error { // version 2 makes itself ready after the answer
		_, err := s.Client().Logical().ReadWithContext(ctx, mount+"/config")
		return err
	})
}

// Transit mounts a transit engine with one key.
func (s *Server) Transit(ctx context.Context, mount, key string) error {
	if err := s.mount(ctx, mount, &api.MountInput{Type: "transit"}); err != nil {
		return err
	}
	return s.Write(ctx, mount+"/keys/"+key, nil)
}

// PKI mounts a PKI engine with an authority of its own and one role, by which any
// name gets a certificate that lasts as long as ttl.
func (s *Server) PKI(ctx context.Context, mount, role string, ttl time.Duration) error {
	input := &api.MountInput{Type: "pki", Config: api.MountConfigInput{MaxLeaseTTL: "8760h"}}
	if err := s.mount(ctx, mount, input); err != nil {
		return err
	}
	root := map[string]any{"common_name": "authority of " + mount, "ttl": "8760h", "key_type": "ec", "key_bits": 256}
	if err := s.Write(ctx, mount+"/root/generate/internal", root); err != nil {
		return err
	}
	return s.Write(ctx, mount+"/roles/"+role, map[string]any{
		"allow_any_name": true, "key_type": "ec", "key_bits": 256, "ttl": seconds(ttl), "max_ttl": seconds(ttl),
	})
}

// Database mounts a database engine, whose database is a list of Users. Several of
// them share it.
func (s *Server) Database(ctx context.Context, mount string) error {
	if err := s.mount(ctx, mount, &api.MountInput{Type: "database"}); err != nil {
		return err
	}
	return s.Write(ctx, mount+"/config/users", map[string]any{"plugin_name": "fuin-users", "allowed_roles": "*"})
}

// DatabaseRole makes a role whose users last as long as ttl. MOUNT/creds/ROLE makes one.
func (s *Server) DatabaseRole(ctx context.Context, mount, role string, ttl time.Duration) error {
	return s.Write(ctx, mount+"/roles/"+role, map[string]any{
		"db_name": "users", "creation_statements": "create", "default_ttl": seconds(ttl), "max_ttl": seconds(ttl),
	})
}

// Users is what the database knows.
type Users struct {
	Created int             `json:"created"` // so many ever
	Users   map[string]User `json:"users"`   // those that exist, by name
}

// User may log in to the database until its lease ends and Vault removes it.
type User struct {
	Password string    `json:"password"`
	Role     string    `json:"role"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"` // as Vault announced it
}

// Users asks the database. It outlives the server, as a database does.
func (s *Server) Users() (Users, error) {
	var all Users
	data, err := os.ReadFile(s.path("database.json"))
	if err != nil {
		return all, err
	}
	return all, json.Unmarshal(data, &all)
}

func (s *Server) mount(ctx context.Context, mount string, input *api.MountInput) error {
	if err := s.Client().Sys().MountWithContext(ctx, mount, input); err != nil {
		return fmt.Errorf("mounting %s at %s: %w", input.Type, mount, err)
	}
	return nil
}

// seconds writes a duration as Vault reads it, which knows no fractions.
func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }
