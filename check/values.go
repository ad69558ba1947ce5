package check

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"fuin.dev/lazy"
	"fuin.dev/render/reference"
	"fuin.dev/seal"
)

// A place says how sure one must be of a value to call it a secret.
type place int

const (
	inSecret place = iota // all that can be read is one
	inField               // a field or variable, whose name decides
	inCode                // a name may mean anything: the value must look like one, too
)

// isPlain reports whether a value can be read where it should not be; field is
// the name it stands under.
func isPlain(field, value string, where place) bool {
	value = strings.TrimSpace(value)
	if value == "" || where != inSecret && senseOf(field) == harmless || isSealed(value) {
		return false
	}
	if where == inSecret {
		return !isPublic(value) && !standIn().MatchString(value) && (literal(value) == value || holdsSecret(literal(value)))
	}
	sense := senseOf(field)
	if rest := literal(value); rest != value {
		return sense == login && holdsLogin(rest)
	}
	if isIndirect(value) || isProse(value) || isPublic(value) {
		return false
	}
	switch sense {
	case password:
		return !isWord(field, value) && (where == inField || looksRandom(value))
	case login:
		return holdsLogin(value)
	}
	return looksRandom(value)
}

// isSealed takes what others cannot read: sealed values and tokens, values of
// SOPS and Ansible, references to a vault.
func isSealed(value string) bool {
	switch {
	case strings.HasPrefix(value, "ENC[") && strings.HasSuffix(value, "]"), strings.HasPrefix(value, "$ANSIBLE_VAULT;"),
		strings.HasPrefix(value, "-----BEGIN AGE ENCRYPTED FILE-----"), strings.HasPrefix(value, "-----BEGIN PGP MESSAGE-----"),
		len(value) > 340 && rsaForm().MatchString(value),
		strings.HasPrefix(value, "YWdlLWVuY3J5cHRpb24ub3JnL3Yx"): // age-encryption.org/v1
		return true
	}
	return isOne(value, referenceForm) || argoForm().MatchString(value)
}

// rsaForm is how a value of Sealed Secrets begins: with the length of its RSA
// part, of 2048, 3072 or 4096 bits.
var rsaForm = lazy.Regexp(`^A[QYg][A-D][A-Za-z0-9+/]`)

// What stands for a value that is elsewhere.
var (
	referenceForm = lazy.Regexp(`(?:ref\+[a-z0-9]+://|vault:|>>vault:|op://|arn:aws:(?:secretsmanager|ssm):|awssm://|gcpsm://|akvs://|secretref\+|<path:)[^\s"']*|\$\{vault:[^}]*\}`)
	argoForm      = lazy.Regexp(`^\$[a-z][A-Za-z0-9-]*(?:[.:][A-Za-z0-9_-]+)+$`) // $SECRET:KEY in Argo CD's own settings
	templateForm  = lazy.Regexp(`\{\{(?:[^{}]|\{[^{}]*\}|\}[^}])*\}\}|\$\{[^}]*\}|\$\([^)]*\)|\$[A-Z_][A-Z0-9_]*\b|%\([A-Za-z_]+\)s|%[A-Z][A-Z0-9_]+%|\(\([A-Za-z0-9_./-]+\)\)|\[\[[^\]]*\]\]|@@?[A-Z][A-Z0-9_]+@@?|__[A-Z][A-Z0-9_]*__|#\{[^}]*\}#?`)
)

func isOne(value string, form lazy.Pattern) bool {
	at := form().FindStringIndex(value)
	return at != nil && at[0] == 0 && at[1] == len(value)
}

// IsFilledIn reports whether a value is encrypted by another tool, or has
// something put in its place before it is applied: sealed, it would stay as it
// is.
func IsFilledIn(value string) bool {
	const most = 1 << 16
	value = strings.TrimSpace(value[:min(len(value), most)])
	return isSealed(value) || referenceForm().MatchString(value) || substitutedForm().MatchString(value)
}

// substitutedForm is what envsubst and Flux put a value in place of.
var substitutedForm = lazy.Regexp(`\$\{[A-Za-z_][^}]*\}`)

// literal is a value without what a template, a shell or a vault fills in.
func literal(value string) string {
	if !strings.ContainsAny(value, "{$(%[@_#") && !strings.Contains(value, "+") && !strings.Contains(value, ":") && !strings.Contains(value, "fuin1") {
		return value
	}
	value = withoutReferences(withoutTokens(value))
	for _, form := range []lazy.Pattern{referenceForm, templateForm} {
		value = form().ReplaceAllString(value, "")
	}
	return value
}

