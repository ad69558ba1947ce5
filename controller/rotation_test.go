package controller_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
	"fuin.dev/keys"
	"fuin.dev/seal"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// storm is how long clients seal while keys rotate, and how often a replica is
// killed meanwhile.
func storm() (lasts, kill time.Duration) {
	if fuintest.Soak() {
		return time.Minute, 10 * time.Second
	}
	return 15 * time.Second, 6 * time.Second
}

const rotation = 2 * time.Second

// TestRotationUnderLoad has four clients seal with whatever key is published,
// while the RSA key rotates every two seconds and one of two replicas is killed
// again and again. Every object opens, every key stays, and none is made twice.
func TestRotationUnderLoad(t *testing.T) {
	s := newSystem(t, kubetest.New(t, kubetest.Config{}))
	began := time.Now()
	replicas := []*fuintest.Process{s.Run("--key-renew-period", "2s"), s.Run("--key-renew-period", "2s")}
	ns := s.Namespace(t)
	lasts, kill := storm()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients errgroup.Group
	made := make([]int, 4)
	for c := range made {
		clients.Go(func() (err error) {
			made[c], err = s.sealUntil(ctx, ns, c)
			return err
		})
	}
	seen := &sightings{}
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		for tick := time.Tick(100 * time.Millisecond); ctx.Err() == nil; <-tick {
			seen.add(s.rsaSecrets(t.Context()))
		}
	}()
	for i := range int(lasts / kill) {
		time.Sleep(kill)
		replicas[i%2].Kill()
		replicas[i%2] = s.Start("--key-renew-period", "2s")
	}
	time.Sleep(lasts % kill)
	s.Eventually("keys were made", func() bool { return len(s.rsaSecrets(t.Context())) >= 3 })
	cancel()
	s.OK(clients.Wait())
	<-watching
	total := 0
	for c, n := range made {
		total += n
		for i := range n {
			s.Opens(ns, nameOf(c, i), "k", valueOf(c, i))
		}
	}
	ring, took := s.rsaSecrets(t.Context()), time.Since(began)
	t.Logf("%d objects, %d keys in %s", total, len(ring), took)
	seen.stay(t, ring)
	apart(t, ring)
	if most := int(took/rotation) + 2; len(ring) > most {
		t.Errorf("%d keys, want %d at most", len(ring), most)
	}
}

func nameOf(c, i int) string  { return fmt.Sprintf("c%d-%04d", c, i) }
func valueOf(c, i int) string { return fmt.Sprintf("value %d of %d", i, c) }

// sealUntil seals and applies objects until ctx ends, and counts them.
func (s *system) sealUntil(ctx context.Context, ns string, c int) (n int, err error) {
	for ; ctx.Err() == nil; n++ {
		var m corev1.ConfigMap
		if err := s.Client().Get(s.T.Context(), client.ObjectKey{Namespace: "fuin-system", Name: "fuin-public-keys"}, &m); err != nil {
			return n, err
		}
		rs, err := keys.ParseRecipients([]byte(m.Data["cert.pem"]), time.Now())
		if err != nil {
			return n, err
		}
		sealer, err := seal.NewSealer(rs...)
		if err != nil {
			return n, err
		}
		r, err := sealer.Manifest([]byte(secret(ns, nameOf(c, n), "k", valueOf(c, n))), seal.Options{})
		if err != nil {
			return n, err
		}
		if err := s.ApplyYAML(s.T.Context(), "", string(r.Out)); err != nil {
			return n, err
		}
		select { // a team commits now and then
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return n, nil
}

// rsaSecrets lists the RSA key Secrets by age.
func (s *system) rsaSecrets(ctx context.Context) []corev1.Secret {
	var list corev1.SecretList
	if err := s.Client().List(ctx, &list, client.InNamespace("fuin-system"), client.HasLabels{keys.LabelRSA}); err != nil {
		s.T.Error(err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Secret) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return list.Items
}

// sightings are all keys that ever were.
type sightings struct {
	mu  sync.Mutex
	uid map[string]string // by name
}

func (s *sightings) add(secrets []corev1.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uid == nil {
		s.uid = map[string]string{}
	}
	for _, k := range secrets {
		s.uid[k.Name] = string(k.UID)
	}
}

// stay checks that every key seen is there still, and is the same.
func (s *sightings) stay(t *testing.T, now []corev1.Secret) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	left := map[string]string{}
	for _, k := range now {
		left[k.Name] = string(k.UID)
	}
	for name, uid := range s.uid {
		if left[name] != uid {
			t.Errorf("key %s is gone or another", name)
		}
	}
}

// apart checks that no two keys were made for one period: each is made when the
// one before has had its time.
func apart(t *testing.T, ring []corev1.Secret) {
	t.Helper()
	var last time.Time
	for _, k := range ring {
		if strings.Count(k.Name, "-") != strings.Count("sealed-secrets-key-20260101-000000", "-") {
			t.Errorf("key %s is the second of its period", k.Name)
		}
		made := certificateOf(t, string(k.Data["tls.crt"])).NotBefore
		if !last.IsZero() && made.Sub(last) < rotation {
			t.Errorf("key %s was made %s after the one before", k.Name, made.Sub(last))
		}
		last = made
	}
}
