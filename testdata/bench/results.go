package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"
)

// The sides.
const (
	fuin      = "fuin"
	peer      = "peer"           // as fast as it goes: without its client throttle
	throttled = "peer, defaults" // as it is installed
	scanner   = "gitleaks"
	gitDiff   = "git diff"
)

// anyCase is the case of a peer that all of Fuin's are compared with.
const anyCase = ""

// row names what was measured: a benchmark, the kind of key or how keys are
// used, a side.
type row struct{ Benchmark, Case, Side string }

// sample is one measurement. What does not apply is zero.
type sample struct {
	Wall   time.Duration // until all is done
	CPU    time.Duration // of the program and its children, to the end of the wall time or, of a controller, until it rests
	Memory int64         // peak resident bytes of a controller and, added to it, of its children

	// Of controllers.
	Reported   time.Duration // until every status is written, too
	APIServer  time.Duration // CPU in the same time as the controller's
	Etcd       time.Duration // likewise
	Sandbox    int64         // of Memory, what the children had
	Resting    int64         // resident bytes of a controller and its children once there is nothing to do
	Operations float64       // with a private key
	Requests   float64       // to the API server, of a pass that finds nothing to do
	Limit      time.Duration // what no controller can be faster than
	Operation  time.Duration // a private-key operation, on each of the cores, as the limit takes it
	Load       string        // average of the last minute, at the start
}

// scaled is what n would have taken where only some were measured; 0 is as
// many as were.
func (s sample) scaled(n, measured int) sample {
	if n == 0 {
		return s
	}
	for _, d := range []*time.Duration{&s.Wall, &s.CPU, &s.Reported, &s.APIServer, &s.Etcd} {
		*d = *d * time.Duration(n) / time.Duration(measured)
	}
	return s
}

// results are all measurements of a run.
type results struct {
	rows    []row // in the order in which they came first
	samples map[row][]sample
	notes   []string
}

func (r *results) add(at row, s sample) {
	if r.samples == nil {
		r.samples = map[row][]sample{}
	}
	if _, ok := r.samples[at]; !ok {
		r.rows = append(r.rows, at)
	}
	r.samples[at] = append(r.samples[at], s)
}

// ordered lists the rows by benchmark.
func (r *results) ordered() []row {
	return slices.SortedStableFunc(slices.Values(r.rows), func(a, b row) int {
		return slices.Index(benchmarks, a.Benchmark) - slices.Index(benchmarks, b.Benchmark)
	})
}

// note is a sentence for below the table.
func (r *results) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// ratio is how many times less Fuin takes of something, in medians; false
// where there is nothing to compare.
func ratio[N interface{ ~int64 }](r *results, of, with row, what func(sample) N) (float64, bool) {
	ours, theirs := median(r.samples[of], what), median(r.samples[with], what)
	if ours == 0 || theirs == 0 {
		return 0, false
	}
	return float64(theirs) / float64(ours), true
}

func wall(s sample) time.Duration { return s.Wall }
func cpu(s sample) time.Duration  { return s.CPU }

// median of an even number is the mean of the two in the middle.
func median[N interface{ ~int64 | ~float64 }](samples []sample, what func(sample) N) N {
	all := sorted(samples, what)
	if len(all) == 0 {
		return 0
	}
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

func sorted[N interface{ ~int64 | ~float64 }](samples []sample, what func(sample) N) []N {
	all := make([]N, 0, len(samples))
	for _, s := range samples {
		all = append(all, what(s))
	}
	slices.Sort(all)
	return all
}

// writeJSON writes every measurement; durations are in nanoseconds.
func (r *results) writeJSON(file string, m machine) error {
	type entry struct {
		row
		Samples []sample
	}
	all := struct {
		Machine machine
		Results []entry
		Notes   []string
	}{Machine: m, Notes: r.notes}
	for _, at := range r.ordered() {
		all.Results = append(all.Results, entry{at, r.samples[at]})
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}
