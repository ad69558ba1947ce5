package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"fuin.dev/render"
	"fuin.dev/render/reference"
	"fuin.dev/seal"
)

// A referringObject is one of a set that refers to Vault.
type referringObject struct {
	object render.Object
	values []render.Referring
}

// referencesOf lists what of a set refers to Vault. The error tells every
// reference that cannot be resolved.
func referencesOf(set *render.Set) ([]referringObject, error) {
	var all []referringObject
	var wrong faults
	for _, o := range set.Objects {
		values, err := render.References(o)
		var many render.ReferenceErrors
		if errors.As(err, &many) {
			wrong = append(wrong, many.Unwrap()...)
		} else if err != nil {
			wrong = append(wrong, err)
		}
		if len(values) > 0 {
			all = append(all, referringObject{o, values})
		}
	}
	return all, wrong.orNil()
}

// withoutReferences refuses templates that refer to Vault: what stands there is
// no value, and is not to be taken for one. What only looks like it is literal.
func withoutReferences(run seal.Renderer) seal.Renderer {
	return func(ctx context.Context, templates map[string]string, inputs map[string][]byte) (map[string]seal.Rendered, error) {
		literal := map[string]string{}
		for _, key := range slices.Sorted(maps.Keys(templates)) {
			parts, err := reference.ParseTemplate(templates[key])
			if err != nil || len(reference.Of(parts)) > 0 {
				return nil, &fault{
					fmt.Errorf("template %q refers to Vault, which only the cluster reads", key),
					"read the Secret that the cluster made of it", exitError,
				}
			}
			literal[key] = reference.Fill(parts, nil)
		}
		return run(ctx, literal, inputs)
	}
}

// A reference in a template, as fuin inspect tells it.
type inspectedReference struct {
	Key       string `json:"key"`
	Reference string `json:"reference"`
	Error     string `json:"error,omitempty"` // why it is none
}

// inspectReferences lists the references of templates, by key.
func inspectReferences(templates map[string]string) []inspectedReference {
	var all []inspectedReference
	for _, key := range slices.Sorted(maps.Keys(templates)) {
		parts, err := reference.ParseTemplate(templates[key])
		if err != nil {
			all = append(all, inspectedReference{Key: key, Error: err.Error()})
		}
		for _, one := range reference.Of(parts) {
			all = append(all, inspectedReference{Key: key, Reference: one.String()})
		}
	}
	return all
}
