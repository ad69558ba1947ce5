package check

import (
	"slices"
	"strings"
	"unicode"
)

// A sense is what the name of a field says of its value.
type sense int

const (
	harmless   sense = iota
	password         // whatever stands there is one
	keyOrToken       // it is one if it looks random
	login            // it may hold user and password in one
)

// senseOf goes by the last words of a name: passwordFile and tokenTTL hold no
// secret, where DB_PASSWORD and apiToken do.
func senseOf(name string) sense {
	if len(name) > 200 || !mentionsSecret(name) {
		return harmless
	}
	words := trimmed(wordsOf(name))
	if len(words) == 0 {
		return harmless
	}
	last := words[len(words)-1]
	before := ""
	if len(words) > 1 {
		before = words[len(words)-2]
	}
	switch {
	case last == "pass" && slices.Contains(passers, before):
		return harmless
	case slices.Contains(passwords, last) || hasSuffixOf(last, "password", "passwd", "passphrase", "passwort"):
		return password
	case last == "token" && slices.Contains(notTokens, before):
		return harmless
	case last == "key" && slices.Contains(keyKinds, before), before == "key" && last == "base":
		return keyOrToken
	case slices.Contains(logins, last) || last == "string" && before == "connection":
		return login
	case slices.Contains(tokens, last) || hasSuffixOf(last, "apikey", "secretkey", "accesskey", "privatekey", "authkey",
		"accesstoken", "authtoken", "apitoken", "clientsecret", "secretaccesskey", "masterkey", "webhooksecret"):
		return keyOrToken
	}
	return harmless
}

var (
	passwords = []string{"password", "passwd", "pwd", "pass", "passphrase", "passcode", "passwort", "htpasswd", "pw"}
	passers   = []string{"proxy", "fastcgi", "uwsgi", "scgi", "grpc", "by", "pass"}
	tokens    = []string{"token", "secret", "apikey", "psk", "presharedkey", "jwt", "bearer", "cookie", "signature"}
	notTokens = []string{"next", "page", "continue", "continuation", "cancel", "cancellation", "automount", "mount", "csrf", "projected"}
	logins    = []string{"auth", "authorization", "credential", "credentials", "creds", "dsn", "auths"}
	keyKinds  = []string{
		"api", "secret", "access", "private", "encryption", "encrypt", "encoding", "crypt", "crypto", "cipher", "signing", "sign", "signature", "master", "account",
		"storage", "shared", "preshared", "auth", "authentication", "hmac", "session", "cookie", "license", "licence", "client", "ssh", "deploy",
		"webhook", "service", "app", "application", "jwt", "fernet", "aes", "rsa", "token", "primary", "secondary", "root", "integration", "admin", "write", "routing",
	}

	// mentions are what one of the words above holds, so that most names are
	// seen to be harmless at once.
	mentions = []string{"pass", "pw", "token", "secret", "key", "psk", "jwt", "bearer", "cookie", "auth", "cred", "dsn", "connection", "signature"}

	// qualifiers stand behind what the name is about.
	qualifiers = []string{
		"dev", "prod", "production", "stage", "staging", "test", "old", "new", "prev", "previous", "current", "default", "value", "plain", "plaintext",
		"text", "b64", "base64", "encoded", "hash", "hashed", "encrypted", "raw", "string", "primary", "secondary", "local", "live",
	}
)

func mentionsSecret(name string) bool {
	lower := strings.ToLower(name)
	return slices.ContainsFunc(mentions, func(m string) bool { return strings.Contains(lower, m) })
}

func hasSuffixOf(s string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(s, suffix) })
}

// wordsOf takes a name apart at case and punctuation, in lower case.
func wordsOf(name string) []string {
	var out []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) ||
			unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			end()
		}
		word = append(word, r)
	}
	end()
	return out
}

// trimmed leaves out numbers and qualifiers at the end, as of PASSWORD_2.
func trimmed(words []string) []string {
	for len(words) > 1 {
		last := words[len(words)-1]
		isConnection := last == "string" && words[len(words)-2] == "connection"
		if isConnection || strings.Trim(last, "0123456789") != "" && !slices.Contains(qualifiers, last) {
			break
		}
		words = words[:len(words)-1]
	}
	if n := len(words); n > 0 {
		if cut := strings.TrimRight(words[n-1], "0123456789"); cut != "" && cut != "base" && cut != words[n-1] {
			words = append(slices.Clone(words[:n-1]), cut)
		}
	}
	return words
}
