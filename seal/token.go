package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// A Token is a sealed value that stands in any text: in the values of a Helm
// chart, in a URL, where no SealedSecret stands yet. It is written in letters,
// digits, - and _ alone, which chart templates pass on as they are.
//
//	fuin1n_LENGTH_SEALED_CRC    of scope NamespaceWide
//	fuin1c_LENGTH_SEALED_CRC    of scope ClusterWide
//
// SEALED is unpadded base64url of the bytes that a SealedSecret holds in
// standard base64, LENGTH its length in characters, in decimal, and CRC the
// CRC-32 (IEEE) of all before the last _, in eight digits of lower-case hex.
// What follows a token, even if it is a letter, does not belong to it.
type Token struct {
	Scope  Scope
	Sealed string // in standard base64, as spec.encryptedData holds it
}

// tokenMagic begins every token; a letter for its scope follows.
const tokenMagic = "fuin1"

var tokenScopes = map[byte]Scope{'n': NamespaceWide, 'c': ClusterWide}

const (
	maxLength = len("2796202") // of LENGTH: 2 MiB in base64url
	crcLength = 8
)

// Token seals a value to stand in any text. The name of the Secret that it
// will be part of is unknown, so the scope is NamespaceWide or ClusterWide; for
// the latter the namespace does not count.
func (s *Sealer) Token(scope Scope, namespace string, value []byte) (Token, error) {
	if scope != NamespaceWide && scope != ClusterWide {
		return Token{}, refuse("use namespace-wide or cluster-wide", "a token is never of scope %s: the name of its Secret is not known", scope)
	}
	if scope == NamespaceWide && !isName(namespace) {
		return Token{}, missing("namespace", namespace, "give -n NAMESPACE, or use --scope cluster-wide")
	}
	sealed, err := s.Seal(Place{Scope: scope, Namespace: namespace, Key: "token"}, value)
	return Token{scope, sealed}, err
}

// String writes the token; it is empty for one that holds nothing sealed.
func (t Token) String() string {
	raw, err := decode(t.Sealed)
	if err != nil {
		return ""
	}
	letter := byte('c')
	if t.Scope == NamespaceWide {
		letter = 'n'
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	head := fmt.Sprintf("%s%c_%d_%s", tokenMagic, letter, len(text), text)
	return head + "_" + checksum(head)
}

func checksum(head string) string {
	return fmt.Sprintf("%0*x", crcLength, crc32.ChecksumIEEE([]byte(head)))
}

// ParseToken reads a token that stands alone.
func ParseToken(text string) (Token, error) {
	t, size, err := leadingToken(text)
	if err == nil && size < len(text) {
		err = refuse("", "something follows the token")
	}
	return t, err
}

// IsToken reports whether a text is one whole token and nothing else.
func IsToken(text string) bool {
	_, err := ParseToken(text)
	return err == nil
}

var (
	errNoToken  = refuse("make one with fuin seal --token", "no token")
	errCutToken = refuse(tokenHint, "a token that is cut short")
	errBadToken = refuse(tokenHint, "a token that was altered")
)

const tokenHint = "a token must be passed on as it is: no trunc, upper, hash or the like; seal the outcome instead"

// leadingToken reads the token with which a text begins. size is its length
// in bytes.
func leadingToken(text string) (t Token, size int, err error) {
	scope, rest, ok := tokenHead(text)
	if !ok {
		return Token{}, 0, errNoToken
	}
	number, _, ended := strings.Cut(rest[:min(len(rest), maxLength+1)], "_")
	length, err := strconv.Atoi(number)
	if err != nil || length < 1 || strconv.Itoa(length) != number || len(number) > maxLength {
		return Token{}, 0, errBadToken
	}
	start := len(text) - len(rest) + len(number) + len("_")
	head := start + length
	if size = head + len("_") + crcLength; !ended || len(text) < size {
		return Token{}, 0, errCutToken
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text[start:head])
	if err != nil || base64.RawURLEncoding.EncodedLen(len(raw)) != length || text[head:size] != "_"+checksum(text[:head]) {
		return Token{}, 0, errBadToken
	}
	return Token{scope, base64.StdEncoding.EncodeToString(raw)}, size, nil
}

// tokenHead reads what is before LENGTH.
func tokenHead(text string) (scope Scope, rest string, ok bool) {
	rest, ok = strings.CutPrefix(text, tokenMagic)
	if !ok || len(rest) < 2 || rest[1] != '_' {
		return "", "", false
	}
	scope, ok = tokenScopes[rest[0]]
	return scope, rest[2:], ok
}

// A FoundToken is a token in a text, or what is left of one.
type FoundToken struct {
	Start, End int // in bytes
	Token      Token
	Err        error // an *[Error]: it is cut short, or altered
}

// FindTokens finds all tokens in a text, in their order, and what is left of
// tokens that went through a transformation. A mere description of the format,
// with no number where the length belongs, is neither.
func FindTokens(text string) []FoundToken {
	var found []FoundToken
	for at := nextToken(text, 0); at >= 0; at = nextToken(text, last(found).End) {
		f := FoundToken{Start: at, End: at + remnant(text[at:])}
		t, size, err := leadingToken(text[at:])
		if err == nil {
			f.Token, f.End = t, at+size
		} else if f.Err = err; errors.Is(err, errNoToken) {
			f.Err = errBadToken
		}
		found = append(found, f)
	}
	return found
}

// nextToken finds where a token begins, whatever became of its letters'
// case and of its underscores; -1 if none does.
func nextToken(text string, from int) int {
	for i := from; ; i++ {
		next := strings.IndexByte(text[i:], '1')
		if next < 0 {
			return -1
		}
		i += next
		start := i - len(tokenMagic) + 1
		if start >= from && strings.EqualFold(text[start:i+1], tokenMagic) && isTokenTail(text[i+1:]) {
			return start
		}
	}
}

// isTokenTail reports whether a text goes on as a token does behind its magic.
func isTokenTail(text string) bool {
	if len(text) < 2 || strings.IndexByte("ncNC", text[0]) < 0 {
		return false
	}
	text = strings.TrimLeft(text[1:min(len(text), 3)], "_-")
	return text != "" && strings.IndexByte(digits, text[0]) >= 0
}

// remnant is the length of what still looks like a token.
func remnant(text string) int {
	rest := strings.TrimLeft(text, lower+"ABCDEFGHIJKLMNOPQRSTUVWXYZ"+digits+"-_")
	return len(text) - len(rest)
}
