package seal

import (
	"crypto/md5"  //nolint:gosec // charts make it, and are told so
	"crypto/sha1" //nolint:gosec // likewise
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// misplaced refuses an object that holds a token elsewhere than in those of its
// fields that may: nobody would open it there.
func (f *filter) misplaced(n *yaml.Node, label string, may func(path string) bool) error {
	return eachText(n, "", func(at *yaml.Node, path string) error {
		if may(path) || !MayHoldTokens(at.Value) {
			return nil
		}
		parts, err := readParts(at.Value)
		var e *Error
		switch {
		case errors.As(err, &e):
			return refuseAt(at.Line, e.hint, "%s: %s: %s", label, shownPath(path), e.Reason)
		case parts != nil:
			return refuseAt(at.Line, "have the chart put it into a Secret, and name that here",
				"%s: %s: a token outside the values of a Secret, where nothing opens it", label, shownPath(path))
		}
		return nil
	})
}

// eachText visits the scalars of a tree, keys too, with the way to them:
// .spec.containers[0].image.
func eachText(n *yaml.Node, path string, visit func(n *yaml.Node, path string) error) error {
	if n.Kind == yaml.ScalarNode {
		return visit(n, path)
	}
	for i, child := range n.Content {
		at := path
		switch {
		case n.Kind == yaml.SequenceNode:
			at += "[" + strconv.Itoa(i) + "]"
		case i%2 == 1:
			at += "." + n.Content[i-1].Value
		}
		if err := eachText(child, at, visit); err != nil {
			return err
		}
	}
	return nil
}

// shownPath bounds a way, and leaves a token out that is part of it.
func shownPath(path string) string {
	const shown = 200
	path = strings.TrimPrefix(path, ".")
	if at := nextToken(path, 0); at >= 0 {
		path = path[:at] + "…"
	}
	if len(path) > shown {
		path = strings.ToValidUTF8(path[:shown], "") + "…"
	}
	if path == "" {
		return "a field's name"
	}
	return path
}

// hashesOf are the hashes that templates can make of tokens, in hex.
func hashesOf(tokens []Token) map[string]string {
	all := map[string]string{}
	for _, t := range tokens {
		text := []byte(t.String())
		a, b, c, d := md5.Sum(text), sha1.Sum(text), sha256.Sum256(text), sha512.Sum512(text) //nolint:gosec // to find them
		for name, sum := range map[string][]byte{"md5": a[:], "sha1": b[:], "sha256": c[:], "sha512": d[:]} {
			all[hex.EncodeToString(sum)] = name
		}
	}
	return all
}

// bcryptFailure is what bcrypt and htpasswd write for a token, which is longer
// than they take.
const bcryptFailure = "failed to encrypt string with bcrypt"

// A suspect is what may be the hash of a token that another object holds.
type suspect struct {
	hash string
	err  func(function string) error
}

// suspect remembers the hexadecimal numbers in a value.
func (f *filter) suspect(t *tokenSource, it item) {
	const longest = sha512.Size * 2
	first := f.walk.first
	hexadecimal := codings[len(codings)-1]
	for text, from := string(it.value), 0; ; {
		start, end, ok := hexadecimal.run(text, from)
		if !ok {
			return
		}
		if size := end - start; size >= md5.Size*2 && size <= longest {
			at := *it.textNode
			at.Line += first - 1
			f.suspects = append(f.suspects, suspect{hash: text[start:end], err: func(function string) error {
				return t.hashed(item{key: it.key, textNode: &at}, function)
			}})
		}
		from = end
	}
}

// convict refuses a hash of a token, now that all tokens are known.
func (f *filter) convict() error {
	if len(f.suspects) == 0 {
		return nil
	}
	hashes := hashesOf(append(f.met, f.Known...))
	for _, s := range f.suspects {
		if function := hashes[s.hash]; function != "" {
			return s.err(function)
		}
	}
	return nil
}
