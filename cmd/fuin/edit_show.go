package main

import (
	"context"
	"encoding/json"
	"errors"

	"fuin.dev/seal"
)

// prepareShow finds out how values are shown: by private keys, by the cluster,
// or not at all.
func (e *editing) prepareShow(ctx context.Context) error {
	var ways []func(seal.Value) ([]byte, bool)
	if len(e.identity.files) > 0 {
		ids, err := e.identity.load(ctx, e.u)
		if err != nil {
			return err
		}
		opener := seal.Opener{Identities: ids}
		ways = append(ways, func(v seal.Value) ([]byte, bool) {
			plain, _, err := opener.Open(e.final(v.At), v.Sealed)
			return plain, err == nil
		})
	}
	if e.reveal && e.data != nil {
		revealed, err := e.askCluster(ctx)
		if err != nil {
			return err
		}
		ways = append(ways, func(v seal.Value) ([]byte, bool) {
			plain, ok := revealed[v.Sealed]
			return plain, ok
		})
	}
	e.show = func(v seal.Value) ([]byte, bool) {
		for _, way := range ways {
			if plain, ok := way(v); ok {
				return plain, true
			}
		}
		return nil, false
	}
	return nil
}

// final is where a value of the file will stand.
func (e *editing) final(at seal.Place) seal.Place {
	if at.Namespace == "" {
		at.Namespace = e.namespace
	}
	if namespace, name, err := e.plan.final(at.Scope, at.Namespace, at.Name); err == nil {
		at.Namespace, at.Name = namespace, name
	}
	return at
}

// askCluster reads, as the user, the Secrets that the SealedSecrets of the file
// make, and returns their values by what they were sealed to. A Secret tells of a
// value only while the cluster has the very ciphertext of the file, and says
// that it is synced.
func (e *editing) askCluster(ctx context.Context) (map[string][]byte, error) {
	values, err := seal.Values(e.data)
	if err != nil {
		return nil, nameError(e.file, err)
	}
	name, err := e.u.contextOf(e.file, e.context)
	if err != nil {
		return nil, err
	}
	c, err := e.keys.cluster.dial(name)
	if err != nil {
		return nil, &fault{err, hintKubeconfig, exitUnreachable}
	}
	e.u.note("showing what is in %s", c)
	out := map[string][]byte{}
	asked := map[[2]string]*openedSecret{}
	sealed := map[[2]string]seal.State{}
	for _, v := range values {
		at := e.final(v.At)
		id := [2]string{at.Namespace, at.Name}
		if _, known := asked[id]; !known {
			if asked[id], sealed[id], err = c.secretOf(ctx, at); err != nil {
				return nil, err
			}
		}
		if secret := asked[id]; secret != nil && sealed[id].Values[v.At.Key] == v.Sealed {
			if plain, ok := secret.Data[v.At.Key]; ok {
				out[v.Sealed] = plain
			}
		}
	}
	return out, nil
}

// secretOf reads a SealedSecret and its Secret; nil if the one is not there or
// the other not as it says.
func (c *cluster) secretOf(ctx context.Context, at seal.Place) (*openedSecret, seal.State, error) {
	none := seal.State{}
	if !dnsName().MatchString(at.Namespace) || !dnsName().MatchString(at.Name) {
		return nil, none, nil
	}
	state, status, _, err := c.sealedSecret(ctx, at)
	if errors.Is(err, errAbsent) || err == nil && status != "True" {
		return nil, none, nil
	}
	if err != nil {
		return nil, none, err
	}
	body, err := c.get(ctx, "api/v1/namespaces", at.Namespace, "secrets", at.Name)
	if errors.Is(err, errAbsent) {
		return nil, none, nil
	}
	if err != nil {
		return nil, none, err
	}
	secret := &openedSecret{}
	if json.Unmarshal(body, secret) != nil { // whose message can quote it
		return nil, none, unreachable(hintNewer, "%s: %s/%s: its answer is no Secret", c, at.Namespace, at.Name)
	}
	return secret, *state, nil
}
