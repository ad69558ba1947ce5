// Package engine is what runs inside the sandbox: it is linked into
// fuin-render and into nothing else.
package engine

import (
	"errors"
	"strings"
	"text/template"

	"fuin.dev/render/wire"
)

// Templates runs the templates of a request over its inputs and hands each
// result to emit, in order. What a template makes is, byte for byte, what
// Sealed Secrets makes of it: Go's text/template with sprig's functions, over
// a map of strings, where a missing key prints as "<no value>".
//
// A failing template does not stop the ones after it. The error is emit's, or
// says that the request has more than [wire.MaxTemplates].
//
// A template may run for ever, use all memory or end the process: only a
// process that may be killed should call this.
func Templates(req wire.Templates, emit func(wire.Rendered) error) error {
	if len(req.Items) > wire.MaxTemplates {
		return errors.New("too many templates")
	}
	inputs, referred := divide(req.Inputs)
	left := wire.MaxOutput
	for _, t := range req.Items {
		result := render(t, inputs, referred, left)
		result.Key = t.Key
		left -= len(result.Value)
		if err := emit(result); err != nil {
			return err
		}
	}
	return nil
}

// divide tells what templates see from what references stand for.
func divide(all []wire.Input) (inputs, referred map[string]string) {
	inputs, referred = make(map[string]string, len(all)), map[string]string{}
	for _, in := range all {
		if name, isReference := strings.CutPrefix(in.Key, wire.Reference); isReference {
			referred[name] = string(in.Value)
		} else {
			inputs[in.Key] = string(in.Value)
		}
	}
	return inputs, referred
}

// render runs one template, which may write limit bytes.
func render(t wire.Template, inputs, referred map[string]string, limit int) (result wire.Rendered) {
	defer func() {
		// text/template passes runtime errors on as panics, whose text can
		// hold an operand.
		if recover() != nil {
			result = wire.Rendered{Failure: &wire.Failure{Class: wire.Execute}}
		}
	}()
	functions := namedIn(string(t.Text))
	if len(referred) > 0 {
		functions[wire.ReferenceFunction] = func(name string) string { return referred[name] }
	}
	tmpl, err := template.New(t.Key).Funcs(functions).Parse(string(t.Text))
	if err != nil {
		return wire.Rendered{Failure: parseFailure(t, err)}
	}
	out := bounded{left: limit}
	if err := tmpl.Execute(&out, inputs); err != nil {
		return wire.Rendered{Failure: executeFailure(t, err)}
	}
	return wire.Rendered{Value: out.written, Random: callsRandom(tmpl)}
}

var errFull = errors.New("output exceeds its bound")

// bounded keeps what is written to it up to a bound, then fails, which ends
// the template.
type bounded struct {
	written []byte
	left    int
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		return 0, errFull
	}
	b.left -= len(p)
	b.written = append(b.written, p...)
	return len(p), nil
}
