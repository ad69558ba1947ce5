// Package reference is the grammar by which a Secret refers to values in Vault:
//
//	ref+vault://MOUNT/PATH[?OPTION[&OPTION…]][#/KEY[/KEY…]][+]
//
// Parse finds references in the text of a Secret's value, ParseTemplate in the
// literal text of a Go template. Nothing here reaches a network. No error quotes
// the text that was parsed: it may hold a secret.
package reference

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const (
	// MaxLength bounds a reference as it is written, in bytes.
	MaxLength = 2048
	// MaxReferences bounds the references in one text.
	MaxReferences = 256
	// Prefix is what a reference begins with.
	Prefix = "ref+vault://"
)

// The engines that a reference may name.
const (
	KV1 = "kv1"
	KV2 = "kv2"
)

// A Reference names a value in Vault.
type Reference struct {
	// Path is mount and path, decoded: segments that are never empty, "." or
	// "..", with a slash between them. Where the mount ends, only Vault knows,
	// and whether a segment "data" behind it is that of KV version 2.
	Path string
	// Version is that of a KV version 2 secret; 0 is the newest.
	Version int
	// Pointer is a JSON pointer into what Vault has there; "" is the whole
	// object, as JSON.
	Pointer string
	// Decode tells that the value is base64 in Vault.
	Decode bool
	// Optional tells that the key is left out where Vault has no value.
	Optional bool
	// Engine is KV1, KV2 or "", which leaves it to Vault to tell.
	Engine string
	// Parameters are those of a certificate to be issued: common_name,
	// alt_names and ttl. Else it is nil.
	Parameters map[string]string
}

// Issues reports whether the path has the form of a PKI engine's issue/ROLE,
// which is written to, not read.
func (r Reference) Issues() bool {
	segments := strings.Split(r.Path, "/")
	return len(segments) >= 3 && segments[len(segments)-2] == "issue"
}

// Keys are the names of the pointer, outermost first.
func (r Reference) Keys() []string {
	if r.Pointer == "" {
		return nil
	}
	keys := strings.Split(r.Pointer[1:], "/")
	for i, k := range keys {
		keys[i] = unescape.Replace(k)
	}
	return keys
}

var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// PointerTo is the JSON pointer that leads through these names.
func PointerTo(keys ...string) string {
	var pointer strings.Builder
	for _, k := range keys {
		pointer.WriteString("/" + escape.Replace(k))
	}
	return pointer.String()
}

// String is the canonical form. It reads back as the same reference, also
// inside longer text.
func (r Reference) String() string {
	var options []string
	add := func(name, value string) {
		if value != "" {
			options = append(options, name+"="+encode(value))
		}
	}
	add("engine", r.Engine)
	if r.Version > 0 {
		add("version", strconv.Itoa(r.Version))
	}
	if r.Decode {
		add("decode", "base64")
	}
	if r.Optional {
		add("optional", "true")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		add(name, r.Parameters[name])
	}
	text := Prefix + encode(r.Path)
	if len(options) > 0 {
		text += "?" + strings.Join(options, "&")
	}
	if r.Pointer != "" {
		text += "#" + encode(r.Pointer)
	}
	return text + "+"
}

// reserved are the printable characters that are written as %XX in a
// reference: those that end it or a part of it, and those that quote it in
// YAML, JSON, a shell or a template.
const reserved = " +?#%&=" + forbidden

// forbidden never stand in a reference as they are.
const forbidden = "\"'<>\\^`{|}"

func encode(s string) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for _, r := range s {
		if r < unicode.MaxASCII && strings.ContainsRune(reserved, r) {
			out.WriteByte('%')
			out.WriteByte(hex[r>>4])
			out.WriteByte(hex[r&15])
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}
