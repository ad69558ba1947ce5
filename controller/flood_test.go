package controller_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/api/bitnami"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
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

// told waits until a SealedSecret says why it does not open. It is edited now and then:
// on a machine that was busy it may have met another bound first.
func (s *system) told(ns, name, text string) {
	s.T.Helper()
	var edited time.Time
	s.Eventually(fmt.Sprintf("%s says %q", name, text), func() bool {
		if time.Since(edited) > 20*time.Second {
			edited = time.Now()
			s.Patch(fuintest.NamedSealedSecret(ns, name), fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"edit":"at %d"}}}}}`, edited.UnixNano()))
		}
		ss := s.SealedSecret(ns, name)
		s.Last = fmt.Sprintf("%+v", ss.Status.Conditions)
		return slices.ContainsFunc(ss.Status.Conditions, func(c bitnami.Condition) bool {
			return c.Type == bitnami.Ready && c.Status == corev1.ConditionFalse && strings.Contains(c.Message, text) && ss.Status.ObservedGeneration == ss.Generation
		})
	})
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
		s.told(ns, name, text)
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
