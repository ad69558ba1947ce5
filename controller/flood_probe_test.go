package controller_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/keys"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

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
