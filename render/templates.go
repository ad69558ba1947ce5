package render

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fuin.dev/render/wire"
)

// TemplateResult is what templates made, in the order of their keys.
type TemplateResult []TemplateValue

// TemplateValue is what one template made.
type TemplateValue struct {
	Key   string
	Value []byte
	// Random tells that the template calls a function whose result can
	// differ from run to run: a random, salted or generated value, or the
	// time.
	Random bool
}

// Templates runs the templates of a SealedSecret, by key, over its opened
// values. The results are those of Sealed Secrets, byte for byte: Go templates
// with sprig's functions but env, expandenv and getHostByName, in UTC.
//
// The error is a [TemplateErrors] when templates are at fault, which calling
// again does not cure; it names each that is known to be. Otherwise it is
// ctx's, [ErrClosed] or wraps [ErrUnavailable], and tells nothing about the
// templates. With an error there is no result.
func (p *Pool) Templates(ctx context.Context, templates map[string]string, inputs map[string][]byte) (TemplateResult, error) {
	if len(templates) == 0 {
		return nil, nil
	}
	job := newTemplateJob(templates, inputs)
	frame, err := p.encode(wire.Request{Templates: &job.request})
	if err != nil || len(templates) > wire.MaxTemplates {
		return nil, TemplateErrors{{Reason: InputTooLarge}}
	}
	err = p.run(ctx, frame, job.receive)
	if e := (*ended)(nil); errors.As(err, &e) && (e.cause == crashed || e.cause == killed) {
		// Once may be chance. A template that does this does it twice.
		err = p.run(ctx, frame, job.receive)
	}
	return job.result(err)
}

// ReferenceInput is what the value of the i-th reference of a set of templates is
// named among their inputs, and the action that stands for it in their text.
func ReferenceInput(i int) (name, action string) {
	return wire.Reference + strconv.Itoa(i), fmt.Sprintf("{{%s %q}}", wire.ReferenceFunction, strconv.Itoa(i))
}

// encode adds the limits that a child keeps to by itself: a deadline that
// comes to bear only when ours does not, and a size to collect garbage at.
func (p *Pool) encode(req wire.Request) ([]byte, error) {
	req.Limits = wire.Limits{Time: 2 * p.config.Deadline, Memory: p.config.MaxMemory / 4 * 3}
	return wire.Encode(req)
}

// run sends a request to a free child and calls receive for its answers, with
// a function that reads the next.
func (p *Pool) run(ctx context.Context, frame []byte, receive func(next func(any) error) error) error {
	return p.with(ctx, func(c *child) error {
		w := watch{p.config.Deadline, p.config.MaxMemory, p.closing}
		return c.guard(ctx, w, func() error {
			if _, err := c.in.Write(frame); err != nil {
				return err
			}
			return receive(func(answer any) error { return wire.Read(c.frames, answer) })
		})
	})
}

// templateJob is one request for templates and its answers so far.
type templateJob struct {
	request wire.Templates
	answers []wire.Rendered
}

// newTemplateJob orders templates and inputs by key: the answers say by their
// number which template they are of.
func newTemplateJob(templates map[string]string, inputs map[string][]byte) *templateJob {
	job := &templateJob{}
	for _, key := range slices.Sorted(maps.Keys(templates)) {
		job.request.Items = append(job.request.Items, wire.Template{Key: key, Text: []byte(templates[key])})
	}
	for _, key := range slices.Sorted(maps.Keys(inputs)) {
		job.request.Inputs = append(job.request.Inputs, wire.Input{Key: key, Value: inputs[key]})
	}
	return job
}

func (j *templateJob) receive(next func(any) error) error {
	j.answers = nil
	for _, t := range j.request.Items {
		var answer wire.Rendered
		if err := next(&answer); err != nil {
			return err
		}
		if answer.Key != t.Key || !believable(t, answer.Failure) {
			return wire.ErrMalformed
		}
		j.answers = append(j.answers, answer)
	}
	return nil
}

var reasons = map[wire.Class]Reason{
	wire.Parse:     DoesNotParse,
	wire.Undefined: NoFunction,
	wire.Execute:   Failed,
	wire.Output:    OutputTooLarge,
}

// believable holds a failure to its promise: known words, a number, and an
// identifier of the template's own text. Errors are made of nothing else.
func believable(t wire.Template, f *wire.Failure) bool {
	if f == nil {
		return true
	}
	strange := func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	return reasons[f.Class] != "" && f.Line >= 0 && len(f.Function) <= wire.MaxFunction &&
		!strings.ContainsFunc(f.Function, strange) && strings.Contains(string(t.Text), f.Function)
}

// result is what the answers amount to, err being how they ended.
func (j *templateJob) result(err error) (TemplateResult, error) {
	faults := j.failures()
	if fault, ok := j.fatal(err); ok {
		return nil, append(faults, fault)
	}
	if err != nil {
		return nil, unavailable("running templates", err)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	values := make(TemplateResult, len(j.answers))
	for i, a := range j.answers {
		values[i] = TemplateValue{Key: j.request.Items[i].Key, Value: a.Value, Random: a.Random}
	}
	return values, nil
}

func (j *templateJob) failures() TemplateErrors {
	var faults TemplateErrors
	for i, a := range j.answers {
		if f := a.Failure; f != nil {
			faults = append(faults, &TemplateError{j.request.Items[i].Key, reasons[f.Class], f.Line, f.Function})
		}
	}
	return faults
}

var fatal = map[cause]Reason{timedOut: TimedOut, tooLarge: OutOfMemory, tooDeep: TooDeep, crashed: Died}

// fatal returns the fault of the template that was running when the child
// ended, if it was the cause.
func (j *templateJob) fatal(err error) (*TemplateError, bool) {
	var e *ended
	if !errors.As(err, &e) || fatal[e.cause] == "" || len(j.answers) == len(j.request.Items) {
		return nil, false
	}
	return &TemplateError{Key: j.request.Items[len(j.answers)].Key, Reason: fatal[e.cause]}, true
}
