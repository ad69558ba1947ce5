package main

import (
	"fmt"
	"io"
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
	r.printLimits(w)
	for _, note := range r.notes {
		fmt.Fprintln(w, note)
	}
}

// printTimes is the table of all benchmarks. "less" is how many times less
// than the peer, by medians.
func (r *results) printTimes(w io.Writer) {
	fmt.Fprintf(w, "\n%-10s %-6s %-14s %9s %20s %6s %10s %6s %9s\n",
		"", "key", "side", "wall", "min–max", "less", "CPU", "less", "memory")
	last := ""
	for _, at := range r.ordered() {
		samples := r.samples[at]
		all := sorted(samples, wall)
		fmt.Fprintf(w, "%-10s %-6s %-14s %9s %20s %6s %10s %6s %9s\n",
			once(&last, at.Benchmark), at.Case, at.Side, duration(median(samples, wall)),
			duration(all[0])+"–"+duration(all[len(all)-1]), r.times(at, peer, wall),
			duration(median(samples, cpu)), r.times(at, peer, cpu), mebibytes(median(samples, memory)))
	}
	for _, at := range r.ordered() {
		if at.Side == fuin && r.times(at, throttled, wall) != "" {
			fmt.Fprintf(w, "%s %s: %s times less wall time than the peer with its defaults.\n",
				at.Benchmark, at.Case, r.times(at, throttled, wall))
		}
	}
}

// once returns a text unless it is that of the line before.
func once(last *string, text string) string {
	if *last == text {
		return ""
	}
	*last = text
	return text
}

// times is the ratio of a side to Fuin's row, empty on other rows.
func (r *results) times(at row, side string, what func(sample) time.Duration) string {
	if at.Side != fuin {
		return ""
	}
	factor, ok := ratio(r, at, row{at.Benchmark, anyCase, side}, what)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%.*f", digits(factor), factor)
}

func digits(factor float64) int {
	if factor < 10 {
		return 2
	}
	return 1
}

// printControllers tells apart what controllers and servers used.
func (r *results) printControllers(w io.Writer) {
	head, last := false, ""
	for _, at := range r.ordered() {
		if at.Benchmark != openFresh && at.Benchmark != restart {
			continue
		}
		if !head {
			head = true
			fmt.Fprintf(w, "\n%-10s %-6s %-14s %9s %9s %9s %9s %9s %9s\n",
				"medians", "key", "side", "reported", "CPU", "API CPU", "etcd CPU", "sandbox", "key ops")
		}
		s := r.samples[at]
		fmt.Fprintf(w, "%-10s %-6s %-14s %9s %9s %9s %9s %9s %9s\n",
			once(&last, at.Benchmark), at.Case, at.Side, duration(median(s, reported)), duration(median(s, cpu)),
			duration(median(s, apiServer)), duration(median(s, etcd)), mebibytes(median(s, sandbox)), r.operations(at))
	}
}

// operations is empty where the side does not count them.
func (r *results) operations(at row) string {
	if at.Side != fuin {
		return ""
	}
	return fmt.Sprintf("%.0f", median(r.samples[at], func(s sample) float64 { return s.Operations }))
}

func reported(s sample) time.Duration  { return s.Reported }
func apiServer(s sample) time.Duration { return s.APIServer }
func etcd(s sample) time.Duration      { return s.Etcd }
func memory(s sample) int64            { return s.Memory }
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
