package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// print writes the tables, at most 100 columns wide.
func (r *results) print(w io.Writer, m machine) {
	fmt.Fprintf(w, "%d cores (%s), load %s before and %s after, %s, took %s\n",
		m.Cores, m.CPU, m.LoadBefore, m.LoadAfter, m.Go, m.Took)
	fmt.Fprintf(w, "fuin %s; %s\n", m.Fuin, m.Peer)
	r.printTimes(w)
	r.printControllers(w)
	r.printMemory(w)
	r.printLimits(w)
	r.printRests(w)
	for _, note := range r.notes {
		fmt.Fprintln(w, note)
	}
}

// printTimes is the table of all benchmarks. "less" is how many times less
// than the peer, by medians.
func (r *results) printTimes(w io.Writer) {
	fmt.Fprintf(w, "\n%-12s %-13s %-14s %9s %20s %6s %10s %6s\n",
		"", "key", "side", "wall", "min–max", "less", "CPU", "less")
	last := ""
	for _, at := range r.ordered() {
		samples := r.samples[at]
		all := sorted(samples, wall)
		fmt.Fprintf(w, "%-12s %-13s %-14s %9s %20s %6s %10s %6s\n",
			once(&last, at.Benchmark), at.Case, at.Side, duration(median(samples, wall)),
			duration(all[0])+"–"+duration(all[len(all)-1]), times(r, at, against(at), wall),
			duration(median(samples, cpu)), times(r, at, against(at), cpu))
	}
	r.printComparisons(w)
}

// printComparisons sets wall times against others than the peer's.
func (r *results) printComparisons(w io.Writer) {
	for _, at := range r.ordered() {
		if factor := times(r, at, throttled, wall); factor != "" {
			fmt.Fprintf(w, "%s %s: %s times less wall time than the peer with its defaults.\n", at.Benchmark, at.Case, factor)
		}
	}
	one, old := row{oldKeys, oneKey, fuin}, row{oldKeys, hinted, fuin}
	if wallRatio, ok := ratio(r, one, old, wall); ok {
		cpuRatio, _ := ratio(r, one, old, cpu)
		fmt.Fprintf(w, "%s %s: %.2f times the wall time and %.2f times the CPU time that one key takes.\n",
			oldKeys, hinted, wallRatio, cpuRatio)
	}
}

// against is the side that Fuin's row is compared with.
func against(at row) string {
	switch at.Benchmark {
	case benchRender:
		return krustyIn
	case checkStaged, checkTree:
		return scanner
	case envFresh, envChange, envRest, envMany:
		return rawApply
	}
	return peer
}

// once returns a text unless it is that of the line before.
func once(last *string, text string) string {
	if *last == text {
		return ""
	}
	*last = text
	return text
}

// times is the ratio of a side to Fuin's row, empty on other rows. A side has
// a row for the same case or one for any.
func times[N interface{ ~int64 }](r *results, at row, side string, what func(sample) N) string {
	if at.Side != fuin {
		return ""
	}
	for _, with := range []row{{at.Benchmark, at.Case, side}, {at.Benchmark, anyCase, side}} {
		if factor, ok := ratio(r, at, with, what); ok {
			return fmt.Sprintf("%.*f", digits(factor), factor)
		}
	}
	return ""
}

func digits(factor float64) int {
	if factor < 10 {
		return 2
	}
	return 1
}

// printControllers tells apart what controllers and servers used.
func (r *results) printControllers(w io.Writer) {
	last := ""
	for i, at := range r.controllers() {
		if i == 0 {
			fmt.Fprintf(w, "\n%-10s %-13s %-14s %9s %9s %9s %9s %9s\n",
				"medians", "key", "side", "reported", "CPU", "API CPU", "etcd CPU", "key ops")
		}
		s := r.samples[at]
		fmt.Fprintf(w, "%-10s %-13s %-14s %9s %9s %9s %9s %9s\n",
			once(&last, at.Benchmark), at.Case, at.Side, duration(median(s, reported)), duration(median(s, cpu)),
			duration(median(s, apiServer)), duration(median(s, etcd)), r.operations(at))
	}
}

// printMemory shows what controllers and their children held, children also
// alone.
func (r *results) printMemory(w io.Writer) {
	last := ""
	for i, at := range r.controllers() {
		if i == 0 {
			fmt.Fprintf(w, "\n%-10s %-13s %-14s %9s %6s %9s %6s %9s\n",
				"memory", "key", "side", "at rest", "less", "peak", "less", "sandbox")
		}
		s := r.samples[at]
		fmt.Fprintf(w, "%-10s %-13s %-14s %9s %6s %9s %6s %9s\n",
			once(&last, at.Benchmark), at.Case, at.Side, mebibytes(median(s, resting)), times(r, at, peer, resting),
			mebibytes(median(s, peak)), times(r, at, peer, peak), mebibytes(median(s, sandbox)))
	}
}

// controllers are the rows of benchmarks that start one.
func (r *results) controllers() []row {
	return slices.DeleteFunc(r.ordered(), func(at row) bool {
		return at.Benchmark == sealOne || at.Benchmark == sealTree || at.Benchmark == checkStaged || at.Benchmark == checkTree || at.Benchmark == benchRender
	})
}

// operations is empty where the side does not count them.
func (r *results) operations(at row) string {
	if at.Side != fuin || at.Benchmark == envRest {
		return ""
	}
	return fmt.Sprintf("%.0f", median(r.samples[at], func(s sample) float64 { return s.Operations }))
}

// printRests tells what passes ask of the API server that find nothing to do.
func (r *results) printRests(w io.Writer) {
	for _, at := range r.ordered() {
		if at.Benchmark == envRest && at.Side == fuin {
			fmt.Fprintf(w, "%s %s: %.2f requests to the API server a pass.\n",
				at.Benchmark, at.Case, median(r.samples[at], func(s sample) float64 { return s.Requests }))
		}
	}
}

func reported(s sample) time.Duration  { return s.Reported }
func apiServer(s sample) time.Duration { return s.APIServer }
func etcd(s sample) time.Duration      { return s.Etcd }
func resting(s sample) int64           { return s.Resting }
func peak(s sample) int64              { return s.Memory }
func sandbox(s sample) int64           { return s.Sandbox }

// printLimits sets the wall time of openings against what the machine allows.
func (r *results) printLimits(w io.Writer) {
	fmt.Fprintln(w)
	for _, at := range r.ordered() {
		s := r.samples[at]
		limit := median(s, func(s sample) time.Duration { return s.Limit })
		if limit == 0 {
			continue
		}
		over := median(s, func(s sample) float64 { return float64(s.Wall) / float64(s.Limit) })
		op := median(s, func(s sample) time.Duration { return s.Operation })
		fmt.Fprintf(w, "%s %s: %s takes %.2f of the limit, %s (%s a private operation on every core at once).\n",
			at.Benchmark, at.Case, at.Side, over, duration(limit), duration(op))
	}
}

// duration has three or four digits.
func duration(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%.3f ms", d.Seconds()*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func mebibytes(n int64) string {
	if n == 0 {
		return ""
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/(1<<20)), ".0") + " MiB"
}
