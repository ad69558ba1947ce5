// Command bench measures Fuin beside Sealed Secrets, both in one run and on
// real servers. From the root of the repository:
//
//	go run ./testdata/bench            # 1,000 objects, about 15 minutes on two quiet cores
//	go run ./testdata/bench -short     # 100 objects, below four minutes
//	go run ./testdata/bench -only seal-one,restart -n 5000 -json figures.json
//
// The benchmarks:
//
//	seal-one    one manifest of three values, the whole process: fuin seal and kubeseal
//	seal-tree   a directory of such manifests: one fuin seal --in-place, and kubeseal one by one
//	open-fresh  as many SealedSecrets opened by a controller that starts: Fuin's, and that of
//	            Sealed Secrets with its client throttle off and, on a sample, with its defaults
//	restart     each controller started again with nothing changed
//	old-keys    a fifth as many SealedSecrets in a cluster with 24 old RSA keys: hinted, opened
//	            by Fuin beside as many with one key; without hints, by both; a restart of Fuin
//	memory      five times as many SealedSecrets, opened: what each controller holds at rest
//	render      1,000 plain objects, and a kustomization of 500, through the sandbox, warm and cold,
//	            and by kustomize's library in one process
//	env-fresh   an Environment of half as many objects, a fifth of them SealedSecrets: from the
//	            commit until all is applied, beside server-side apply of the same, opened already
//	env-change  one of its secrets is changed; beside server-side apply of everything again
//	env-rest    its interval comes and nothing has changed; beside the same
//	check-staged  one staged file, a workload and then a SealedSecret in an overlay, in a repository
//	            of 10,000 manifests, and in one of 100, the whole process: fuin check --staged,
//	            gitleaks, and git diff --cached, which both begin with
//	check-tree  all files of that repository: fuin check, and gitleaks dir; besides what both
//	            find in testdata/leaks and testdata/lookalikes
//	env-many    a tenth as many Environments of four objects, one controller: until all are Ready
//
// Environments are told of a commit as by a webhook: their interval plays no part.
//
// The sides take turns, and what is compared are medians. Both open the same
// objects with the same keys, each in clusters of its own, one at a time. CPU
// time suffers less from a busy machine than wall time: both are shown.
//
// Nothing here fails because it is slow, only because it does not work.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// benchmarks in the order in which they run.
var benchmarks = []string{sealOne, sealTree, openFresh, restart, oldKeys, memory, benchRender, checkStaged, checkTree, envFresh, envChange, envRest, envMany}

const (
	sealOne   = "seal-one"
	sealTree  = "seal-tree"
	openFresh = "open-fresh"
	restart   = "restart"
	oldKeys   = "old-keys"
	memory    = "memory"

	benchRender = "render"
	checkStaged = "check-staged"
	checkTree   = "check-tree"
	envFresh    = "env-fresh"
	envChange   = "env-change"
	envRest     = "env-rest"
	envMany     = "env-many"
)

// options are the flags.
type options struct {
	only      []string
	objects   int    // SealedSecrets and manifests; old-keys takes a fifth, memory five times as many
	rounds    int    // of everything but seal-one, which makes ten times as many, and memory
	sample    int    // manifests and objects where all of them would take too long
	old       int    // keys of old-keys beside the current one
	oldRounds int    // of old-keys
	bin       string // directory of Fuin's programs; empty: build them
	trees     string // directory of the manifests
	jsonFile  string
	alone     bool // Fuin without the peer
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := f.String("only", "", "comma-separated `NAMES`: "+strings.Join(benchmarks, ", "))
	short := f.Bool("short", false, "100 objects, 2 rounds, a sample of 20, 4 old keys")
	f.IntVar(&o.objects, "n", 0, "number of `OBJECTS`; default 1000; old-keys takes a fifth, memory five times as many")
	f.IntVar(&o.rounds, "rounds", 0, "number of `ROUNDS`; default 3; memory has one")
	f.IntVar(&o.old, "old", 0, "number of old `KEYS` of old-keys; default 24")
	f.StringVar(&o.bin, "bin", "", "`DIR` with fuin, fuin-controller and fuin-render; default: built anew")
	f.StringVar(&o.trees, "trees", memoryDir(), "`DIR` for the manifests: the default is in memory, as a disk's speed says nothing of a program")
	f.StringVar(&o.jsonFile, "json", "", "`FILE` to write every measurement to")
	f.BoolVar(&o.alone, "alone", false, "measure Fuin alone, to see quickly what a change of its own brings")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.fill(*short)
	o.only = benchmarks
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(benchmarks, name) {
			return o, fmt.Errorf("-only %s: the benchmarks are %s", name, strings.Join(benchmarks, ", "))
		}
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return o, nil
}

// fill sets what no flag did.
func (o *options) fill(short bool) {
	use := options{objects: 1000, rounds: 3, sample: 60, old: 24, oldRounds: 3}
	if short {
		use = options{objects: 100, rounds: 2, sample: 20, old: 4, oldRounds: 1}
	}
	if o.objects <= 0 {
		o.objects = use.objects
	}
	if o.old <= 0 {
		o.old = use.old
	}
	o.oldRounds = o.rounds
	if o.rounds <= 0 {
		o.rounds, o.oldRounds = use.rounds, use.oldRounds
	}
	o.sample = min(use.sample, o.objects)
}

// memoryDir is Linux' file system in memory, where there is one.
func memoryDir() string {
	const dir = "/dev/shm"
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return os.TempDir()
	}
	return dir
}

func (o options) wants(name string) bool { return slices.Contains(o.only, name) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)      // a second signal ends it at once
	ctrllog.SetLogger(logr.Discard()) // clients say what goes wrong in errors
	err := run(ctx, os.Args[1:])
	interrupted := ctx.Err() != nil
	stop() // which ends ctx, too
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case interrupted:
		fmt.Fprintln(os.Stderr, "bench: interrupted")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	b, err := prepare(ctx, o)
	if err != nil {
		return err
	}
	defer b.clean()
	before, start := loadAverage(), time.Now()
	if err := b.measure(ctx); err != nil {
		return err
	}
	machine := b.machine(ctx, before, time.Since(start))
	b.results.print(os.Stdout, machine)
	if o.jsonFile == "" {
		return nil
	}
	return b.results.writeJSON(o.jsonFile, machine)
}

func (b *bench) measure(ctx context.Context) error {
	for _, part := range []struct {
		names []string
		run   func(context.Context) error
	}{
		{[]string{sealOne}, b.sealOne},
		{[]string{sealTree}, b.sealTree},
		{[]string{checkStaged, checkTree}, b.check},
		{[]string{openFresh, restart}, b.open}, // they need the same cluster
		{[]string{oldKeys}, b.manyKeys},
		{[]string{memory}, b.hold},
		{[]string{benchRender}, b.render},
		{[]string{envFresh, envChange, envRest}, b.environments}, // the same cluster, too
		{[]string{envMany}, b.many},
	} {
		if !slices.ContainsFunc(part.names, b.wants) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(part.names, " and "), err)
		}
	}
	return nil
}
