package main

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// The labels of what an Environment applied.
const (
	labelEnvironment          = "fuin.dev/environment"
	labelEnvironmentNamespace = "fuin.dev/environment-namespace"
)

// An environment is what the commands read of an Environment: structs of the
// program's own, since the API's would link half of Kubernetes. A test holds
// their names to the API.
type environment struct {
	Metadata environmentMetadata `json:"metadata"`
	Spec     environmentSpec     `json:"spec"`
	Status   environmentStatus   `json:"status"`
}

type environmentMetadata struct {
	Namespace         string    `json:"namespace"`
	Name              string    `json:"name"`
	Generation        int64     `json:"generation"`
	DeletionTimestamp time.Time `json:"deletionTimestamp"`
}

type environmentSpec struct {
	Source struct {
		Git *struct {
			URL string `json:"url"`
			Ref struct {
				Branch string `json:"branch"`
				Tag    string `json:"tag"`
				Semver string `json:"semver"`
				Commit string `json:"commit"`
			} `json:"ref"`
		} `json:"git"`
		Directory string `json:"directory"`
	} `json:"source"`
	Path            string `json:"path"`
	Interval        string `json:"interval"`
	RetryInterval   string `json:"retryInterval"`
	TargetNamespace string `json:"targetNamespace"`
	Images          []struct {
		Name    string `json:"name"`
		NewName string `json:"newName"`
		NewTag  string `json:"newTag"`
		Digest  string `json:"digest"`
	} `json:"images"`
	Suspend bool `json:"suspend"`
}

type environmentStatus struct {
	ObservedGeneration    int64            `json:"observedGeneration"`
	Conditions            []condition      `json:"conditions"`
	LastAttemptedRevision string           `json:"lastAttemptedRevision"`
	LastAppliedRevision   string           `json:"lastAppliedRevision"`
	Inventory             []inventoryEntry `json:"inventory"`
	Secrets               struct {
		Sealed     int             `json:"sealed"`
		References int             `json:"references"`
		Failed     []secretFailure `json:"failed"`
	} `json:"secrets"`
	Drift   []driftEntry `json:"drift"`
	Images  []string     `json:"images"`
	History []revision   `json:"history"`
}

type condition struct {
	Type               string    `json:"type"`
	Status             string    `json:"status"`
	Reason             string    `json:"reason"`
	Message            string    `json:"message"`
	LastTransitionTime time.Time `json:"lastTransitionTime"`
}

type inventoryEntry struct {
	ID string `json:"id"`
}

type secretFailure struct {
	Object  string   `json:"object"`
	Key     string   `json:"key"`
	Reason  string   `json:"reason"`
	Message string   `json:"message"`
	File    string   `json:"file"`
	Holds   []string `json:"holds"`
}

type driftEntry struct {
	Object   string    `json:"object"`
	Change   string    `json:"change"`
	Managers []string  `json:"managers"`
	Paths    []string  `json:"paths"`
	Action   string    `json:"action"`
	Time     time.Time `json:"time"`
}

type revision struct {
	Revision string    `json:"revision"`
	Author   string    `json:"author"`
	Subject  string    `json:"subject"`
	Signer   string    `json:"signer"`
	Result   string    `json:"result"`
	Message  string    `json:"message"`
	Objects  int       `json:"objects"`
	Time     time.Time `json:"time"`
}

// resultApplied is the result, in the history, of a revision that was applied.
const resultApplied = "Applied"

// A state is in a word how an Environment fares.
type state string

// The states.
const (
	stateReady       state = "Ready"       // as its source says
	stateReconciling state = "Reconciling" // at work, or the controller has not seen the spec yet
	stateFailed      state = "Failed"      // not as its source says; the controller tries again
	stateStalled     state = "Stalled"     // nothing helps but a change
	stateSuspended   state = "Suspended"
	stateDeleting    state = "Deleting"
	stateUnknown     state = "Unknown" // no controller has seen it
)

func (e *environment) String() string { return e.Metadata.Namespace + "/" + e.Metadata.Name }

func compareEnvironments(a, b environment) int {
	return cmp.Or(cmp.Compare(a.Metadata.Namespace, b.Metadata.Namespace), cmp.Compare(a.Metadata.Name, b.Metadata.Name))
}

