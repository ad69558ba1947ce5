package check

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
)

// A Baseline lists findings that are known, so that only new ones stop a
// commit. It names where they are, by no line, and holds nothing that is made
// from a value.
type Baseline struct{ known map[Known]bool }

// Known is a finding of a baseline.
type Known struct {
	Path   string `json:"path"`
	Object string `json:"object,omitempty"`
	Key    string `json:"key,omitempty"`
	Rule   string `json:"rule"`
}

const (
	baselineVersion = 1
	maxBaseline     = 64 << 20 // bytes
)

type baselineFile struct {
	Version  int     `json:"version"`
	Findings []Known `json:"findings"`
}

// ParseBaseline reads what [WriteBaseline] wrote.
func ParseBaseline(data []byte) (Baseline, error) {
	var file baselineFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	switch {
	case len(data) > maxBaseline:
		return Baseline{}, errors.New("too large for a baseline")
	case dec.Decode(&file) != nil:
		return Baseline{}, errors.New("no baseline: not the JSON that fuin check --write-baseline writes")
	case file.Version != baselineVersion:
		return Baseline{}, errors.New("a baseline of another version; use a newer fuin")
	}
	b := Baseline{map[Known]bool{}}
	for _, known := range file.Findings {
		b.known[known] = true
	}
	return b, nil
}

// Holds reports whether a finding is known.
func (b Baseline) Holds(f Finding) bool { return b.known[knownOf(f)] }

func knownOf(f Finding) Known { return Known{f.File, f.Object, f.Key, f.Rule} }

// WriteBaseline lists findings in the order of their paths, each once.
func WriteBaseline(findings []Finding) ([]byte, error) {
	file := baselineFile{Version: baselineVersion, Findings: []Known{}}
	for _, f := range findings {
		file.Findings = append(file.Findings, knownOf(f))
	}
	slices.SortFunc(file.Findings, func(a, b Known) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Rule, b.Rule))
	})
	file.Findings = slices.Compact(file.Findings)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(file)
	return out.Bytes(), err
}
