package seal

import (
	"fmt"
	"strings"
)

// Scope says how far a sealed value may be moved.
type Scope string

// The scopes of Sealed Secrets. Strict is the default.
const (
	Strict        Scope = "strict"         // this namespace and name; in the age encoding this key, too
	NamespaceWide Scope = "namespace-wide" // any name in this namespace
	ClusterWide   Scope = "cluster-wide"   // anywhere in the cluster
)

// Annotations of a SealedSecret that concern sealing. The scopes' value is
// "true" and ClusterWide wins, as in Sealed Secrets.
const (
	AnnotationClusterWide   = "sealedsecrets.bitnami.com/cluster-wide"
	AnnotationNamespaceWide = "sealedsecrets.bitnami.com/namespace-wide"
	AnnotationKey           = "fuin.dev/key"    // fingerprints of the keys used, comma-separated: a hint
	AnnotationInputs        = "fuin.dev/inputs" // items that feed templates and stay out of the Secret, comma-separated
)

// ParseScope reads the name of a scope; the empty name is Strict.
func ParseScope(name string) (Scope, error) {
	switch s := Scope(name); s {
	case "":
		return Strict, nil
	case Strict, NamespaceWide, ClusterWide:
		return s, nil
	}
	return "", refuse("use strict, namespace-wide or cluster-wide", "%q is no scope", name)
}

// ScopeOf reads the scope from the annotations of a Secret or SealedSecret.
func ScopeOf(annotations map[string]string) Scope {
	switch {
	case annotations[AnnotationClusterWide] == "true":
		return ClusterWide
	case annotations[AnnotationNamespaceWide] == "true":
		return NamespaceWide
	}
	return Strict
}

// annotation is the one that declares the scope, empty for Strict.
func (s Scope) annotation() string {
	switch s {
	case ClusterWide:
		return AnnotationClusterWide
	case NamespaceWide:
		return AnnotationNamespaceWide
	}
	return ""
}

// A Place is where a sealed value stands. Namespace, Name and Key count as far
// as the scope binds them.
type Place struct {
	Scope     Scope
	Namespace string
	Name      string
	Key       string
}

// A Final tells where an object of a file will stand once the file is rendered:
// a kustomization gives namespaces and renames. What the scope does not bind may
// be left as the file says. Nil is for files that are applied as they are.
type Final func(scope Scope, namespace, name string) (finalNamespace, finalName string, err error)

// of moves a place to where it will be. The key stays.
func (f Final) of(at Place) (Place, error) {
	if f == nil {
		return at, nil
	}
	var err error
	at.Namespace, at.Name, err = f(at.Scope, at.Namespace, at.Name)
	return at, err
}

// String names the place for errors: NAMESPACE/NAME key KEY.
func (p Place) String() string {
	return fmt.Sprintf("%s/%s key %q", p.Namespace, p.Name, p.Key)
}

// label is the OAEP label of the RSA encoding.
func (p Place) label() []byte {
	switch p.Scope {
	case ClusterWide:
		return []byte{}
	case NamespaceWide:
		return []byte(p.Namespace)
	}
	return []byte(p.Namespace + "/" + p.Name)
}

// check refuses a place whose bound parts are missing or could be mistaken
// for others when they are written in one line.
func (p Place) check() error {
	if p.Scope != ClusterWide && !isName(p.Namespace) {
		return missing("namespace", p.Namespace, "add metadata.namespace, or give -n NAMESPACE, or use --scope cluster-wide")
	}
	if p.Scope == Strict && !isName(p.Name) {
		return missing("name", p.Name, "add metadata.name, or give --name NAME")
	}
	if !IsKey(p.Key) {
		return refuse("use letters, digits, '-', '_' and '.'", "%.40q is no key of a Secret", p.Key)
	}
	return nil
}

func missing(part, value, hint string) error {
	if value == "" {
		return refuse(hint, "no %s, to which scope binds the value", part)
	}
	return refuse("use lower-case letters, digits, '-' and '.'", "%.40q is no %s", value, part)
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
)

// isName accepts what Kubernetes accepts as a Secret's name and namespace.
func isName(s string) bool {
	return s != "" && len(s) <= 253 && strings.Trim(s, lower+digits+"-.") == ""
}

// IsKey reports whether Kubernetes accepts s as a key of a Secret.
func IsKey(s string) bool {
	return s != "" && len(s) <= 253 && s != "." && s != ".." &&
		strings.Trim(s, lower+strings.ToUpper(lower)+digits+"-._") == ""
}
