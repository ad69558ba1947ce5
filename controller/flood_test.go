package controller_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// junk is a SealedSecret whose values look like those of an RSA key, and open
// with none. It has size bytes in all.
func junk(namespace, name string, values, size int) string {
	m := map[string]string{}
	for i := range values {
		raw := make([]byte, size/values*3/4-12)
		_, _ = rand.Read(raw) // never fails
		raw[0], raw[1] = 1, 0 // 256 bytes of RSA follow
		raw[2] &= 0x3f        // less than any modulus: it costs what a good one costs
		m[valueKey(i)] = base64.StdEncoding.EncodeToString(raw)
	}
	return sealedSecret(namespace, name, m)
}

// attack applies what one tenant may: large objects of junk, and small ones that
// take long. The names of both are for those who edit them.
func (s *system) attack(ns string, ring []*keys.Identity) (large, small []string) {
	s.T.Helper()
	for i := range 4 {
		name := fmt.Sprintf("junk-%d", i)
		s.Put(junk(ns, name, 1500, 1<<20))
		large = append(large, name)
	}
	for name, template := range map[string]string{
		"endless": "{{ range 100000000000 }}{{ end }}",
		"hungry":  `{{ $x := .k0000 }}{{ range 64 }}{{ $x = printf "%s%s" $x $x }}{{ end }}`,
		"failing": "{{ fail .k0000 }}",
		"reading": `{{ readFile "/etc/passwd" }}`,
		"dialing": `{{ getHostByName "localhost" }}`,
	} {
		s.Put(s.Edit(s.sealedWith(ns, name, ring[0]), func(m map[string]any) {
			at(m, map[string]any{"t": template}, "spec", "template", "data")
		}))
		small = append(small, name)
	}
	old := slices.Clone(ring)
	slices.Reverse(old) // each value's key is the last to be tried
	s.Put(s.sealedWith(ns, "old", old...))
	return large, append(small, "old")
}

