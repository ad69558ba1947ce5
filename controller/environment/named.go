package environment

import (
	"fuin.dev/controller/api/bitnami"
	"k8s.io/apimachinery/pkg/types"
)

// Opened is told by the opener what became of a SealedSecret. Its Environment
// looks again if that is not what it reports.
func (r *Reconciler) Opened(name types.NamespacedName, ok bool) {
	i := id{bitnami.GroupVersion.Group, bitnami.Kind, name.Namespace, name.Name}
	env, claimed := r.claims.owner(i)
	if claimed && r.state(env).learn(i, ok) {
		r.look(env)
	}
}

// learn notes whether a SealedSecret is open; it tells whether that is news.
func (s *state) learn(i id, ok bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.applied[i]
	if a == nil || a.opened == ok {
		return false
	}
	a.opened = false // the next pass asks
	s.ground = ground{}
	return true
}

func (s *state) setNamed(named map[types.NamespacedName]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named = named
}

// SecretChanged is told of every change of a Secret. The Environments of which
// a workload names it look whether it is to roll.
func (r *Reconciler) SecretChanged(name types.NamespacedName, version string) {
	for _, env := range r.namedBy(name, version) {
		r.look(env)
	}
}

func (r *Reconciler) namedBy(name types.NamespacedName, version string) (out []types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for env, s := range r.states {
		if s.renamed(name, version) {
			out = append(out, env)
		}
	}
	return out
}

// renamed reports whether a Secret that a workload names is another than it
// was when the workload was applied.
func (s *state) renamed(name types.NamespacedName, version string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, named := s.named[name]
	if !named || known == version {
		return false
	}
	s.ground = ground{}
	return true
}
