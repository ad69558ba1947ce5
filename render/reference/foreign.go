package reference

import (
	"regexp"
	"strconv"
	"strings"
)

// A Foreign is a reference as another tool reads it, in a text. It is read for
// migration, and to tell that it is not resolved here.
type Foreign struct {
	Offset, End int // where it stands in the text
	// Reference is what it means. It is of no use where Err is set.
	Reference Reference
	// Encode tells that the value is put there in base64.
	Encode bool
	// Writes tells that reading it would write to Vault.
	Writes bool
	// Err tells why it cannot be written as one of ours; nil if it can.
	Err *Error
}

// Placeholders are what the annotations of an object say about <KEY> to
// argocd-vault-plugin. The zero value says nothing.
type Placeholders struct {
	Ignore   bool   // avp.kubernetes.io/ignore: nothing in < > is a reference
	Path     string // avp.kubernetes.io/path
	Version  string // avp.kubernetes.io/secret-version
	Engine   string // KV1 or KV2, by avp.kubernetes.io/kv-version
	Optional bool   // avp.kubernetes.io/remove-missing
}

// PlaceholdersOf reads the annotations of an object.
func PlaceholdersOf(annotation func(name string) string) Placeholders {
	isTrue := func(name string) bool {
		yes, _ := strconv.ParseBool(annotation(name))
		return yes
	}
	return Placeholders{
		Ignore:   isTrue("avp.kubernetes.io/ignore"),
		Path:     annotation("avp.kubernetes.io/path"),
		Version:  annotation("avp.kubernetes.io/secret-version"),
		Engine:   map[string]string{"1": KV1, "2": KV2}[annotation("avp.kubernetes.io/kv-version")],
		Optional: isTrue("avp.kubernetes.io/remove-missing"),
	}
}

// ContainsForeign reports whether a text may hold what FindForeign finds. It is
// cheap, and knows nothing of Placeholders.
func ContainsForeign(text string) bool {
	return strings.Contains(text, "<path:") || strings.Contains(text, "vault:")
}

// FindForeign lists the references of a text that argocd-vault-plugin
// (<path:PATH#KEY#VERSION>, and <KEY> if annotations name a path) and the webhook
// of bank-vaults (vault:PATH#KEY#VERSION and >>vault:… as the whole text,
// ${vault:PATH#KEY} in it) would resolve, in their order.
func FindForeign(text string, p Placeholders) []Foreign {
	if all := findPlaceholders(text, p); len(all) > 0 {
		return all // one tool at a time
	}
	if all := findInline(text); len(all) > 0 {
		return all
	}
	if whole, ok := wholeVault(text); ok {
		return []Foreign{whole}
	}
	return nil
}

func findPlaceholders(text string, p Placeholders) (all []Foreign) {
	if p.Ignore {
		return nil
	}
	for _, m := range placeholder(p).FindAllStringIndex(text, -1) {
		f := Foreign{Offset: m[0], End: m[1]}
		f.readPlaceholder(text[m[0]+1:m[1]-1], p)
		all = append(all, f)
	}
	return all
}

// Rewrite is the text with ours in place of the foreign references, and their
// values not encoded. The error is the first of theirs, or tells that what came
// out does not read.
func Rewrite(text string, found []Foreign) (string, error) {
	var out strings.Builder
	at := 0
	for _, f := range found {
		if f.Err != nil {
			return "", f.Err
		}
		out.WriteString(text[at:f.Offset])
		written := f.Reference.String()
		if f.Offset == 0 && f.End == len(text) {
			written = strings.TrimSuffix(written, "+")
		}
		out.WriteString(written)
		at = f.End
	}
	out.WriteString(text[at:])
	if _, err := Parse(out.String()); err != nil {
		return "", err
	}
	return out.String(), nil
}

var (
	pathPlaceholder = regexp.MustCompile(`<path:[^#<>\n]+#[^#<>\n]+(?:#[^#<>\n]+)?>`)
	anyPlaceholder  = regexp.MustCompile(`<[^<>\n]+>`)
	transit         = regexp.MustCompile(`\Avault:v[0-9]+:`)
)

func placeholder(p Placeholders) *regexp.Regexp {
	if p.Path != "" {
		return anyPlaceholder
	}
	return pathPlaceholder
}

const byHand = "write it by hand; docs/vault.md tells what there is"

