// Package environments_test holds Environments to their promises, end to end:
// the controller as it is shipped, under its own RBAC, between a real API server
// and a real Git server.
package environments_test

import (
	"fmt"
	"strings"
	"testing"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/gittest"
	"fuin.dev/controller/kubetest"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestMain(m *testing.M) { fuintest.Main(m) }

// system is a cluster with Fuin, and what tests of Environments do there.
type system struct{ *fuintest.System }

func newSystem(t testing.TB, c *kubetest.Cluster) *system {
	t.Helper()
	return &system{fuintest.New(t, c)}
}

// These stand in most lines.
var (
	secret = fuintest.SecretManifest
	at     = fuintest.At
)

// slow is an interval that no test lives to see: what happens then happens
// because a watch told, or somebody asked.
const slow = "1h"

// files is the content of a directory, by path.
type files map[string]string

// environment is an Environment of a repository, and what a test asks of it.
type environment struct {
	*fuintest.Environment
	head string // the last commit
}

func (s *system) environment(repo *gittest.Repo, ns, name string, spec map[string]any) *environment {
	s.T.Helper()
	return &environment{Environment: s.Environment(repo, ns, name, spec)}
}

// commit makes the repository hold these files and no others.
func (e *environment) commit(all files) (hash string) {
	e.T.Helper()
	return e.push(gittest.Commit{Files: all, Replace: true})
}

// push makes a commit of any sort.
func (e *environment) push(c gittest.Commit) (hash string) {
	e.T.Helper()
	hash, err := e.Repo.Commit(e.T.Context(), c)
	e.OK(err)
	e.head = hash
	return hash
}

// becomes waits for the Ready condition, of the generation as it is.
func (e *environment) becomes(status metav1.ConditionStatus, reason, text string) *v1alpha1.Environment {
	e.T.Helper()
	var last *v1alpha1.Environment
	e.Eventually(fmt.Sprintf("Environment %s/%s is Ready=%s %s %q", e.NS, e.Name, status, reason, text), func() bool {
		last = e.Get()
		c := e.ready(last)
		return c.Status == status && c.Reason == reason && strings.Contains(c.Message, text) && last.Status.ObservedGeneration == last.Generation
	})
	return last
}

// ready is the Ready condition, empty if there is none yet.
func (e *environment) ready(env *v1alpha1.Environment) metav1.Condition {
	c := meta.FindStatusCondition(env.Status.Conditions, v1alpha1.Ready)
	if c == nil {
		return metav1.Condition{}
	}
	e.Last = fmt.Sprintf("%s %s %s", c.Status, c.Reason, c.Message)
	return *c
}

// applies waits until the last commit has been applied.
func (e *environment) applies() *v1alpha1.Environment {
	e.T.Helper()
	var last *v1alpha1.Environment
	e.Eventually(fmt.Sprintf("commit %s of Environment %s/%s is applied", e.head, e.NS, e.Name), func() bool {
		last = e.Get()
		return e.ready(last).Status == metav1.ConditionTrue && strings.HasSuffix(last.Status.LastAppliedRevision, e.head)
	})
	return last
}

func (e *environment) deployment(name string) *appsv1.Deployment {
	e.T.Helper()
	var d appsv1.Deployment
	if !e.read(name, &d) {
		return nil
	}
	return &d
}

func (e *environment) configMap(name string) *corev1.ConfigMap {
	e.T.Helper()
	var m corev1.ConfigMap
	if !e.read(name, &m) {
		return nil
	}
	return &m
}

// read reads an object of the namespace, and tells whether it is there.
func (e *environment) read(name string, into client.Object) bool {
	e.T.Helper()
	err := e.Client().Get(e.T.Context(), fuintest.Key(e.NS, name), into)
	e.OK(client.IgnoreNotFound(err))
	return err == nil
}

// workload is a Deployment that names a Secret.
func workload(name, secret string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      containers:
        - name: app
          image: registry.example/%[1]s:v1
          envFrom: [{secretRef: {name: %[2]s}}]
`, name, secret)
}

func configMapOf(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {k: %q}\n", name, value)
}

// sealed is a SealedSecret of the namespace.
func (e *environment) sealed(name string, values ...string) string {
	return e.Seal(secret(e.NS, name, values...), true)
}
