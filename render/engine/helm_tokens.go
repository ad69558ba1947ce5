package engine

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"

	"fuin.dev/render/wire"
)

// oneWay are the functions whose result for a token says nothing about that for
// its value. What others leave of a token the parent recognises.
var oneWay = []string{
	"adler32sum", "sha1sum", "sha256sum", "sha512sum", "bcrypt", "htpasswd", "derivePassword", "encryptAES",
	"shuffle",
}

// tokenHashes are what such functions made of text that holds a token, and
// which of them did.
type tokenHashes struct{ made map[string]string }

// record puts functions that remember in place of those that may be called.
func (h *tokenHashes) record(funcs template.FuncMap) {
	h.made = map[string]string{}
	funcs["urlquery"] = func(args ...any) string { return markQueries(template.URLQueryEscaper(args...)) }
	original := sprig.TxtFuncMap()
	for _, name := range oneWay {
		f := funcs[name]
		if f == nil {
			f = original[name]
		}
		if f != nil {
			funcs[name] = h.recorder(name, f)
		}
	}
}

// shortest is the length from which a result is no coincidence elsewhere, and
// maxHashes how many are remembered.
const (
	shortest  = 8
	maxHashes = 1000
)

func (h *tokenHashes) recorder(name string, f any) any {
	v := reflect.ValueOf(f)
	return reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value {
		var results []reflect.Value
		if v.Type().IsVariadic() {
			results = v.CallSlice(args)
		} else {
			results = v.Call(args)
		}
		text, _ := results[0].Interface().(string)
		if len(text) >= shortest && len(h.made) < maxHashes && holdToken(args) {
			h.made[text] = name
		}
		return results
	}).Interface()
}

// holdToken tells whether an argument holds a token, by how it begins.
func holdToken(args []reflect.Value) bool {
	for _, arg := range args {
		if text := fmt.Sprint(arg.Interface()); strings.Contains(text, "fuin1n_") || strings.Contains(text, "fuin1c_") {
			return true
		}
	}
	return false
}

// queryMark is seal.QueryMark: behind a token it tells that its value has to go
// through urlquery.
const queryMark = "~urlquery~"

var tokenHead = regexp.MustCompile(`fuin1[nc]_([0-9]{1,7})_`)

// markQueries puts the mark behind each token.
func markQueries(text string) string {
	var out strings.Builder
	for {
		m := tokenHead.FindStringSubmatchIndex(text)
		if m == nil {
			return out.String() + text
		}
		length, _ := strconv.Atoi(text[m[2]:m[3]])
		end := min(m[1]+length+len("_01234567"), len(text))
		out.WriteString(text[:end] + queryMark)
		text = text[end:]
	}
}

// refuse refuses a Secret that holds what was made of a token: an application
// would compare with it. Elsewhere, as in an annotation, a checksum may well be
// one over ciphertext.
func (h *tokenHashes) refuse(o chartObject) error {
	if len(h.made) == 0 || o.head.Kind != "Secret" {
		return nil
	}
	var secret struct {
		Data       map[string]any `json:"data"`
		StringData map[string]any `json:"stringData"`
	}
	if json.Unmarshal(o.Content, &secret) != nil {
		return nil
	}
	for _, field := range []map[string]any{secret.Data, secret.StringData} {
		for _, key := range sortedKeys(field) {
			if function := h.in(field[key]); function != "" {
				return blame(wire.NotRenderable, o.File, 0, "makes %s, whose key %q is %s of a token: nothing can make it that of the value",
					o.head.name(), abridge(key), function).advise("make it of the value, and seal that with fuin seal --token")
			}
		}
	}
	return nil
}

// in names the function whose result stands in a value, in plain or in base64.
func (h *tokenHashes) in(value any) string {
	text, _ := value.(string)
	plain, _ := base64.StdEncoding.DecodeString(text)
	for _, result := range sortedKeys(h.made) {
		if strings.Contains(text, result) || strings.Contains(string(plain), result) {
			return h.made[result]
		}
	}
	return ""
}