// readPlaceholder reads what stands between < and >.
func (f *Foreign) readPlaceholder(body string, p Placeholders) {
	body, modifiers, _ := strings.Cut(body, "|")
	body = strings.TrimSpace(body)
	if rest, ok := strings.CutPrefix(body, "path:"); ok {
		path, key, _ := strings.Cut(rest, "#")
		key, version, _ := strings.Cut(key, "#")
		f.set(path, key, version)
	} else {
		f.set(p.Path, body, p.Version)
		f.Reference.Optional = p.Optional
		if f.Reference.Engine = p.Engine; p.Engine == KV1 {
			f.Reference.Version = 0
		}
	}
	for modifier := range strings.SplitSeq(modifiers, "|") {
		f.modify(strings.TrimSpace(modifier))
	}
}

func (f *Foreign) modify(modifier string) {
	switch {
	case modifier == "":
	case f.Err == nil && modifier == "base64decode" && !f.Encode && !f.Reference.Decode:
		f.Reference.Decode = true
	case f.Err == nil && modifier == "base64encode" && !f.Encode:
		f.Encode = true
	case f.Err == nil:
		f.Err = refuse(f.Offset, byHand, "a function behind | that has no form here")
	}
}

// wholeVault reads a text that is one reference of bank-vaults.
func wholeVault(text string) (Foreign, bool) {
	if strings.HasPrefix(text, ">>vault:") {
		return Foreign{End: len(text), Writes: true, Err: errWrites(0)}, true
	}
	rest, ok := strings.CutPrefix(text, "vault:")
	if !ok {
		return Foreign{}, false
	}
	f := Foreign{End: len(text)}
	path, _, hasKey := strings.Cut(rest, "#")
	switch {
	case transit.MatchString(text):
		f.Err = errTransit(0)
	case !hasKey || !strings.Contains(path, "/") || strings.ContainsAny(path, " \t\r\n"):
		return Foreign{}, false
	default:
		f.readVault(rest)
	}
	return f, true
}

// findInline lists the ${vault:…} of a text. Braces in them are in pairs.
func findInline(text string) (all []Foreign) {
	for at := 0; ; {
		i := strings.Index(text[at:], "${")
		if i < 0 {
			return all
		}
		start := at + i
		body := text[start+len("${"):]
		body = body[:min(len(body), MaxLength)]
		at = start + len("${")
		rest, ok := strings.CutPrefix(strings.TrimLeft(body, ">"), "vault:")
		if !ok {
			continue
		}
		end := closing(body)
		if end < 0 {
			continue
		}
		f := Foreign{Offset: start, End: at + end + 1}
		switch {
		case strings.HasPrefix(body, ">"):
			f.Writes, f.Err = true, errWrites(start)
		case transit.MatchString(body):
			f.Err = errTransit(start)
		default:
			f.readVault(rest[:len(rest)-(len(body)-end)])
		}
		all = append(all, f)
		at = f.End
	}
}

// closing is the offset of the brace that closes one before the text; -1 if
// there is none.
func closing(text string) int {
	depth := 1
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// readVault reads PATH#KEY#VERSION.
func (f *Foreign) readVault(rest string) {
	path, key, _ := strings.Cut(rest, "#")
	key, version, _ := strings.Cut(key, "#")
	if strings.Contains(key, "${") || strings.Contains(key, "{{") {
		f.Err = refuse(f.Offset, "make the value with a SealedSecret's template: functions go outside of the reference", "a template in place of a key")
		return
	}
	if version == "-1" {
		version = ""
	}
	f.set(path, key, version)
}

func errWrites(offset int) *Error {
	return refuse(offset, "write the value to Vault yourself, once; then refer to it", ">>vault: writes to Vault, which nothing here does")
}

func errTransit(offset int) *Error {
	return refuse(offset, "decrypt it, and seal the value with fuin seal", "a value that Vault's transit engine encrypted")
}

// set makes the reference of a path, a key and a version, as the others write
// them: nothing is encoded.
func (f *Foreign) set(path, key, version string) {
	r := Reference{Path: strings.Trim(strings.TrimSpace(path), "/")}
	if key = strings.TrimSpace(key); key == "" {
		f.Err = refuse(f.Offset, byHand, "a key is missing")
		return
	}
	r.Pointer = PointerTo(key)
	if version = strings.TrimSpace(version); version != "" {
		n, err := strconv.ParseUint(version, 10, 31)
		if err != nil || n == 0 {
			f.Err = refuse(f.Offset, "write a number", "a version that is no number")
			return
		}
		r.Version = int(n)
	}
	parts, err := Parse(r.String())
	if err != nil {
		f.Err = refuse(f.Offset, byHand, "what it names cannot be referred to: %s", err)
		return
	}
	f.Reference = *parts[0].Reference
}
