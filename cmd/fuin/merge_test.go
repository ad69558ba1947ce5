package main

import (
	"bytes"
	"strings"
	"testing"
)

// What git is configured to call must be there to be called.
func TestGitSettings(t *testing.T) {
	attributes, config := gitSettings("fuin")
	for _, line := range attributes {
		for _, driver := range strings.Fields(line)[1:] {
			kind, name, _ := strings.Cut(driver, "=")
			if !strings.Contains(joinSettings(config), kind+"."+name+".") {
				t.Errorf("%s: nothing configures %s", line, driver)
			}
		}
	}
	for _, setting := range config {
		words := strings.Fields(setting[1])
		if words[0] != "fuin" {
			continue
		}
		u := &ui{stdin: strings.NewReader(""), stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
		if verb, _, err := newRoot(u).Find(words[1:]); err != nil || verb.Name() != words[1] {
			t.Errorf("%s: fuin has no %s: %v", setting[0], words[1], err)
		}
	}
}

func joinSettings(config [][2]string) string {
	var b strings.Builder
	for _, setting := range config {
		b.WriteString(setting[0] + "\n")
	}
	return b.String()
}
