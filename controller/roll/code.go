// Package roll restarts workloads when what they read at their start has
// changed: a code of the Secrets and ConfigMaps that a workload names stands in
// its pod template, so that a change of content is a change of the template.
//
// A [Coder] makes the codes. [Coder.Annotate] puts one into a workload that is
// about to be applied; a [Roller] keeps that of workloads which ask for it by
// annotation.
package roll

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"

	"fuin.dev/controller/parts"
	"fuin.dev/render"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// purpose separates these codes from all else that the MAC key is for.
const purpose = "fuin/1 rollout"

// maxNamed bounds how many objects one workload's code may cover.
const maxNamed = 256

// ErrTooMany is about a workload that names more than anyone should read.
var ErrTooMany = fmt.Errorf("it names more than %d Secrets and ConfigMaps", maxNamed)

// A Coder makes codes. They can be made and compared only with its key.
type Coder struct{ key []byte }

// NewCoder derives the key from the cluster's MAC key.
func NewCoder(master []byte) (*Coder, error) {
	key, err := hkdf.Key(sha256.New, master, nil, purpose, sha256.Size)
	return &Coder{key}, err
}

// MissingError is about an object, or a key of it, without which the pods of a
// workload do not start.
type MissingError struct {
	Kind, Namespace, Name string
	Key                   string // "" if all of it is missing
}

// Error names what is missing, and of a key no more than its name.
func (e *MissingError) Error() string {
	if e.Key != "" {
		return fmt.Sprintf("%s %s/%s has no key %.80q", e.Kind, e.Namespace, e.Name, e.Key)
	}
	return fmt.Sprintf("there is no %s %s/%s", e.Kind, e.Namespace, e.Name)
}

// Code codes what uses name in a namespace, in whatever order they stand; it is
// "" if they name nothing but pull secrets. It covers the content of the keys
// that a workload reads, which optional ones are absent, and namespace and
// names, so that it says nothing about another place. It covers no UID,
// metadata or version: whoever makes an object anew with the same content
// restarts nothing.
//
// The error is a *[MissingError] if the pods could not start, and [ErrTooMany] if
// uses name hundreds of objects.
func (c *Coder) Code(ctx context.Context, read client.Reader, namespace string, uses []render.Use) (string, error) {
	all := merge(uses)
	switch {
	case len(all) == 0:
		return "", nil
	case len(all) > maxNamed:
		return "", ErrTooMany
	}
	h := hmac.New(sha256.New, c.key)
	parts.Write(h, purpose, namespace, strconv.Itoa(len(all)))
	for _, n := range all {
		found, err := n.read(ctx, read, namespace)
		if err != nil {
			return "", err
		}
		if err := n.write(h, namespace, found); err != nil {
			return "", err
		}
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)), nil
}

// named is an object that a workload names, all places together.
type named struct {
	kind, name string
	required   bool
	whole      bool            // every key counts
	keys       map[string]bool // that count, and whether pods need them
}

// merge sorts what uses name, each object once.
func merge(uses []render.Use) []*named {
	byName := map[string]*named{}
	for _, use := range uses {
		if use.Pull {
			continue
		}
		id := use.Kind + "/" + use.Name
		n := byName[id]
		if n == nil {
			n = &named{kind: use.Kind, name: use.Name, keys: map[string]bool{}}
			byName[id] = n
		}
		n.required = n.required || !use.Optional
		n.whole = n.whole || use.Keys == nil
		for _, key := range use.Keys {
			n.keys[key] = n.keys[key] || !use.Optional
		}
	}
	out := make([]*named, 0, len(byName))
	for _, id := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, byName[id])
	}
	return out
}

// values are the data of an object; nil if there is none.
type values struct{ data, binary map[string][]byte }

// read reads an object from the API server.
func (n *named) read(ctx context.Context, read client.Reader, namespace string) (*values, error) {
	if len(content.IsPathSegmentName(n.name)) > 0 {
		return nil, nil // there can be no such object
	}
	out := &values{data: map[string][]byte{}}
	var err error
	at := client.ObjectKey{Namespace: namespace, Name: n.name}
	if n.kind == "Secret" {
		var s corev1.Secret
		err = read.Get(ctx, at, &s)
		out.data = s.Data
	} else {
		var m corev1.ConfigMap
		err = read.Get(ctx, at, &m)
		for key, value := range m.Data {
			out.data[key] = []byte(value)
		}
		out.binary = m.BinaryData
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s %s: %w", n.kind, at, err)
	}
	return out, nil
}

// What stands before content in a code, so that no two contents read alike.
const (
	partAbsent = "absent"
	partData   = "data"
	partBinary = "binary"
)

// write writes an object into a code.
func (n *named) write(h hash.Hash, namespace string, found *values) error {
	parts.Write(h, n.kind, n.name)
	if found == nil {
		if n.required {
			return &MissingError{Kind: n.kind, Namespace: namespace, Name: n.name}
		}
		parts.Write(h, partAbsent)
		return nil
	}
	all := maps.Clone(n.keys)
	if n.whole {
		for _, key := range slices.Concat(slices.Collect(maps.Keys(found.data)), slices.Collect(maps.Keys(found.binary))) {
			all[key] = all[key] || false
		}
	}
	parts.Write(h, strconv.Itoa(len(all)))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		value, isData := found.data[key]
		binary, isBinary := found.binary[key]
		switch {
		case isData:
			parts.Write(h, key, partData, string(value))
		case isBinary:
			parts.Write(h, key, partBinary, string(binary))
		case all[key]:
			return &MissingError{Kind: n.kind, Namespace: namespace, Name: n.name, Key: key}
		default:
			parts.Write(h, key, partAbsent)
		}
	}
	return nil
}
