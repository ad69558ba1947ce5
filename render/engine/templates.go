// Package engine is what runs inside the sandbox: it is linked into
// fuin-render and into nothing else.
package engine

import (
	"errors"
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
	inputs := make(map[string]string, len(req.Inputs))
	for _, in := range req.Inputs {
		inputs[in.Key] = string(in.Value)
	}
	left := wire.MaxOutput
	for _, t := range req.Items {
		result := render(t, inputs, left)
		result.Key = t.Key
		left -= len(result.Value)
		if err := emit(result); err != nil {
			return err
		}
	}
	return nil
}

// render runs one template, which may write limit bytes.
func render(t wire.Template, inputs map[string]string, limit int) (result wire.Rendered) {
	defer func() {
		// text/template passes runtime errors on as panics, whose text can
		// hold an operand.
		if recover() != nil {
			result = wire.Rendered{Failure: &wire.Failure{Class: wire.Execute}}
		}
	}()
	tmpl, err := template.New(t.Key).Funcs(namedIn(string(t.Text))).Parse(string(t.Text))
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
