package wire

import "encoding/json"

// Bounds of one [Directory], which the parent enforces and the child keeps to.
const (
	// MaxFile is the largest file that is read, in bytes.
	MaxFile = 4 << 20
	// MaxRead is what is read in all, in bytes.
	MaxRead = 64 << 20
	// MaxEntries is how many names all listed directories may have.
	MaxEntries = 50_000
	// MaxAsks is how many questions the child may have.
	MaxAsks = 100_000
	// MaxFolders is how many folders deep a file may lie.
	MaxFolders = 64
	// MaxNesting is how deep an object's fields may be nested.
	MaxNesting = 128
	// MaxValues is how many values all objects may have, with those within.
	// Decoded, a value takes up to 100 bytes.
	MaxValues = 2_000_000
	// MaxObject is the largest object, in bytes of JSON. The API server accepts
	// 3 MiB in a request, and etcd 1.5 MiB.
	MaxObject = 4 << 20
	// MaxObjects is how many objects a directory may hold.
	MaxObjects = 20_000
	// MaxSet is the size of all objects, in bytes of JSON.
	MaxSet = 64 << 20
	// MaxNotes is how many notes are kept. Further ones are dropped.
	MaxNotes = 200
	// MaxBatch is how many paths one ask may have.
	MaxBatch = 256
	// MaxMessage is the longest message of a [Note] or a [Fault], in bytes.
	MaxMessage = 600
)

// Directory asks to render a directory. The child has no files: until it is
// done, it sends one [Step] after the other, and gets an [Answer] for each
// path of an [Ask].
type Directory struct {
	Path    string         `json:"path"` // as io/fs writes it
	Kind    string         `json:"kind"` // of package render; "" is Auto
	Helm    HelmOptions    `json:"helm"`
	Jsonnet JsonnetOptions `json:"jsonnet"`
	Remote  bool           `json:"remote,omitempty"` // asks for what lies elsewhere are answered
}

// HelmOptions are for charts.
type HelmOptions struct {
	ReleaseName string   `json:"releaseName,omitempty"`
	Namespace   string   `json:"namespace,omitempty"`
	ValuesFiles []string `json:"valuesFiles,omitempty"` // relative to the chart
	Values      []byte   `json:"values,omitempty"`      // JSON
}

// JsonnetOptions are for Jsonnet programs.
type JsonnetOptions struct {
	ExternalVariables map[string]string `json:"externalVariables,omitempty"`
	LibraryPaths      []string          `json:"libraryPaths,omitempty"` // relative to the checkout
}

// Step is what a child sends while it renders a directory: exactly one of its
// fields is set. Done is the last.
type Step struct {
	Ask     *Ask     `json:"ask,omitempty"`
	Objects []Object `json:"objects,omitempty"`
	Notes   []Note   `json:"notes,omitempty"`
	Done    *Done    `json:"done,omitempty"`
}

// Op is what an [Ask] wants to know.
type Op string

// The questions about a path, and OpRemote, about a URL.
const (
	OpStat    Op = "stat"
	OpReadDir Op = "readdir"
	OpRead    Op = "read"
	OpRemote  Op = "remote"
)

// Ask asks about files. Each path is answered by an [Answer] of its own, in
// order, as io/fs writes it, relative to the checkout.
type Ask struct {
	Op    Op       `json:"op"`
	Paths []string `json:"paths"`
}

// RemotePrefix begins the paths of what was fetched from elsewhere. No path of
// a checkout begins so.
const RemotePrefix = ".fuin-remote/"

// Answer is what the parent tells of a path, or that it does not.
type Answer struct {
	Refusal Refusal `json:"refusal,omitempty"`
	Dir     bool    `json:"dir,omitempty"`     // OpStat
	Entries []Entry `json:"entries,omitempty"` // OpReadDir, sorted by name
	Data    []byte  `json:"data,omitempty"`    // OpRead
	Mount   string  `json:"mount,omitempty"`   // OpRemote: the path below which it lies
}

// Entry is a file or a directory of a directory.
type Entry struct {
	Name string `json:"name"`
	Dir  bool   `json:"dir,omitempty"`
	Link bool   `json:"link,omitempty"` // a symbolic link to what Dir tells
}

// Refusal is why there is no answer.
type Refusal string

// The refusals.
const (
	Missing    Refusal = "missing"    // nothing is there
	Irregular  Refusal = "irregular"  // a directory, or not one, or a device
	Outside    Refusal = "outside"    // a path or symbolic link out of the checkout
	Unreadable Refusal = "unreadable" // the source failed
	LargeFile  Refusal = "largefile"  // more than MaxFile
	LargeRead  Refusal = "largeread"  // more than MaxRead, MaxEntries or MaxAsks
	DeepPath   Refusal = "deeppath"   // more than MaxFolders
	Forbidden  Refusal = "forbidden"  // what lies elsewhere is not fetched
	Unfetched  Refusal = "unfetched"  // it could not be
)

// Object is one object of Kubernetes, before it is checked.
type Object struct {
	Content json.RawMessage `json:"content"`
	File    string          `json:"file,omitempty"`
	Line    int             `json:"line,omitempty"` // of its beginning, from 1; 0 is unknown
	// Stray tells that it need not be an object: if it has neither an
	// apiVersion nor a kind, it is left out with a note.
	Stray bool `json:"stray,omitempty"`
	// Origin is how File has it, if transformers may have changed that.
	Origin *Origin `json:"origin,omitempty"`
}

// Origin is what an object was before transformers.
type Origin struct {
	Namespace string   `json:"namespace,omitempty"`
	Name      string   `json:"name,omitempty"`
	MovedBy   []string `json:"movedBy,omitempty"` // files that changed one of the two
}

// Note is about a file, in words of the engine's own.
type Note struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

// Done ends the answer to a [Directory].
type Done struct {
	Kind  string `json:"kind"` // that rendered
	Fault *Fault `json:"fault,omitempty"`
}

// Fault says why a directory does not render. What a library says about it can
// hold a value, so Message is in words of the engine's own, with names of
// files, kinds and objects at most.
type Fault struct {
	Cause   Cause  `json:"cause"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"` // from 1; 0 is unknown
	Message string `json:"message,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// Cause is the kind of a [Fault], in the form of a condition's reason.
type Cause string

// The causes.
const (
	Malformed      Cause = "Malformed"      // no YAML, JSON, Jsonnet or template
	NotAnObject    Cause = "NotAnObject"    // half of an object of Kubernetes
	NotFound       Cause = "NotFound"       // a file or directory that something names
	NotRenderable  Cause = "NotRenderable"  // not what the renderer takes
	Conflict       Cause = "Conflict"       // patches or names that exclude each other
	Duplicate      Cause = "Duplicate"      // an object that is there twice
	RemoteRefused  Cause = "RemoteRefused"  // what lies elsewhere, or could not be fetched
	OutsideRefused Cause = "OutsideRefused" // a path out of the checkout
	Cycle          Cause = "Cycle"          // what includes itself
	Unsupported    Cause = "Unsupported"    // a field or a plugin that is not run
	LimitExceeded  Cause = "LimitExceeded"  // too large, too deep, too many
	SourceFailed   Cause = "SourceFailed"   // a file could not be read; it may go later
	EngineFailed   Cause = "EngineFailed"   // whatever else
)
