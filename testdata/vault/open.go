package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/vault/helper/namespace"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/vault"
)

// activeTimeout bounds how long it may take until a core is active.
const activeTimeout = 20 * time.Second

// keyFile is what keys.json says.
type keyFile struct {
	RootToken string `json:"root_token"`
	UnsealKey string `json:"unseal_key"` // hexadecimal
}

// open initializes the storage if it is new, unseals all cores, and has audited
// whatever they do, before anybody can ask them.
func open(ctx context.Context, dir string, nodes []*node) error {
	ctx = namespace.RootContext(ctx)
	first := nodes[0].core
	initialized, err := first.Initialized(ctx)
	if err != nil {
		return err
	}
	if initialized {
		return unsealAll(dir, nodes)
	}
	if err := initialize(ctx, dir, first); err != nil {
		return fmt.Errorf("initializing: %w", err)
	}
	if err := unsealAll(dir, nodes); err != nil {
		return err
	}
	return enableAudit(ctx, dir, first)
}

func initialize(ctx context.Context, dir string, core *vault.Core) error {
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(ctx, &vault.InitParams{BarrierConfig: one, RecoveryConfig: one})
	if err != nil {
		return err
	}
	data, err := json.Marshal(keyFile{RootToken: made.RootToken, UnsealKey: hex.EncodeToString(made.SecretShares[0])})
	if err != nil {
		return err
	}
	return replace(path(dir, keysFile), data)
}

// unsealAll unseals the first core and waits until it is active, then the rest.
func unsealAll(dir string, nodes []*node) error {
	keys, err := readKeys(dir)
	if err != nil {
		return err
	}
	key, err := hex.DecodeString(keys.UnsealKey)
	if err != nil {
		return err
	}
	for i, n := range nodes {
		if _, err := n.core.Unseal(bytes.Clone(key)); err != nil { // which zeroes what it is given
			return fmt.Errorf("unsealing core %d: %w", i, err)
		}
		if i == 0 {
			if err := awaitActive(n.core); err != nil {
				return err
			}
		}
	}
	return nil
}

func readKeys(dir string) (keyFile, error) {
	var keys keyFile
	data, err := os.ReadFile(path(dir, keysFile))
	if err != nil {
		return keys, err
	}
	return keys, json.Unmarshal(data, &keys)
}

func awaitActive(core *vault.Core) error {
	for deadline := time.Now().Add(activeTimeout); ; time.Sleep(2 * time.Millisecond) {
		standby, err := core.Standby()
		if err != nil || !standby {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("the first core does not become active")
		}
	}
}

// enableAudit has the log written. Values in it are hashes, paths are not.
func enableAudit(ctx context.Context, dir string, core *vault.Core) error {
	keys, err := readKeys(dir)
	if err != nil {
		return err
	}
	token, err := core.DecodeSSCToken(keys.RootToken)
	if err != nil {
		return err
	}
	answer, err := core.HandleRequest(ctx, &logical.Request{
		Operation:   logical.UpdateOperation,
		Path:        "sys/audit/file",
		ClientToken: token,
		Data: map[string]any{
			"type":    "file",
			"options": map[string]any{"file_path": path(dir, auditFile)},
		},
	})
	if err == nil && answer != nil && answer.IsError() {
		err = answer.Error()
	}
	if err != nil {
		return fmt.Errorf("enabling the audit log: %w", err)
	}
	return nil
}