func withoutTokens(value string) string {
	if !strings.Contains(value, "fuin1") {
		return value
	}
	var rest strings.Builder
	at := 0
	for _, token := range seal.FindTokens(value) {
		rest.WriteString(value[at:token.Start])
		at = token.End
	}
	rest.WriteString(value[at:])
	return rest.String()
}

func withoutReferences(value string) string {
	if !reference.Contains(value) {
		return value
	}
	parts, err := reference.Parse(value)
	if err != nil {
		return value
	}
	var rest strings.Builder
	for _, part := range parts {
		rest.WriteString(part.Text)
	}
	return rest.String()
}

// holdsSecret looks into the literal part of a value that is filled in.
func holdsSecret(rest string) bool {
	if strings.IndexFunc(rest, unicode.IsLetter) < 0 && strings.IndexFunc(rest, unicode.IsDigit) < 0 {
		return false
	}
	found := false
	eachAssignment(rest, func(a assignment) { found = found || isPlain(a.key, a.value, inField) })
	return found || hasPattern(rest)
}

// holdsLogin takes user:password, plain, in base64 or behind Basic; bearer
// tokens; and connection strings.
func holdsLogin(value string) bool {
	found := false
	eachAssignment(value, func(a assignment) { found = found || isPlain(a.key, a.value, inField) })
	if found {
		return true
	}
	scheme, rest, ok := strings.Cut(value, " ")
	switch {
	case ok && strings.EqualFold(scheme, "basic"):
		value = rest
	case ok && (strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "token")):
		return looksRandom(rest)
	case ok && !strings.Contains(scheme, ":"):
		return false
	}
	if decoded, err := base64.StdEncoding.DecodeString(value); err == nil && isText(decoded) {
		value = string(decoded)
	}
	user, pw, ok := strings.Cut(value, ":")
	return ok && user != "" && len(pw) >= 4 && !strings.ContainsAny(user, "/ {\"") && !strings.HasPrefix(pw, "/") &&
		!isIndirect(pw) && strings.Trim(pw, "0123456789") != "" && !strings.Contains(pw, "/") && (looksRandom(pw) || len(user) > 2 && !isName(pw))
}

func isText(data []byte) bool {
	return utf8.Valid(data) && strings.IndexFunc(string(data), func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) }) < 0
}

// isPublic takes certificates and public keys.
func isPublic(value string) bool {
	switch {
	case strings.HasPrefix(value, "-----BEGIN CERTIFICATE"), strings.HasPrefix(value, "-----BEGIN PUBLIC KEY"), strings.HasPrefix(value, "-----BEGIN X509 CRL"):
		return !strings.Contains(value, "PRIVATE KEY")
	case strings.HasPrefix(value, "ssh-ed25519 "), strings.HasPrefix(value, "ssh-rsa "), strings.HasPrefix(value, "ecdsa-sha2-"), strings.HasPrefix(value, "age1"):
		return !strings.Contains(value, "\n") || !hasPattern(value)
	}
	return false
}

// stand-ins are words for a value that is to be filled in.
var standIn = lazy.Regexp(`(?i)^(?:` +
	`<[^<>]*>|\[[a-z _-]*\]|(?:please[-_ ]?)?(?:change|replace|set|fill)[-_ ]?(?:this|me|it|in)[!.]*|.{0,24}(?:replace|change)[-_ ]?(?:this|me|with|by)[-_ !].{0,40}|` +
	`your[-_ ].{1,40}|[a-z_-]{0,20}[-_]?(?:goes|go)[-_ ]here|(?:my[-_ ]?)?placeholder|redacted|removed|hidden|masked|omitted|todo.{0,40}|fixme.{0,40}|tbd|dummy|insert[-_ ].{1,40}|enter[-_ ].{1,40}|` +
	`not[-_ ]?(?:used|set|needed|required|a[-_ ]secret|a[-_ ]real.{0,20})|n/?a|none|null|nil|undefined|empty|unset|unused|example|sample|sealed|<sealed>|encrypted|` +
	`true|false|yes|no|on|off|enabled|disabled|required|optional|auto|automatic|random|generate|generated|prompt|ask|string|str|text|int|bool|boolean|object|any|binary|file|env|environment|` +
	`from[-_ ].{1,30}|see[-_ ].{1,40}|managed[-_ ].{1,30}|x{3,}|\*{3,}|\.{3,}|…|-+|_+|0+|\?+|~)$`)

