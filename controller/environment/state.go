package environment

import (
	"crypto/sha256"
	"sync"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// state is what is known of an Environment from one pass to the next. It is
// lost with the process, and then found again by applying all.
type state struct {
	mu      sync.Mutex
	handled string // the value of AnnotationReconcile that was last answered
	written string // the resource version of the Environment after the last status
	applied map[id]*applied
	drifted map[id]bool // told by a watch
	paced   time.Time   // no pass for drift before then
	ground  ground
	named   map[types.NamespacedName]string // Secrets that workloads name: their versions when the code was made
	told    map[types.NamespacedName]string // of these, what was seen since
	late    bool                            // one of these changed while the pass went on
	codes   map[id]knownCode                // of workloads
	notes   []v1alpha1.DriftEntry           // what drifted since the last pass
}

// ground is what a pass without failure rested on.
type ground struct {
	revision   string
	generation int64
	checked    time.Time // when drift was last looked for
}

// applied is an object as it was last applied.
type applied struct {
	digest   [sha256.Size]byte // of what was sent
	resource schema.GroupVersionResource
	version  string
	uid      types.UID
	rv       string
	fields   string // what of it is ours, as the API server wrote it
	noted    string // what was ours when drift was noted
	opened   bool   // of a SealedSecret: its Secret is as it should be
}

func (r *Reconciler) state(name types.NamespacedName) *state {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.states[name]
	if s == nil {
		s = &state{
			applied: map[id]*applied{}, drifted: map[id]bool{},
			told: map[types.NamespacedName]string{}, codes: map[id]knownCode{},
		}
		r.states[name] = s
	}
	return s
}

// forget drops all that is known of an Environment that is gone.
func (r *Reconciler) forget(name types.NamespacedName) {
	r.mu.Lock()
	delete(r.states, name)
	r.mu.Unlock()
	r.claims.release(name)
	r.watches.set(name, nil, nil)
	r.Metrics.forget(name)
}

// takeAsked tells whether a look was asked for since the last pass.
func (s *state) takeAsked(env *v1alpha1.Environment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := env.Annotations[AnnotationReconcile]
	asked := now != s.handled
	s.handled = now
	return asked
}

func (s *state) lastWritten() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

func (s *state) wrote(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = version
}

func (s *state) inventory() inventory {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := inventory{}
	for i, a := range s.applied {
		out[i] = a.version
	}
	return out
}

func (s *state) get(i id) *applied {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied[i]
}

func (s *state) put(i id, a *applied) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied[i] = a
	delete(s.drifted, i)
}

func (s *state) drop(i id) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.applied, i)
	delete(s.drifted, i)
	delete(s.codes, i)
}

func (s *state) isDrifted(i id) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drifted[i]
}

// undrift takes an object as it stands.
func (s *state) undrift(i id) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.drifted, i)
}

// undriftAll takes all objects as they stand.
func (s *state) undriftAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.drifted)
}

func (s *state) anyDrifted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.drifted) > 0
}

// settle notes what a pass without failure rested on; a pass with one rests
// on nothing.
func (s *state) settle(env *v1alpha1.Environment, revision string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ground = ground{}
	if ok && !s.late {
		s.ground = ground{revision, env.Generation, time.Now()}
	}
	s.late = false
}

func (s *state) rests(env *v1alpha1.Environment, revision string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ground.revision == revision && s.ground.generation == env.Generation && len(s.drifted) == 0
}
