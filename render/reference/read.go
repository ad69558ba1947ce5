package reference

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// read reads what stands between ref+vault:// and the closing +. Its first byte
// is at offset of the text.
func read(body string, offset int) (*Reference, *Error) {
	rest, pointer, hasPointer := strings.Cut(body, "#")
	path, options, hasOptions := strings.Cut(rest, "?")
	r := &Reference{}
	var err *Error
	if r.Path, err = readPath(path, offset); err != nil {
		return nil, err
	}
	if hasPointer {
		if r.Pointer, err = readPointer(pointer, offset+len(rest)+1); err != nil {
			return nil, err
		}
	}
	if hasOptions {
		if err := r.readOptions(options, offset+len(path)+1); err != nil {
			return nil, err
		}
	}
	if err := r.check(offset); err != nil {
		return nil, err
	}
	return r, nil
}

// mayStand reports whether a character may stand in a reference as it is.
func mayStand(r rune, size int) bool {
	return (r != utf8.RuneError || size > 1) && r != ' ' && unicode.IsPrint(r) && !strings.ContainsRune(forbidden, r)
}

// nameOf names a kind of character, as the character itself may be a value's.
func nameOf(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return "what is not UTF-8"
	case r == '\n' || r == '\r':
		return "a line break"
	case r == '{' || r == '}':
		return "a brace"
	case r == '"' || r == '\'' || r == '`':
		return "a quote"
	case unicode.IsSpace(r):
		return "a space"
	case !unicode.IsPrint(r):
		return "a control character"
	}
	return "a character that may only stand in it as %XX"
}

func hintOf(r rune) string {
	if r == '{' || r == '}' {
		return "end it with a + before a template's {{ }}; a path cannot be computed"
	}
	return "end it with a +, as in " + Prefix + "MOUNT/PATH#/KEY+; in a path or a key write such a character as %XX"
}

// decode resolves %XX.
func decode(s string, offset int) (string, *Error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		b, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8)
		if err != nil || i+2 >= len(s) {
			return "", refuse(offset+i, "write a percent sign as %25", "a percent sign without two hexadecimal digits")
		}
		out = append(out, byte(b))
		i += 2
	}
	text := string(out)
	if !utf8.ValidString(text) {
		return "", refuse(offset, "", "%%XX that are not UTF-8")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", refuse(offset, "", "an encoded control character")
	}
	return text, nil
}

// systemMounts are first segments behind which no engine of secrets is mounted.
var systemMounts = []string{"auth", "cubbyhole", "identity", "sys"}

func readPath(path string, offset int) (string, *Error) {
	segments := strings.Split(path, "/")
	at := offset
	for i, s := range segments {
		segment, err := readSegment(s, at)
		if err != nil {
			return "", err
		}
		segments[i] = segment
		at += len(s) + 1
	}
	switch {
	case len(segments) < 2:
		return "", refuse(offset, "write "+Prefix+"MOUNT/PATH#/KEY", "the path has a mount only")
	case slices.Contains(systemMounts, segments[0]):
		return "", refuse(offset, "begin with the mount of an engine, as vault secrets list tells", "the path begins with what is Vault's own, or a token's")
	}
	return strings.Join(segments, "/"), nil
}