// isIndirect takes what only says where the value comes from, or that there is
// to be one.
func isIndirect(value string) bool {
	switch {
	case standIn().MatchString(value), strings.HasSuffix(value, "…"), strings.Contains(value, "****"), strings.Contains(value, "••"):
		return true
	case strings.HasPrefix(value, "/") && strings.Count(value, "/") > 1 && !strings.HasSuffix(value, "="),
		strings.HasPrefix(value, "./"), strings.HasPrefix(value, "../"), strings.HasPrefix(value, "~/"), strings.HasPrefix(value, "file:"):
		return true
	case strings.Contains(value, "://") && !strings.Contains(value, "@"):
		return true
	case strings.HasPrefix(value, "projects/") && strings.Contains(value, "/secrets/"):
		return true
	}
	return isVariable(value)
}

// isVariable takes the names of variables, as DB_PASSWORD and process.env.X.
func isVariable(value string) bool {
	if strings.ContainsAny(value, " =:/+") {
		return false
	}
	constant := strings.Contains(value, "_") && strings.ToUpper(value) == value && strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == ""
	path := strings.Contains(value, ".") && strings.IndexFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && r != '.' && r != '_' }) < 0
	return constant && senseOf(value) != harmless || path && mentionsSecret(value)
}

// isProse takes descriptions.
func isProse(value string) bool {
	words := strings.Fields(value)
	switch {
	case len(words) < 2:
		return false
	case len(words) > 5, strings.HasSuffix(value, ".") || strings.HasSuffix(value, ":") || strings.HasSuffix(value, "?"):
		return true
	}
	first := strings.ToLower(words[0])
	return slices.Contains([]string{"the", "a", "an", "your", "enter", "use", "used", "password", "token", "secret", "api", "forgot", "reset", "confirm", "new", "invalid", "wrong", "missing", "must", "from", "see", "set", "only", "is", "not"}, first)
}

// isWord takes the label of a password field, and lists of rules.
func isWord(field, value string) bool {
	words := wordsOf(field)
	if len(words) == 0 {
		return false
	}
	return unicode.IsUpper([]rune(value)[0]) && strings.EqualFold(value, words[len(words)-1]) || strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[")
}

// looksRandom takes values that nobody uses for a name.
func looksRandom(value string) bool {
	if len(value) < 8 || strings.ContainsAny(value, " \t") || isName(value) || isVersion(value) {
		return false
	}
	lower, upper, digit, symbol, turns := 0, 0, 0, 0, 0
	previous := 0
	for _, r := range value {
		class := 0
		switch {
		case unicode.IsLower(r):
			lower, class = lower+1, 1
		case unicode.IsUpper(r):
			upper, class = upper+1, 2
		case unicode.IsDigit(r):
			digit, class = digit+1, 3
		default:
			symbol, class = symbol+1, 4
		}
		if class != previous {
			turns++
		}
		previous = class
	}
	odd := strings.ContainsAny(value, "!@#$%^&*+=~?|")
	switch {
	case odd && lower+upper > 0:
		return true
	case digit > 0 && lower+upper > 0:
		return symbol == 0 || turns >= 4
	case digit == len(value):
		return digit >= 12
	case lower > 0 && upper > 0:
		return turns >= 6 && symbol <= 1
	case symbol == 0 && upper == 0 && (strings.Contains(value, "secret") || strings.Contains(value, "passw")):
		return len(value) > 9
	}
	return symbol == 0 && len(value) >= 24
}

var versionForm = lazy.Regexp(`^v?[0-9]+(?:\.[0-9]+)+(?:[-+][A-Za-z0-9.]+)?$|^[0-9]{4}-[0-9]{2}-[0-9]{2}`)

// isName takes words with hyphens between them, as Kubernetes' names are; the
// last may be a hash.
func isName(value string) bool {
	parts := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune("-_./:", r) })
	if len(parts) < 2 {
		return false
	}
	words := 0
	for i, part := range parts {
		isLetters := strings.Trim(part, letters) == ""
		switch {
		case isLetters && len(part) <= 20:
			words++
		case strings.Trim(part, "0123456789") == "" && len(part) <= 4:
		case i > 0 && len(part) <= 4 && part[0] == 'v', i == len(parts)-1 && len(part) <= 10 && strings.ToLower(part) == part && strings.Trim(part, letters+"0123456789") == "":
		default:
			return false
		}
	}
	return words > 0
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func isVersion(value string) bool { return versionForm().MatchString(value) }
