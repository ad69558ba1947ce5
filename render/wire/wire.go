// Package wire holds the messages between a program and its sandbox, the
// child process fuin-render.
//
// Both ends come from one release, so the messages have one version and no
// compatibility: the child says [Protocol] in its [Hello], then answers
// [Request] after [Request], one at a time. Every message is one frame; see
// [Read] and [Write].
package wire

import "time"

// Protocol is the version of the messages in this package.
const Protocol = 3

// Bounds that both ends keep.
const (
	// MaxFrame is the largest payload of a frame, in bytes.
	MaxFrame = 16 << 20
	// MaxTemplates is how many templates one request may hold.
	MaxTemplates = 4096
	// MaxOutput is what the templates of one request may write together, in
	// bytes. It is what the API server accepts as the data of a Secret.
	MaxOutput = 1 << 20
	// MaxFunction is the longest name in a [Failure], in bytes.
	MaxFunction = 64
)

// Hello is the first message of a child.
type Hello struct {
	Protocol int `json:"protocol"`
	// Landlock is the ABI version of the Landlock rules that are in force,
	// or 0 where there are none.
	Landlock int `json:"landlock"`
	// Seccomp tells that new sockets and programs are refused.
	Seccomp bool `json:"seccomp"`
}

// Request asks for one piece of work: exactly one of its pointers is set.
type Request struct {
	Limits    Limits     `json:"limits"`
	Templates *Templates `json:"templates,omitempty"`
	Directory *Directory `json:"directory,omitempty"`
}

// Limits are what the child keeps to by itself. The parent enforces its own,
// which are tighter; these hold when the parent is gone or starved.
type Limits struct {
	// Time is when the child gives up and exits.
	Time time.Duration `json:"time"`
	// Memory is what the child's collector aims to stay under, in bytes.
	Memory int64 `json:"memory"`
}

// Templates asks to run templates over inputs. The child answers with one
// [Rendered] for each template, in order, as they finish: where the answers
// stop is the template that was running.
type Templates struct {
	Items  []Template `json:"items"`
	Inputs []Input    `json:"inputs"`
}

// Template is a Go template. Its key is its name, by which it can call itself.
type Template struct {
	Key  string `json:"key"`
	Text []byte `json:"text"`
}

// Input is a value that templates see as {{ .Key }} or {{ index . "Key" }}. One
// whose key begins with [Reference] is none of these: only the function
// [ReferenceFunction] has it, by the rest of its key.
type Input struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// What stands for a reference in a template reaches its value by a function: in
// a template that is defined in another, the root is whatever that one passes, and
// who ranges over all inputs is to find what was sealed, and no more.
const (
	Reference         = "fuin.dev/reference/"
	ReferenceFunction = "fuinReference"
)

// Rendered is what became of one template: a value or a failure.
type Rendered struct {
	Key   string `json:"key"` // of the template
	Value []byte `json:"value,omitempty"`
	// Random tells that the template calls a function whose result can
	// differ from run to run.
	Random  bool     `json:"random,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
}

// Class is why a template failed.
type Class string

// The classes of failures.
const (
	Parse     Class = "parse"     // the text is not a template
	Undefined Class = "undefined" // it calls a function that does not exist
	Execute   Class = "execute"   // it failed while it ran
	Output    Class = "output"    // it wrote more than MaxOutput
)

// Failure says why and where a template failed, and nothing else: what a
// template or its functions say about it can hold a secret.
type Failure struct {
	Class Class `json:"class"`
	// Line counts from 1; 0 is unknown.
	Line int `json:"line,omitempty"`
	// Function is the name of the function that does not exist, if it is one
	// that exists elsewhere.
	Function string `json:"function,omitempty"`
}