// readSegment refuses what a server or a proxy on the way could read as
// another path than the one that prefixes and policies are checked against.
func readSegment(s string, offset int) (string, *Error) {
	const hint = "write the path as Vault lists it, without a slash at its ends"
	segment, err := decode(s, offset)
	switch {
	case err != nil:
		return "", err
	case segment == "":
		return "", refuse(offset, hint, "the path has an empty segment")
	case segment == "." || segment == "..":
		return "", refuse(offset, hint, "the path has a segment . or ..")
	case strings.ContainsAny(segment, `/\`):
		return "", refuse(offset, hint, "the path has an encoded slash or backslash")
	case strings.Contains(segment, "%"):
		return "", refuse(offset, hint, "the path has an encoded percent sign")
	}
	return segment, nil
}

func readPointer(s string, offset int) (string, *Error) {
	const hint = "write #/KEY, or #/KEY/KEY for what is nested; ~1 is a slash in a key, ~0 a tilde"
	pointer, err := decode(s, offset)
	switch {
	case err != nil:
		return "", err
	case !strings.HasPrefix(pointer, "/"):
		return "", refuse(offset, hint, "what follows # does not begin with a slash")
	case strings.Contains(pointer+"/", "//"):
		return "", refuse(offset, hint, "a key behind # is empty")
	}
	for i, c := range pointer {
		if c == '~' && !strings.HasPrefix(pointer[i:], "~0") && !strings.HasPrefix(pointer[i:], "~1") {
			return "", refuse(offset, hint, "a tilde behind # that is neither ~0 nor ~1")
		}
	}
	return pointer, nil
}

// An option takes a value, which is not empty, and reports whether it is one.
type option func(r *Reference, value string) bool

var options = map[string]option{
	"version": func(r *Reference, value string) bool {
		n, err := strconv.ParseUint(value, 10, 31)
		r.Version = int(min(n, math.MaxInt32))
		return err == nil && n > 0 && value[0] != '0'
	},
	"decode":   func(r *Reference, value string) bool { r.Decode = true; return value == "base64" },
	"optional": func(r *Reference, value string) bool { r.Optional = true; return value == "true" },
	"engine":   func(r *Reference, value string) bool { r.Engine = value; return value == KV1 || value == KV2 },

	"common_name": parameter("common_name"),
	"alt_names":   parameter("alt_names"),
	"ttl":         parameter("ttl"),
}

func parameter(name string) option {
	return func(r *Reference, value string) bool {
		if r.Parameters == nil {
			r.Parameters = map[string]string{}
		}
		r.Parameters[name] = value
		return true
	}
}

const optionsHint = "options are version=N, decode=base64, optional=true and engine=kv1 or kv2; for a certificate common_name, alt_names and ttl"

// reserves are the beginnings of options by which other tools choose a server
// or an identity. Here both are the administrator's.
var reserves = []string{"address", "addr", "auth", "ca", "host", "namespace", "password", "port", "proto", "role", "secret", "tls", "token", "user"}

func (r *Reference) readOptions(text string, offset int) *Error {
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, "&") {
		name, encoded, _ := strings.Cut(part, "=")
		value, err := decode(encoded, offset)
		set := options[name]
		switch {
		case err != nil:
			return err
		case part == "":
			return refuse(offset, optionsHint, "an empty option")
		case set == nil && slices.ContainsFunc(reserves, func(p string) bool { return strings.HasPrefix(name, p) }):
			return refuse(offset, "address and log-in are a VaultConnection's; annotation fuin.dev/vault-connection names one of several",
				"an option for a server or a log-in, which a reference cannot choose")
		case set == nil:
			return refuse(offset, optionsHint, "an unknown option")
		case seen[name]:
			return refuse(offset, "keep one", "option %s stands twice", name)
		case value == "" || !set(r, value):
			return refuse(offset, optionsHint, "option %s has a value that it cannot have", name)
		}
		seen[name] = true
		offset += len(part) + 1
	}
	return nil
}

// check refuses options that exclude each other.
func (r *Reference) check(offset int) *Error {
	switch {
	case r.Engine == KV1 && r.Version > 0:
		return refuse(offset, "leave out one of them", "version=N with engine=kv1, which has no versions")
	case r.Decode && r.Pointer == "":
		return refuse(offset, "name the key, as in #/KEY", "decode=base64 without a key: the whole object is JSON")
	case r.Parameters != nil && !r.Issues():
		return refuse(offset, "a certificate is "+Prefix+"MOUNT/issue/ROLE?common_name=NAME", "common_name, alt_names or ttl with a path that issues no certificate")
	case r.Parameters != nil && (r.Version > 0 || r.Engine != ""):
		return refuse(offset, "leave out one of them", "version or engine with the parameters of a certificate")
	}
	return nil
}
