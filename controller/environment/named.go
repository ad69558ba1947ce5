package environment

import (
	"fuin.dev/controller/api/bitnami"
	"fuin.dev/render"
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

// expect has changes of the Secrets noticed that workloads name, from before
// they are read.
func (s *state) expect(workloads []*object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.named == nil {
		s.named = map[types.NamespacedName]string{}
	}
	for _, o := range workloads {
		for _, use := range render.Uses(o.Content) {
			name := types.NamespacedName{Namespace: o.id.namespace, Name: use.Name}
			if _, known := s.named[name]; !known && use.Kind == secretKind.Kind {
				s.named[name] = ""
			}
		}
	}
}

// setNamed notes the versions of the Secrets that were read. If one changed
// since, the pass is not the last word.
func (s *state) setNamed(named map[types.NamespacedName]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, version := range named {
		if told, ok := s.told[name]; ok && told != version && (version == "" || IsOlder(version, told)) {
			s.late = true
			s.forgetCodes(name.Namespace, name.Name)
		}
	}
	s.named, s.told = named, map[types.NamespacedName]string{}
}

// setOpened notes that a SealedSecret was opened, and that its Secret may be
// another.
func (s *state) setOpened(i id) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.applied[i]; a != nil {
		a.opened = true
	}
	s.forgetCodes(i.namespace, i.name)
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
	s.told[name] = version
	s.forgetCodes(name.Namespace, name.Name)
	s.ground = ground{}
	return true
}
