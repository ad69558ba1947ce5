package check

// words that a text holds if it holds a secret that has no form of its own, in
// lower case. Text without any of them is not parsed.
var telling = []string{
	"pass", "pwd", "pw", "token", "secret", "key", "psk", "jwt", "bearer", "cookie", "auth", "cred", "dsn", "connection", "signature",
	"fuin", "ref+", "stringdata",
}

// tellingBy holds the words by their first letter, without it.
var tellingBy = func() (by [256][]string) {
	for _, word := range telling {
		by[word[0]] = append(by[word[0]], word[1:])
	}
	return by
}()

// mayHold finds text that may hold a secret by the words that name one.
func mayHold(text []byte) bool {
	for i, b := range text {
		for _, rest := range tellingBy[b|0x20] {
			if hasPrefixFold(text[i+1:], rest) {
				return true
			}
		}
	}
	return false
}

// hasPrefixFold takes a prefix in lower case.
func hasPrefixFold(text []byte, prefix string) bool {
	if len(text) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if text[i]|0x20 != prefix[i] && text[i] != prefix[i] {
			return false
		}
	}
	return true
}
