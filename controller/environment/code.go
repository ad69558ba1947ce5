package environment

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"fuin.dev/controller/apierror"
	"fuin.dev/controller/roll"
	"fuin.dev/render"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// code puts the code of what each workload names into its pod template, so
// that it rolls when that changes.
func (p *pass) code(ctx context.Context, workloads []*object) {
	if p.env.Spec.Rollout == "Never" {
		return
	}
	p.state.expect(workloads)
	coded := make([]coded, len(workloads))
	var group errgroup.Group
	group.SetLimit(writers) // each reads what it names
	for i, o := range workloads {
		if o.resource.Resource == "" && o.scope != "" {
			p.locate(o)
		}
		if o.held != "" || o.resource.Resource == "" || !roll.Rolls(o.id.groupKind()) {
			continue
		}
		group.Go(func() error {
			coded[i].secrets, coded[i].err = p.codeOne(ctx, o)
			return nil
		})
	}
	_ = group.Wait()
	p.noteCoded(workloads, coded)
}

// coded are the versions of the Secrets that a workload names, and why its code
// could not be made.
type coded struct {
	secrets map[string]string
	err     error
}

// noteCoded holds back the workloads without a code, and remembers what the
// others rest on.
func (p *pass) noteCoded(workloads []*object, coded []coded) {
	named := map[types.NamespacedName]string{}
	for i, o := range workloads {
		if err := coded[i].err; err != nil {
			o.held = "what it names"
			p.errors = append(p.errors, fmt.Errorf("%s (%s): reading what it names: %s", o.id, whereOf(o.File), apierror.Text(err)))
		}
		for name, version := range coded[i].secrets {
			named[types.NamespacedName{Namespace: o.id.namespace, Name: name}] = version
		}
	}
	p.state.setNamed(named)
}

// codeOne puts the code into one workload: the one that is known, while neither
// the workload nor anything that it names was touched.
func (p *pass) codeOne(ctx context.Context, o *object) (secrets map[string]string, err error) {
	plain := o.digest()
	if known, ok := p.state.code(o.id); ok && known.plain == plain && p.appliesMaps(o) {
		setCode(o, known.code)
		return known.secrets, nil
	}
	secrets, err = p.makeCode(ctx, o)
	if err == nil {
		p.state.putCode(o.id, knownCode{plain, codeOf(o), secrets})
	}
	return secrets, err
}

// makeCode keeps the code that stands there while something is missing without
// which the pods do not start.
func (p *pass) makeCode(ctx context.Context, o *object) (secrets map[string]string, err error) {
	missing := (*roll.MissingError)(nil)
	secrets, err = p.Annotate(ctx, p.account.reader, o.content.Object, nil)
	if errors.As(err, &missing) && o.resource.Resource != "" {
		if live, getErr := p.resource(o).Get(ctx, o.id.name, metav1.GetOptions{}); getErr == nil {
			secrets, err = p.Annotate(ctx, p.account.reader, o.content.Object, live.Object)
		}
	}
	if errors.As(err, &missing) {
		err = nil
	}
	return secrets, err
}

// appliesMaps reports whether this Environment applies, and watches, all the
// ConfigMaps that a workload names: those of others change without a word.
func (p *pass) appliesMaps(o *object) bool {
	for _, use := range render.Uses(o.Content) {
		if use.Kind == configMapKind && (p.state.get(id{kind: use.Kind, namespace: o.id.namespace, name: use.Name}) == nil || !p.watches.complete(p.name)) {
			return false
		}
	}
	return true
}

const configMapKind = "ConfigMap"

func codePath(o *object) []string {
	path, _ := render.PodTemplatePath(o.Content)
	return append(append([]string{}, path...), "metadata", "annotations", roll.AnnotationCode)
}

func codeOf(o *object) string {
	code, _, _ := unstructured.NestedString(o.content.Object, codePath(o)...)
	return code
}

func setCode(o *object, code string) {
	if code != "" {
		_ = unstructured.SetNestedField(o.content.Object, code, codePath(o)...)
	}
}

// knownCode is what a workload's code rests on, but for what it names: when that
// changes, it is known no more.
type knownCode struct {
	plain   [sha256.Size]byte // of the workload without the code
	code    string
	secrets map[string]string // versions by name, "" for those that are not there
}

func (s *state) code(i id) (knownCode, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.codes[i]
	return known, ok
}

func (s *state) putCode(i id, code knownCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[i] = code
}

// touched forgets the codes of the workloads of a namespace that may name what
// was changed there.
func (s *state) touched(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetCodes(namespace, name)
}

// forgetCodes is for who holds the lock. An empty name is any ConfigMap.
func (s *state) forgetCodes(namespace, name string) {
	for i, known := range s.codes {
		if _, names := known.secrets[name]; i.namespace == namespace && (names || name == "") {
			delete(s.codes, i)
		}
	}
}
