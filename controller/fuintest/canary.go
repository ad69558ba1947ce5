package fuintest

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
)

// Search fails the test if a canary stands in what came out, plain, in base64,
// or without its beginning.
func (s *System) Search(name string, what any, canary string) {
	s.T.Helper()
	text, ok := what.(string)
	if !ok {
		b, err := json.Marshal(what)
		s.OK(err)
		text = string(b)
	}
	for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), canary[len("canary-"):]} {
		if i := strings.Index(text, form); i >= 0 {
			s.T.Errorf("%s: the value comes out: …%s…", name, text[max(0, i-80):min(len(text), i+80)])
		}
	}
}

// Soak tells whether the long tests are asked for, as make soak does.
func Soak() bool { return os.Getenv("FUIN_SOAK") != "" }

// Kills is how often a controller is killed: five times, thirty in a soak.
func Kills() int {
	if Soak() {
		return 30
	}
	return 5
}
