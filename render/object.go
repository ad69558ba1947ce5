package render

import (
	"io/fs"
	"strings"

	"fuin.dev/render/wire"
	"fuin.dev/seal"

	"sigs.k8s.io/json"
)

// APIVersion of the object.
func (o Object) APIVersion() string { return field(o.Content, "apiVersion") }

// Kind of the object.
func (o Object) Kind() string { return field(o.Content, "kind") }

// Group of the object's API; "" is the core's.
func (o Object) Group() string {
	group, _, ok := strings.Cut(o.APIVersion(), "/")
	if !ok {
		return ""
	}
	return group
}

// Namespace of the object, "" if it names none.
func (o Object) Namespace() string { return field(o.metadata(), "namespace") }

// Name of the object.
func (o Object) Name() string { return field(o.metadata(), "name") }

func (o Object) metadata() map[string]any { return mapping(o.Content, "metadata") }

// field and mapping look up what may be missing or of another type.
func field(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func mapping(m map[string]any, path ...string) map[string]any {
	for _, key := range path {
		m, _ = m[key].(map[string]any)
	}
	return m
}

func sequence(m map[string]any, key string) []any {
	s, _ := m[key].([]any)
	return s
}

// object decodes and keeps one object from the child, or those of a List.
func (j *directoryJob) object(o wire.Object) error {
	if o.File != "" && !fs.ValidPath(o.File) || o.Line < 0 {
		return j.fault(EngineFailed, j.request.Path, "rendered an object of no file")
	}
	file := j.answers.name(o.File)
	if file == "" {
		file = j.request.Path
	}
	values, deep := measure(o.Content)
	if j.values += values; j.values > wire.MaxValues {
		return j.fault(LimitExceeded, j.request.Path, "renders to more than %d values", wire.MaxValues)
	}
	if deep > wire.MaxNesting {
		return &DirectoryError{File: file, Line: o.Line, Reason: LimitExceeded, Message: "nests fields more than 128 deep"}
	}
	var content any
	if err := json.UnmarshalCaseSensitivePreserveInts(o.Content, &content); err != nil {
		return &DirectoryError{File: file, Line: o.Line, Reason: Malformed, Message: "holds what is no JSON"}
	}
	fields, ok := content.(map[string]any)
	if !ok {
		return &DirectoryError{File: file, Line: o.Line, Reason: NotAnObject, Message: "holds a value that is no object"}
	}
	j.tokens = seal.MayHoldTokens(string(o.Content))
	return j.keep(fields, file, o)
}

// measure counts the values of a JSON text, more rather than less, and how
// deep they are nested.
func measure(content []byte) (values, deep int) {
	quoted, escaped, depth := false, false, 0
	values = 1
	for _, c := range content {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = quoted
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deep = max(deep, depth)
			values++
		case c == '}' || c == ']':
			depth--
		case c == ',':
			values++
		}
	}
	return values, deep
}

// keep checks an object and keeps it, or the items of a List. Lists in Lists
// are as deep as their nesting.
func (j *directoryJob) keep(fields map[string]any, file string, o wire.Object) error {
	object := Object{Content: fields, File: j.answers.name(o.File), Line: o.Line}
	if items, ok := fields["items"].([]any); ok && strings.HasSuffix(object.Kind(), "List") {
		return j.keepItems(object, items, file, o)
	}
	if o.Stray && object.APIVersion() == "" && object.Kind() == "" {
		if len(j.notes) < wire.MaxNotes {
			j.notes = append(j.notes, Note{file, o.Line, "no object of Kubernetes, left out"})
		}
		return nil
	}
	if err := object.check(); err != nil {
		err.File, err.Line = file, o.Line
		return err
	}
	if len(j.objects) == wire.MaxObjects {
		return j.fault(LimitExceeded, j.request.Path, "renders to more than %d objects", wire.MaxObjects)
	}
	object.WasNamespace, object.WasName = object.Namespace(), object.Name()
	if was := o.Origin; was != nil {
		object.WasNamespace, object.WasName, object.MovedBy = was.Namespace, was.Name, was.MovedBy
	}
	if err := j.convert(&object); err != nil {
		return err
	}
	j.objects = append(j.objects, object)
	return nil
}

// keepItems keeps the items of a List. An item of a list of one kind may leave
// out what the list says, as in an API server's answer.
func (j *directoryJob) keepItems(list Object, items []any, file string, o wire.Object) error {
	o.Stray = false
	kind := strings.TrimSuffix(list.Kind(), "List")
	for i, item := range items {
		fields, ok := item.(map[string]any)
		if !ok {
			err := j.fault(NotAnObject, file, "has a %s whose item %d is no object", clip(list.Kind()), i)
			err.Line = o.Line
			return err
		}
		if kind != "" && fields["kind"] == nil && fields["apiVersion"] == nil {
			fields["apiVersion"], fields["kind"] = list.APIVersion(), kind
		}
		if err := j.keep(fields, file, o); err != nil {
			return err
		}
	}
	return nil
}

// check tells what an object lacks of what every object has; nil if nothing.
func (o Object) check() *DirectoryError {
	lacks := &DirectoryError{Reason: NotAnObject}
	switch {
	case o.APIVersion() == "" && o.Kind() == "":
		lacks.Message, lacks.hint = "holds what has no apiVersion and no kind", "write both, or move it out of the directory"
	case o.APIVersion() == "":
		lacks.Message, lacks.hint = "has a "+clip(o.Kind())+" without apiVersion", "write its apiVersion"
	case o.Kind() == "":
		lacks.Message, lacks.hint = "has an object of "+clip(o.APIVersion())+" without kind", "write its kind"
	case o.Name() == "" && field(o.metadata(), "generateName") != "":
		lacks.Message = "has a " + clip(o.Kind()) + " with generateName, which would be another object each time"
		lacks.hint = "write metadata.name"
	case o.Name() == "" && o.metadata()["name"] != nil:
		lacks.Message, lacks.hint = "has a "+clip(o.Kind())+" whose metadata.name is no text", "quote it: YAML reads n, y, on, off and digits as something else"
	case o.Name() == "":
		lacks.Message, lacks.hint = "has a "+clip(o.Kind())+" without metadata.name", "write metadata.name"
	default:
		return nil
	}
	return lacks
}

// clip bounds a name that is quoted in an error, and keeps it in one line.
func clip(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, name)
	if len(clean) > 80 {
		return strings.ToValidUTF8(clean[:80], "") + "…"
	}
	return clean
}
