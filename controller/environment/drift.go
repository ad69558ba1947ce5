package environment

import (
	"context"
	"slices"
	"strings"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// The API server writes down which fields of an object are ours. Whoever
// changes or removes one of them takes it from us, and whoever adds or changes
// others does not: so an object drifted if that note is another than after it
// was applied, which its metadata alone tells.

// drifted is told by the watches what they saw.
func (r *Reconciler) drifted(env types.NamespacedName, seen sighting) {
	r.mu.Lock()
	s := r.states[env]
	r.mu.Unlock()
	if s != nil && s.compare(seen) {
		r.Metrics.drift(env)
		time.AfterFunc(s.pace(), func() { r.look(env) })
	}
}

// driftPause is between two passes for drift: each asks the source, and an
// object can be changed in a loop.
const driftPause = time.Second

// pace tells how long to wait before the next pass for drift.
func (s *state) pace() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	wait := max(s.paced.Sub(now), 0)
	s.paced = now.Add(wait + driftPause)
	if wait > driftPause { // one that waits is enough for all
		s.paced = now.Add(2 * driftPause)
		wait = driftPause
	}
	return wait
}

// compare looks for drift in a sighting; it tells whether there is any new.
func (s *state) compare(seen sighting) bool {
	before := s.get(seen.id)
	if before == nil {
		return false
	}
	if seen.id.kind == configMapKind && (seen.live == nil || seen.live.ResourceVersion != before.rv) {
		s.touched(seen.id.namespace, "")
	}
	switch {
	case seen.live == nil && seen.uid != before.uid:
		return false // of one that was replaced
	case seen.live == nil:
		return s.note(seen.id, v1alpha1.DriftEntry{Object: seen.id.String(), Change: "Deleted"})
	case IsOlder(seen.live.ResourceVersion, before.rv) || !seen.live.DeletionTimestamp.IsZero():
		return false
	}
	now := fieldsOf(seen.live.ManagedFields)
	if seen.uid == before.uid && (now == before.fields || now == before.noted) {
		return false
	}
	before.noted = now
	return s.note(seen.id, entryOf(seen, before.fields, now))
}

// IsOlder reports whether a resource version is older than another of the same
// kind; of what is none it is not.
func IsOlder(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}

// entryOf tells what was changed, and by whom, from the notes of who owns what.
func entryOf(seen sighting, before, now string) v1alpha1.DriftEntry {
	e := v1alpha1.DriftEntry{Object: seen.id.String(), Change: "Modified"}
	lost := setOf(before).Difference(setOf(now))
	lost.Leaves().Iterate(func(path fieldpath.Path) {
		if len(e.Paths) < maxPaths {
			e.Paths = append(e.Paths, pathWithoutValues(path))
		}
	})
	e.Paths = slices.Compact(slices.Sorted(slices.Values(e.Paths)))
	for _, m := range seen.live.ManagedFields {
		if m.FieldsV1 == nil || m.Manager == FieldOwner && m.Operation == metav1.ManagedFieldsOperationApply {
			continue
		}
		if len(e.Managers) == maxPaths {
			break
		}
		if !setOf(m.FieldsV1.GetRawString()).Intersection(lost).Empty() && !slices.Contains(e.Managers, m.Manager) {
			e.Managers = append(e.Managers, m.Manager)
		}
	}
	return e
}

const maxPaths = 20

// pathWithoutValues writes a path; what selects an element of a list by a
// value of it is left out, as it is content.
func pathWithoutValues(path fieldpath.Path) string {
	var b strings.Builder
	for _, e := range path {
		switch {
		case e.FieldName != nil:
			b.WriteString("." + *e.FieldName)
		case e.Key != nil:
			b.WriteString("[" + keyName(*e.Key) + "]")
		default:
			b.WriteString("[]")
		}
	}
	return clipped(b.String())
}

// maxPath bounds one of the paths that a status lists, in bytes: the keys of a
// custom resource may be of any length.
const maxPath = 256

func clipped(path string) string {
	if len(path) <= maxPath {
		return path
	}
	return strings.ToValidUTF8(path[:maxPath], "") + "…"
}

// keyName is the name of a named list element, which Kubernetes makes a DNS
// label for containers, ports and volumes, or else nothing.
func keyName(key value.FieldList) string {
	for _, f := range key {
		if f.Name == "name" && f.Value.IsString() {
			return f.Value.AsString()
		}
	}
	return ""
}

func setOf(fields string) *fieldpath.Set {
	s := &fieldpath.Set{}
	if fields != "" {
		_ = s.FromJSON(strings.NewReader(fields)) // the API server's own; an unreadable one is empty
	}
	return s
}

// note keeps what drifted for the next pass.
func (s *state) note(i id, e v1alpha1.DriftEntry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drifted[i] || s.applied[i] == nil {
		return false
	}
	s.drifted[i] = true
	e.Time = metav1.NewTime(time.Now().Truncate(time.Second))
	s.notes = append(s.notes, e)
	if len(s.notes) > maxNotes {
		s.notes = s.notes[len(s.notes)-maxNotes:]
	}
	return true
}

// maxNotes bounds what a status says of drift.
const maxNotes = 20

// takeNotes are what drifted since the last pass.
func (s *state) takeNotes() []v1alpha1.DriftEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	notes := s.notes
	s.notes = nil
	return notes
}

// lookForDrift compares all that was applied, place by place, for an account
// that may not watch.
func (p *pass) lookForDrift(ctx context.Context) {
	if p.env.Spec.Drift.Mode == "Ignore" {
		return
	}
	for at, ids := range p.state.places() {
		seen := map[id]bool{}
		err := eachLive(ctx, p.account.at(at.resource, at.namespace), p.mine(), func(m *metav1.PartialObjectMetadata) {
			i := id{ids[0].group, ids[0].kind, m.Namespace, m.Name}
			seen[i] = true
			p.state.compare(sighting{i, m.UID, m})
		})
		for _, i := range ids {
			if a := p.state.get(i); err == nil && !seen[i] && a != nil {
				p.state.compare(sighting{id: i, uid: a.uid})
			}
		}
	}
}

// places groups what was applied by kind and namespace.
func (s *state) places() map[place][]id {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[place][]id{}
	for i, a := range s.applied {
		at := place{a.resource, i.namespace}
		out[at] = append(out[at], i)
	}
	return out
}

// reportDrift moves what drifted into the status, with what was done about it.
func (p *pass) reportDrift() {
	notes := p.state.takeNotes()
	if len(notes) == 0 {
		return
	}
	action := "Repaired"
	switch p.env.Spec.Drift.Mode {
	case "Report":
		action = "Reported"
	case "Ignore":
		action = "Ignored"
	}
	for i := range notes {
		notes[i].Action = action
		by := ""
		if len(notes[i].Managers) > 0 {
			by = " by " + strings.Join(notes[i].Managers, ", ")
		}
		p.tell(corev1.EventTypeNormal, "Drift", notes[i].Object+" was "+strings.ToLower(notes[i].Change)+by+": "+strings.ToLower(action))
	}
	all := append(slices.Clone(p.env.Status.Drift), notes...)
	if len(all) > maxNotes {
		all = all[len(all)-maxNotes:]
	}
	p.env.Status.Drift = all
}
