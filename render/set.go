package render

import (
	"context"
	"io/fs"
)

// Kind is what renders a directory.
type Kind string

// The renderers. Auto goes by what lies in the directory: a kustomization, a
// Chart.yaml, a main.jsonnet, else plain manifests.
const (
	Auto      Kind = "Auto"
	Kustomize Kind = "Kustomize"
	Helm      Kind = "Helm"
	Jsonnet   Kind = "Jsonnet"
	Plain     Kind = "Plain"
)

// Directory is a directory to render. Files and Path are required.
type Directory struct {
	// Files are the whole checkout, of which nothing else is read. What they
	// serve need not be trusted.
	Files fs.FS
	// Path of the directory in Files; "." is the root.
	Path string
	// Kind is what renders; "" is Auto.
	Kind Kind

	// TargetNamespace is given to every namespaced object, if it is not empty.
	TargetNamespace string
	Images          []Image
	ImagesFrom      string // a file of Files with more Images, below which Images count more
	Helm            HelmOptions
	Jsonnet         JsonnetOptions

	// Remote fetches what lies elsewhere: a kustomize base or a chart's
	// dependency, by its URL. nil refuses.
	Remote func(ctx context.Context, url string) (fs.FS, error)
}

// Image overrides a container image, as in a kustomization.
type Image struct {
	Name    string `json:"name"`
	NewName string `json:"newName,omitempty"`
	NewTag  string `json:"newTag,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

// HelmOptions are for charts.
type HelmOptions struct {
	ReleaseName string
	Namespace   string   // of the release
	ValuesFiles []string // relative to the chart
	Values      []byte   // JSON; counts more than the files
}

// JsonnetOptions are for Jsonnet programs.
type JsonnetOptions struct {
	ExternalVariables map[string]string
	LibraryPaths      []string // relative to Files
}

// Set is what a directory renders to. Values are sealed still.
type Set struct {
	Kind    Kind     // that rendered
	Objects []Object // in the order in which they are applied
	Notes   []Note   // what a user should know
}

// Object is one object of Kubernetes.
type Object struct {
	// Content is the object as encoding/json decodes it, numbers as int64 or
	// float64.
	Content map[string]any
	// File is where it comes from, in the checkout; "" if it was generated.
	File string
	Line int // of File, where it begins there, from 1; 0 is unknown
	// WasNamespace and WasName are as File has them, before transformers.
	WasNamespace, WasName string
	// MovedBy lists the kustomizations that changed its namespace or name.
	MovedBy []string
	// Plain lists the keys of a SealedSecret that are in plain, and are not
	// allowed to be: it was made of a Secret that holds tokens beside them.
	Plain []string
}

// Note is about a file: a hook that is not run, an old field that was brought
// up to date, a document that is no object.
type Note struct {
	File    string
	Line    int // from 1; 0 is unknown
	Message string
}
