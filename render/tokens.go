package render

import (
	"encoding/json"
	"errors"
	"strings"

	"fuin.dev/render/wire"
	"fuin.dev/seal"

	k8sjson "sigs.k8s.io/json"
)

// TokenRefused is the reason of a directory that renders to a token where
// nothing opens it, or to what is left of one.
const TokenRefused DirectoryReason = "TokenRefused"

// convert makes a SealedSecret of a Secret that holds tokens. It was not moved
// then, whatever kustomizations did to it: a token is bound to no name.
func (j *directoryJob) convert(o *Object) error {
	if !j.tokens {
		return nil
	}
	text, err := json.Marshal(o.Content)
	if err != nil {
		return wire.ErrMalformed
	}
	sealed, plain, err := seal.FilterObject(text)
	var refused *seal.Error
	switch {
	case errors.As(err, &refused):
		return &DirectoryError{File: j.fileOf(*o), Line: o.Line, Reason: TokenRefused, Message: "makes " + refused.Reason, hint: refused.Hint()}
	case err != nil:
		return err
	case sealed == nil:
		return nil
	}
	o.MovedBy, o.Plain = nil, plain
	o.Content = nil // what stays of the old one is not kept
	if len(plain) > 0 && len(j.notes) < wire.MaxNotes {
		j.notes = append(j.notes, Note{j.fileOf(*o), o.Line, "makes a Secret with tokens in which some values are in plain, for all to read who may read SealedSecrets: " +
			clip(strings.Join(plain, ", "))})
	}
	return k8sjson.UnmarshalCaseSensitivePreserveInts(sealed, &o.Content)
}

// fileOf is where an object comes from, or else the directory.
func (j *directoryJob) fileOf(o Object) string {
	if o.File == "" {
		return j.request.Path
	}
	return o.File
}
