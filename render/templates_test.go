package render_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"fuin.dev/render"
	"fuin.dev/render/wire"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

var renderConfig = render.Config{Deadline: 30 * time.Second}

const canary = "hunter2canary"

var secret = values{"pw": []byte(canary)}

// What spins, hogs and recurses, and how it ends.
var (
	spin    = `{{ range 100000000000 }}{{ end }}`
	hog     = `{{ $d := dict }}{{ range 100000000 }}{{ $_ := set $d (toString .) (repeat 1000 "x") }}{{ end }}`
	leap    = `{{ $x := repeat 1000 "x" }}{{ range 30 }}{{ $x = printf "%s%s" $x $x }}{{ end }}`
	recurse = `{{ define "a" }}{{ with . }}{{ if . }}{{ range list . }}{{ template "a" . }}{{ end }}{{ end }}{{ end }}{{ end }}{{ template "a" .pw }}`
	cycle   = `{{ $d := dict "pw" .pw }}{{ $_ := set $d "d" $d }}{{ $d }}`
)

func TestResultsAreInTheOrderOfKeys(t *testing.T) {
	pool := open(t, renderConfig)
	templates := texts{"b": "{{ .pw }}", "a": "{{ uuidv4 }}", "c": ""}
	got, err := pool.Templates(t.Context(), templates, secret)
	if err != nil {
		t.Fatal(err)
	}
	got[0].Value = nil
	want := render.TemplateResult{{Key: "a", Random: true}, {Key: "b", Value: []byte(canary)}, {Key: "c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := pool.Templates(t.Context(), nil, secret); err != nil || len(got) != 0 {
		t.Errorf("no templates: %v, %v", got, err)
	}
}

func TestFaultsOfTemplates(t *testing.T) {
	pool := open(t, renderConfig)
	templates := texts{"b": "\n{{ fail .pw }}", "a": "{{ tpl .pw . }}", "c": "fine", "d": spinOut}
	_, err := pool.Templates(t.Context(), templates, secret)
	var faults render.TemplateErrors
	if !errors.As(err, &faults) || errors.Is(err, render.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	want := render.TemplateErrors{
		{Key: "a", Reason: render.NoFunction, Line: 1, Function: "tpl"},
		{Key: "b", Reason: render.Failed, Line: 2},
		{Key: "d", Reason: render.OutputTooLarge},
	}
	if diff := cmp.Diff(want, faults); diff != "" {
		t.Error(diff)
	}
	said := `template "a" calls a function that does not exist here at line 1: tpl; ` +
		`template "b" failed at line 2; template "d" wrote more than a Secret may hold, 1 MiB`
	if err.Error() != said {
		t.Errorf("got  %s\nwant %s", err, said)
	}
	var first *render.TemplateError
	if !errors.As(err, &first) || first.Key != "a" {
		t.Errorf("the first is %v", first)
	}
}

const spinOut = `{{ range 100000000000 }}0123456789{{ end }}`

// What would end or stop this process ends a child, names the template, and
// leaves the next call alone.
func TestRunawayTemplates(t *testing.T) {
	for name, tt := range map[string]struct {
		text   string
		config render.Config
		want   render.Reason
	}{
		"a loop":               {spin, render.Config{Deadline: 2 * time.Second}, render.TimedOut},
		"growing memory":       {hog, renderConfig, render.OutOfMemory},
		"doubling memory":      {leap, renderConfig, render.OutOfMemory},
		"one large allocation": {`{{ repeat 2000000000 "x" | len }}`, renderConfig, render.OutOfMemory},
		"a recursion":          {recurse, renderConfig, render.TooDeep},
		"a cycle":              {cycle, renderConfig, render.TooDeep},
	} {
		t.Run(name, func(t *testing.T) {
			tt.config.Size = 1
			pool := open(t, tt.config)
			_, err := pool.Templates(t.Context(), texts{"a": "{{ .pw }}", "b": tt.text, "c": "x"}, secret)
			var faults render.TemplateErrors
			if !errors.As(err, &faults) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(render.TemplateErrors{{Key: "b", Reason: tt.want}}, faults); diff != "" {
				t.Error(diff)
			}
			works(t, pool)
		})
	}
}

func TestContextEndsACall(t *testing.T) {
	pool := open(t, render.Config{Size: 1, Deadline: time.Minute})
	works(t, pool)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	running := make(chan error)
	go func() {
		_, err := pool.Templates(ctx, texts{"k": spin}, nil)
		running <- err
	}()
	// The pool has one child: one of the two calls runs and the other waits.
	_, err := pool.Templates(ctx, texts{"k": spin}, nil)
	for _, err := range []error{err, <-running} {
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, render.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
	works(t, pool)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pool.Templates(ended, texts{"k": ""}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func TestLargeInputs(t *testing.T) {
	pool := open(t, renderConfig)
	inputs := values{}
	for i := range 16 {
		inputs[fmt.Sprint("v", i)] = bytes.Repeat([]byte{0xff, byte(i)}, 64<<10)
	}
	got, err := pool.Templates(t.Context(), texts{"k": `{{ range $k, $v := . }}{{ len $v }} {{ end }}`, "v": "{{ .v3 }}"}, inputs)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("131072 ", 16); string(got[0].Value) != want || !bytes.Equal(got[1].Value, inputs["v3"]) {
		t.Errorf("got %.80q and %d bytes", got[0].Value, len(got[1].Value))
	}
}

func TestTooMuchForOneCall(t *testing.T) {
	pool := open(t, renderConfig)
	many := texts{}
	for i := range wire.MaxTemplates + 1 {
		many[fmt.Sprint(i)] = ""
	}
	for name, call := range map[string]struct {
		templates texts
		inputs    values
	}{
		"templates": {many, nil},
		"text":      {texts{"k": strings.Repeat("x", wire.MaxFrame)}, nil},
		"inputs":    {texts{"k": ""}, values{"v": make([]byte, wire.MaxFrame)}},
	} {
		_, err := pool.Templates(t.Context(), call.templates, call.inputs)
		var fault *render.TemplateError
		if !errors.As(err, &fault) || fault.Reason != render.InputTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	works(t, pool)
}

// Calls of many at once get their own results, also beside some that are
// killed.
func TestConcurrentCalls(t *testing.T) {
	pool := open(t, render.Config{Size: 3, Deadline: 30 * time.Second})
	var g errgroup.Group
	for i := range 60 {
		g.Go(func() error {
			if i%20 == 7 {
				_, err := pool.Templates(t.Context(), texts{"k": recurse}, secret)
				if fault := (*render.TemplateError)(nil); !errors.As(err, &fault) {
					return fmt.Errorf("a runaway: %w", err)
				}
				return nil
			}
			mine := fmt.Sprint("value ", i)
			got, err := pool.Templates(t.Context(), texts{"k": "{{ .v }}"}, values{"v": []byte(mine)})
			if err == nil && string(got[0].Value) != mine {
				err = fmt.Errorf("%q is not %q", got[0].Value, mine)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if s := pool.Stats(); s.Children > 3 {
		t.Errorf("%+v", s)
	}
}

var leaks = []string{
	`{{ fail .pw }}`, `{{ index .m .pw }}`, `{{ .pw.x }}`, `{{ mustToDate "2006" .pw }}`, `{{ semver .pw }}`,
	`{{ mustRegexMatch (cat "[" .pw) "" }}`, `{{ first .pw }}`, `{{ template "hunter2canary" }}`, `{{ hunter2canary( }}`,
	`{{ "hunter2canary`, `{{ call .pw }}`, `{{ repeat -1 .pw }}`, `{{ printf "%s" (fail (b64enc .pw)) }}`,
	`{{ fail (printf "%x" .pw) }}`, `{{ default hunter2canary .pw }}`, recurse, cycle, `{{ repeat 2000000000 .pw }}`,
}

// No failure of a template shows a value: not in the error, however it is
// printed, and not on the child's standard error.
func TestFailuresHoldNoValue(t *testing.T) {
	pool := open(t, renderConfig)
	for _, text := range leaks {
		_, err := pool.Templates(t.Context(), texts{"k": text}, secret)
		if err == nil {
			t.Errorf("%s: no error", text)
		}
		asJSON, _ := json.Marshal(err)
		var fault *render.TemplateError
		errors.As(err, &fault)
		clean(t, text, fmt.Sprintf("%v %+v %#v %s %+v", err, err, err, asJSON, fault))
		clean(t, text, stderr(t, text))
	}
}

// stderr runs the child by hand and returns what it prints.
func stderr(t *testing.T, text string) string {
	t.Helper()
	frame, err := wire.Encode(wire.Request{
		Limits: wire.Limits{Time: time.Minute, Memory: 1 << 30},
		Templates: &wire.Templates{
			Items:  []wire.Template{{Key: "k", Text: []byte(text)}},
			Inputs: []wire.Input{{Key: "pw", Value: secret["pw"]}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	cmd := exec.Command(child)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(frame), &printed
	_ = cmd.Run() // some of them crash
	return printed.String()
}

func clean(t *testing.T, text, said string) {
	t.Helper()
	for _, form := range []string{
		canary, hex.EncodeToString([]byte(canary)), base64.StdEncoding.EncodeToString([]byte(canary)), "canary",
	} {
		if strings.Contains(said, form) {
			t.Errorf("%s shows the value:\n%s", text, said)
		}
	}
}
