package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"

	gojsonnet "github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"
	"go.yaml.in/yaml/v3"
)

// natives are the native functions that programs written for Tanka and kubecfg
// call and that depend on nothing but their arguments. Their errors do not
// leave the sandbox.
func natives() []*gojsonnet.NativeFunction {
	return []*gojsonnet.NativeFunction{
		native("parseJson", nativeParseJSON, "json"),
		native("parseYaml", nativeParseYAML, "yaml"),
		{Name: "manifestJsonFromJson", Params: ast.Identifiers{"json", "indent"}, Func: nativeIndentJSON},
		native("manifestYamlFromJson", nativeYAML, "json"),
		native("escapeStringRegex", func(s []string) (any, error) { return regexp.QuoteMeta(s[0]), nil }, "str"),
		native("regexMatch", func(s []string) (any, error) { return regexp.MatchString(s[0], s[1]) }, "regex", "string"),
		native("regexSubst", nativeSubst, "regex", "src", "repl"),
	}
}

var errNotText = errors.New("an argument is no text")

// native is a function of strings.
func native(name string, do func([]string) (any, error), params ...ast.Identifier) *gojsonnet.NativeFunction {
	return &gojsonnet.NativeFunction{Name: name, Params: params, Func: func(args []any) (any, error) {
		texts := make([]string, len(args))
		for i, arg := range args {
			text, ok := arg.(string)
			if !ok {
				return nil, errNotText
			}
			texts[i] = text
		}
		return do(texts)
	}}
}

func nativeParseJSON(s []string) (v any, err error) {
	err = json.Unmarshal([]byte(s[0]), &v)
	return v, err
}

// nativeParseYAML returns an array of documents.
func nativeParseYAML(s []string) (any, error) {
	all := []any{}
	for dec := yaml.NewDecoder(strings.NewReader(s[0])); ; {
		var doc, plain any
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		text, err := json.Marshal(doc) // numbers and keys become JSON's
		if err == nil {
			err = json.Unmarshal(text, &plain)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, plain)
	}
}

func nativeIndentJSON(args []any) (any, error) {
	text, isText := args[0].(string)
	indent, isNumber := args[1].(float64)
	if !isText || !isNumber || indent < 0 || indent > 64 {
		return nil, errNotText
	}
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(strings.TrimSpace(text)), "", strings.Repeat(" ", int(indent))); err != nil {
		return nil, err
	}
	return out.String() + "\n", nil
}

func nativeYAML(s []string) (any, error) {
	var v any
	if err := json.Unmarshal([]byte(s[0]), &v); err != nil {
		return nil, err
	}
	out, err := yaml.Marshal(v)
	return string(out), err
}

func nativeSubst(s []string) (any, error) {
	r, err := regexp.Compile(s[0])
	if err != nil {
		return nil, err
	}
	return r.ReplaceAllString(s[1], s[2]), nil
}