// condition is the zero value where there is none of that type.
func (e *environment) condition(kind string) condition {
	for _, c := range e.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return condition{}
}

// observed tells whether the status is about the spec as it stands.
func (e *environment) observed() bool { return e.Status.ObservedGeneration >= e.Metadata.Generation }

// retryReasons are those of Reconciling where nothing goes on but the wait for
// another try, after a failure: Fuin's, and Flux's.
var retryReasons = []string{"Retrying", "ProgressingWithRetry"}

// state is the Environment's, by its conditions as kstatus reads them, and
// what there is to say about it.
func (e *environment) state() (state, string) {
	ready, stalled, reconciling := e.condition("Ready"), e.condition("Stalled"), e.condition("Reconciling")
	atWork := reconciling.Status == "True" && !slices.Contains(retryReasons, reconciling.Reason)
	switch {
	case !e.Metadata.DeletionTimestamp.IsZero():
		return stateDeleting, ready.Message
	case e.Spec.Suspend:
		return stateSuspended, ready.Message
	case e.Status.ObservedGeneration <= 0 && len(e.Status.Conditions) == 0:
		return stateUnknown, "no controller has seen it yet"
	case !e.observed():
		return stateReconciling, "its spec was changed; the controller has not seen that yet"
	case atWork: // the others are of the revision before
		return stateReconciling, cmp.Or(reconciling.Message, ready.Message)
	case stalled.Status == "True":
		return stateStalled, cmp.Or(stalled.Message, ready.Message)
	case ready.Status == "False":
		return stateFailed, ready.Message
	case ready.Status == "True":
		return stateReady, ready.Message
	}
	return stateUnknown, ready.Message
}

// reason is the one of the condition that decides the state.
func (e *environment) reason() string {
	if stalled := e.condition("Stalled"); stalled.Status == "True" {
		return stalled.Reason
	}
	return e.condition("Ready").Reason
}

// appliedAt is when the last applied revision was first applied; zero where
// the history does not tell.
func (e *environment) appliedAt() time.Time {
	for _, r := range e.Status.History {
		if r.Revision == e.Status.LastAppliedRevision && r.Result == resultApplied {
			return r.Time
		}
	}
	return time.Time{}
}

// failedObjects is how many secrets do not open, however many keys of each.
func (e *environment) failedObjects() int {
	seen := map[string]bool{}
	for _, f := range e.Status.Secrets.Failed {
		seen[f.Object] = true
	}
	return len(seen)
}

// An objectID names an object of the cluster.
type objectID struct{ Namespace, Name, Group, Kind string }

// object reads the entry, NAMESPACE_NAME_GROUP_KIND, in whose name two
// underscores stand for a colon.
func (i inventoryEntry) object() (objectID, bool) {
	parts := strings.Split(i.ID, "_")
	last := len(parts) - 1
	if last < 3 {
		return objectID{}, false
	}
	name := strings.ReplaceAll(strings.Join(parts[1:last-1], "_"), "__", ":")
	return objectID{parts[0], name, parts[last-1], parts[last]}, true
}

// namespaces are those that an Environment applies objects to.
func (e *environment) namespaces() []string {
	out := []string{cmp.Or(e.Spec.TargetNamespace, e.Metadata.Namespace)}
	for _, entry := range e.Status.Inventory {
		if id, ok := entry.object(); ok && id.Namespace != "" {
			out = append(out, id.Namespace)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// commitOf is the part of a revision that names a commit, or whatever stands
// for one: of BRANCH@sha1:COMMIT the COMMIT.
func commitOf(revision string) string {
	return revision[strings.LastIndexAny(revision, ":@")+1:]
}

// shortRevision is BRANCH@COMMIT with eight characters of the commit.
func shortRevision(revision string) string {
	commit := shortCommit(commitOf(revision))
	branch, _, found := strings.Cut(revision, "@")
	if !found {
		return commit
	}
	return branch + "@" + commit
}

// shortCommit is what people need of a commit.
func shortCommit(commit string) string {
	if isCommit().MatchString(commit) {
		return commit[:min(len(commit), 8)]
	}
	return commit
}
