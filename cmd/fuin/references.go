package main

import (
	"errors"

	"fuin.dev/render"
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