// edits changes objects in turn, so that each is opened anew, until ctx ends.
func (s *system) edits(ctx context.Context, every time.Duration, ns string, names []string) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"edit":"%d"}}}}}`, i)
		err := s.Client().Patch(ctx, fuintest.NamedSealedSecret(ns, names[i%len(names)]), client.RawPatch("application/merge-patch+json", []byte(patch)))
		if err != nil && ctx.Err() == nil {
			s.T.Error(err)
			return
		}
	}
}

// prober is somebody in a namespace of their own.
type prober struct {
	*system
	ns      string
	key     *keys.Identity
	secrets watch.Interface
	made    int
}

func (s *system) prober(key *keys.Identity) *prober {
	s.T.Helper()
	api, err := client.NewWithWatch(s.Admin(), client.Options{})
	s.OK(err)
	p := &prober{system: s, ns: s.Namespace(s.T), key: key}
	p.secrets, err = api.Watch(s.T.Context(), &corev1.SecretList{}, client.InNamespace(p.ns))
	s.OK(err)
	s.T.Cleanup(p.secrets.Stop)
	return p
}

// latency is how long a fresh SealedSecret of three values waits for its Secret.
func (p *prober) latency() time.Duration {
	p.T.Helper()
	name := fmt.Sprintf("fresh-%d", p.made)
	p.made++
	manifest := p.sealedWith(p.ns, name, p.key, p.key, p.key)
	start, late := time.Now(), time.After(time.Minute)
	p.Put(manifest)
	for {
		select {
		case event := <-p.secrets.ResultChan():
			if made, ok := event.Object.(*corev1.Secret); ok && made.Name == name {
				return time.Since(start)
			}
		case <-late:
			p.T.Fatalf("%s has no Secret after a minute", name)
		}
	}
}

// templated is how long a SealedSecret with a template waits. It needs a child
// of the sandbox, which somebody else's may occupy until it is killed.
func (p *prober) templated() time.Duration {
	p.T.Helper()
	start := time.Now()
	p.Put(p.Edit(p.sealedWith(p.ns, "templated", p.key), func(m map[string]any) {
		at(m, map[string]any{"t": "{{ .k0000 }}!"}, "spec", "template", "data")
	}))
	p.Opens(p.ns, "templated", "t", valueKey(0)+"!")
	return time.Since(start)
}

// probes is how many latencies a median is taken of, at least.
const probes = 7

// latencies measures until done is closed, and several times at least.
func (p *prober) latencies(done <-chan struct{}) (out []time.Duration) {
	p.T.Helper()
	for {
		out = append(out, p.latency())
		select {
		case <-done:
			if len(out) >= probes {
				return out
			}
		default:
		}
	}
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// floods is how many requests the endpoints get: 2,000, and 10,000 in a soak.
// Those take half a minute on two cores, and more where these are shared.
func floods() int {
	if fuintest.Soak() {
		return 10000
	}
	return 2000
}

// Bounds of the test. Large objects are edited
// once a second: what they cost the API server is not the controller's to bound.
const (
	timesIdle   = 5
	mostAlone   = 400 << 20 // bytes of the controller itself
	memoryLimit = 1 << 30   // of the Deployment, children and all
)

// idle is how long others wait while nobody attacks. Below a floor, a ratio says more
// about a machine's scheduler than about fairness. A soak has a machine of its own;
// other runs share theirs, and measure idleness on processors that are as busy as
// during an attack.
func (p *prober) idle() time.Duration {
	p.T.Helper()
	floor := 50 * time.Millisecond
	if !fuintest.Soak() {
		floor = 200 * time.Millisecond
		defer occupied()()
	}
	quiet := make(chan struct{})
	close(quiet)
	p.latency() // the first one warms up
	return max(median(p.latencies(quiet)), floor)
}

// occupied keeps all processors busy until release.
func occupied() (release func()) {
	var ended atomic.Bool
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for !ended.Load() {
			}
		})
	}
	return func() {
		ended.Store(true)
		all.Wait()
	}
}

// siege is what was measured during an attack.
type siege struct {
	flood     *flood
	attacked  []time.Duration // how long others waited
	templated time.Duration   // how long one with a template did
	took      time.Duration
	most      fuintest.Peak
}

// besiege has a tenant and strangers do their worst until all requests are
// answered.
func (s *system) besiege(p *fuintest.Process, probe *prober, ns string) (out siege) {
	s.T.Helper()
	ring, err := aged()
	s.OK(err)
	ring = ring[:ringSize]
	large, small := s.attack(ns, ring)
	ctx, end := context.WithCancel(s.T.Context())
	defer end()
	most, start := p.Follow(ctx), time.Now()
	out.flood = &flood{p: p, answers: map[int]int{}}
	var attackers sync.WaitGroup
	attackers.Go(func() { s.edits(ctx, time.Second, ns, large) })
	attackers.Go(func() { s.edits(ctx, time.Second/2, ns, small) })
	attackers.Go(func() { out.flood.slowly(ctx, 24) })
	sent, requests := make(chan struct{}), s.requests(ns, ring)
	go func() {
		defer close(sent)
		out.flood.send(s.T, requests, floods())
	}()
	s.Eventually("the requests are answered", func() bool { return out.flood.answered.Load() > clients })
	out.templated = probe.templated()
	out.attacked = probe.latencies(sent)
	out.took = time.Since(start)
	end()
	attackers.Wait()
	out.most = <-most
	return out
}

// TestOthersOpenDuringAttacks measures how long another tenant waits during an
// attack, against the same when all is quiet.
func TestOthersOpenDuringAttacks(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "384MiB") // as the Deployment sets it
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	ring, _ := s.agedRing()
	p := s.Run(fuintest.Alone)
	probe, ns := s.prober(ring[0]), s.Namespace(t)
	idle := probe.idle()
	before := p.Footprint()
	got := s.besiege(p, probe, ns)
	s.recovers(p, ns, before)
	idle = max(idle, probe.idle()) // a machine that is shared may be slower by now

	alone := p.PeakMemory()
	t.Logf("idle %v, attacked %v (of %d, most %v; a template %v); %s in %v; at most %d MiB, %d MiB with %d children",
		idle, median(got.attacked), len(got.attacked), slices.Max(got.attacked), got.templated, got.flood, got.took,
		alone>>20, got.most.Memory>>20, got.most.Children)
	if wait := median(got.attacked); wait > timesIdle*idle {
		t.Errorf("others wait for %v while a tenant attacks, and %v when all is quiet: more than %d times as long", wait, idle, timesIdle)
	}
	if alone > mostAlone || got.most.Memory > memoryLimit || int(got.most.Children) > fuintest.PoolSize() {
		t.Errorf("the controller had %d MiB, with its %d children %d MiB", alone>>20, got.most.Children, got.most.Memory>>20)
	}
}

// recovers checks that an attack leaves nothing behind.
func (s *system) recovers(p *fuintest.Process, ns string, before fuintest.Footprint) {
	s.T.Helper()
	s.Opens(ns, "old", valueKey(0), valueKey(0)) // it was legitimate all along
	s.Says(ns, "junk-0", bitnami.Stalled, corev1.ConditionTrue, "")
	for name, text := range map[string]string{
		"endless": "did not finish in time", "hungry": "too much memory", "failing": "failed",
		"reading": "calls a function that does not exist here", "dialing": "getHostByName",
	} {
		s.Says(ns, name, bitnami.Ready, corev1.ConditionFalse, text)
	}
	s.Eventually("the controller rests", func() bool {
		used := p.CPU()
		time.Sleep(500 * time.Millisecond) // what is measured is a rate
		return p.CPU()-used < 100*time.Millisecond
	})
	s.Eventually(fmt.Sprintf("no more is held than before, %+v", before), func() bool { return p.Footprint().Within(before) })
	s.T.Logf("after: %+v", p.Footprint())
	if strings.Contains(p.Log.String(), "panic") {
		s.T.Error("the controller panicked")
	}
}
