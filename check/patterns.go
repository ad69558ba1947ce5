package check

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"fuin.dev/lazy"
)

// A pattern is a secret that shows by its form, wherever it stands. Text is
// searched for its words first, which costs little.
type pattern struct {
	rule    string
	words   []string // one of them stands in every match
	form    lazy.Pattern
	message string
	isOne   func(match []byte) bool // of the first group, or the whole; nil takes all
	needs   byte                    // stands behind the word, before white space
}

var patterns = []pattern{
	{PrivateKey, []string{"PRIVATE KEY"}, lazy.Regexp(`-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP )?PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n|\\r)*[A-Za-z0-9+/=:\-{$<.\[ ]{0,80}`), "a private key", isKeyBlock, 0},
	{PrivateKey, []string{"LS0tLS1CRUdJTi"}, lazy.Regexp(`LS0tLS1CRUdJTi[A-Za-z0-9+/]{10,}`), "a private key in base64", isEncodedKey, 0},
	{AgeIdentity, []string{"AGE-SECRET-KEY-"}, lazy.Regexp(`AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{50,}`), "an age identity", nil, 0},
	{AgeIdentity, []string{"AGE-PLUGIN-"}, lazy.Regexp(`AGE-PLUGIN-[A-Z0-9]+-1[0-9A-Z]{30,}`), "an age identity of a plugin", nil, 0},
	{KnownToken, []string{"AKIA", "ASIA"}, lazy.Regexp(`\b(?:AKIA|ASIA)[A-Z2-7]{16}\b`), "the ID of an AWS access key", isNoExample, 0},
	{KnownToken, []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_"}, lazy.Regexp(`\bgh[pousr]_[A-Za-z0-9]{36,}\b`), "a token of GitHub", isNoExample, 0},
	{KnownToken, []string{"github_pat_"}, lazy.Regexp(`\bgithub_pat_[A-Za-z0-9_]{60,}\b`), "a token of GitHub", isNoExample, 0},
	{KnownToken, []string{"glpat-", "gldt-", "glrt-", "glptt-"}, lazy.Regexp(`\b(?:glpat|gldt|glrt|glptt)-[A-Za-z0-9_\-]{20,}\b`), "a token of GitLab", isNoExample, 0},
	{KnownToken, []string{"xoxb-", "xoxp-", "xoxa-", "xapp-", "xoxs-"}, lazy.Regexp(`\b(?:xox[bpas]|xapp)-[A-Za-z0-9\-]{20,}`), "a token of Slack", isNoExample, 0},
	{KnownToken, []string{"hooks.slack.com"}, lazy.Regexp(`hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}`), "a webhook of Slack", isNoExample, 0},
	{KnownToken, []string{"discord"}, lazy.Regexp(`discord(?:app)?\.com/api/webhooks/[0-9]{17,}/[A-Za-z0-9_\-]{50,}`), "a webhook of Discord", isNoExample, 0},
	{KnownToken, []string{"sk_live_", "rk_live_", "whsec_"}, lazy.Regexp(`\b(?:[sr]k_live_|whsec_)[A-Za-z0-9]{20,}`), "a key of Stripe", isNoExample, 0},
	{KnownToken, []string{"AIza"}, lazy.Regexp(`\bAIza[A-Za-z0-9_\-]{35}\b`), "a key of Google", isNoExample, 0},
	{KnownToken, []string{"npm_"}, lazy.Regexp(`\bnpm_[A-Za-z0-9]{36}\b`), "a token of npm", isNoExample, 0},
	{KnownToken, []string{"hvs.", "hvb."}, lazy.Regexp(`\bhv[sb]\.[A-Za-z0-9_\-]{24,}`), "a token of Vault", isNoExample, 0},
	{KnownToken, []string{"dckr_pat_"}, lazy.Regexp(`\bdckr_pat_[A-Za-z0-9_\-]{20,}`), "a token of Docker Hub", isNoExample, 0},
	{KnownToken, []string{"SG."}, lazy.Regexp(`\bSG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}\b`), "a key of SendGrid", isNoExample, 0},
	{KnownToken, []string{"sk-"}, lazy.Regexp(`\bsk-(?:proj-|ant-api03-)[A-Za-z0-9_\-]{40,}`), "a key of an AI service", isNoExample, 0},
	{KnownToken, []string{"eyJ"}, lazy.Regexp(`\beyJ[A-Za-z0-9_\-]{15,}\.eyJ[A-Za-z0-9_\-]{15,}\.[A-Za-z0-9_\-]{20,}`), "a JSON web token", isNoExample, 0},
	{KnownToken, []string{"$apr1$", "$2a$", "$2b$", "$2y$", "$6$", "$5$"}, lazy.Regexp(`\$(?:apr1\$[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{20,}|2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{50,}|[56]\$(?:rounds=[0-9]+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{40,})`), "the hash of a password", isNoExample, 0},
	{URLCredentials, []string{"://"}, lazy.Regexp(`\b[a-z][a-z0-9+.\-]*://([^\s/:@"'<>{}$()\\]*:[^\s/@"'<>()\\]+)@[A-Za-z0-9\[{$]`), "a URL with a password", isLogin, '@'},
	{URLCredentials, []string{"://"}, lazy.Regexp(`https://([A-Za-z0-9_]{30,})@[a-z]`), "a URL with a token", isNoExample, '@'},
}

// isKeyBlock passes over headers in prose and in code that looks for keys.
func isKeyBlock(match []byte) bool {
	_, body, _ := bytes.Cut(match[5:], []byte("-----"))
	body = bytes.TrimLeft(bytes.ReplaceAll(body, []byte(`\n`), nil), " \t\r\n")
	return len(body) >= 16 && !bytes.ContainsAny(body[:16], "{$<.[") || bytes.HasPrefix(body, []byte("Proc-Type"))
}

func isEncodedKey(match []byte) bool {
	head := match[:min(len(match), 64)&^3]
	decoded, err := base64.StdEncoding.DecodeString(string(head))
	return err == nil && bytes.Contains(decoded, []byte("PRIVATE KEY")) && !bytes.Contains(decoded, []byte("ENCRYPTED"))
}

func isNoExample(match []byte) bool {
	lower := bytes.ToLower(match)
	for _, word := range []string{"example", "xxxx", "your", "0000000000", "redacted"} {
		if bytes.Contains(lower, []byte(word)) {
			return false
		}
	}
	return true
}

// isLogin takes user:password, but for what templates fill in and manuals show.
func isLogin(match []byte) bool {
	user, pw, _ := bytes.Cut(match, []byte(":"))
	value := string(pw)
	if literal(value) != value || isSealed(value) || isIndirect(value) || len(value) < 3 {
		return false
	}
	switch value {
	case "password", "passwd", "pass", "pwd", "pw", "secret", "token", "PASSWORD", "PASS", "$PASSWORD", "pswd":
		switch string(user) {
		case "", "user", "username", "USER", "USERNAME", "login", "myuser", "name":
			return false
		}
	}
	return true
}

// hasPattern reports whether a text holds what a pattern knows.
func hasPattern(text string) bool {
	found := false
	eachPattern([]byte(text), func(pattern, int, int) { found = true })
	return found
}

// eachPattern visits what the patterns find, from byte to byte.
func eachPattern(data []byte, visit func(p pattern, from, to int)) {
	for _, p := range patterns {
		for _, word := range p.words {
			p.around(data, []byte(word), visit)
		}
	}
}

// The bytes before and behind a word that a pattern is matched with.
const (
	beforeWord = 100
	behindWord = 600
)

// around matches the pattern where a word stands, and nowhere else: that costs
// no more than to look for the word.
func (p pattern) around(data, word []byte, visit func(p pattern, from, to int)) {
	for at, n := 0, 0; n < maxFindings; n++ {
		i := bytes.Index(data[at:], word)
		if i < 0 {
			return
		}
		i += at
		start, end := max(at, i-beforeWord), min(len(data), i+len(word)+behindWord)
		at = i + len(word)
		if p.needs != 0 && !holdsBeforeSpace(data[at:end], p.needs) {
			n--
			continue
		}
		m := p.form().FindSubmatchIndex(data[start:end])
		if m == nil {
			n--
			continue
		}
		from, to := start+m[0], start+m[1]
		at = max(at, to)
		if len(m) > 2 && m[2] >= 0 {
			from, to = start+m[2], start+m[3]
		}
		if p.isOne == nil || p.isOne(data[from:to]) {
			visit(p, from, to)
		}
	}
}

func holdsBeforeSpace(text []byte, b byte) bool {
	i := bytes.IndexByte(text, b)
	return i >= 0 && !bytes.ContainsAny(text[:i], " \t\r\n\"'<>")
}

// patterns looks at all of the file's bytes, whatever its kind.
func (f *file) patterns() {
	counted, line := 0, 1
	eachPattern(f.data, func(p pattern, from, to int) {
		if from < counted {
			counted, line = 0, 1
		}
		line += bytes.Count(f.data[counted:from], []byte("\n"))
		counted = from
		start := bytes.LastIndexByte(f.data[:from], '\n') + 1
		f.add(Finding{
			Line: line, Column: utf8.RuneCount(f.data[start:from]) + 1, Rule: p.rule, Message: p.message,
			last: line + bytes.Count(f.data[from:to], []byte("\n")),
		})
	})
}

// quoteKey names a key in a message, bounded.
func quoteKey(key string) string {
	const most = 80
	if utf8.RuneCountInString(key) > most {
		key = string([]rune(key)[:most]) + "…"
	}
	return strconv.Quote(key)
}
