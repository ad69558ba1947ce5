package main

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"

	"fuin.dev/seal"
)

// plainSecret is the Secret that --from-file describes.
type plainSecret struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Type       string            `json:"type"`
	Data       map[string][]byte `json:"data"`
}

// sealFiles seals the Secret that --from-file describes.
func (f *sealFlags) sealFiles(ctx context.Context, u *ui, plans *planner) error {
	plan, err := plans.one(f.planned(u, nil)[0])
	if err != nil {
		return err
	}
	secret := plainSecret{
		APIVersion: "v1", Kind: kindSecret, Type: "Opaque",
		Metadata: map[string]string{"name": f.options.Name}, Data: map[string][]byte{},
	}
	if f.options.Namespace != "" {
		secret.Metadata["namespace"] = f.options.Namespace
	}
	for _, spec := range f.fromFile {
		if err := secret.addFile(ctx, u, spec); err != nil {
			return err
		}
	}
	manifest, err := json.Marshal(secret)
	if err != nil {
		return err
	}
	options := f.options
	if options.Format == seal.SameFormat {
		options.Format = seal.YAML
	}
	result, err := plan.seal(manifest, options)
	if err != nil {
		return withoutLine(err)
	}
	for _, w := range result.Warnings {
		u.warn("--from-file", "%s", w.Text)
	}
	return f.output.write(u, result.Out, modePublic)
}

// splitSpec takes [KEY=]PATH apart; the default key is the name of the file.
func splitSpec(spec string) (key, path string) {
	key, path, hasKey := strings.Cut(spec, "=")
	if !hasKey {
		return filepath.Base(spec), spec
	}
	return key, path
}

// addFile reads [KEY=]PATH.
func (s *plainSecret) addFile(ctx context.Context, u *ui, spec string) error {
	key, path := splitSpec(spec)
	switch {
	case spec == "-":
		return misuse("give --from-file KEY=-", "standard input has no name that could be the key")
	case path == "":
		return misuse("give --from-file KEY=PATH", "--from-file %.80q names no file", spec)
	case !seal.IsKey(key):
		return misuse("give --from-file KEY=PATH, with a KEY of letters, digits, '-', '_' and '.'", "%.80q is no key of a Secret", key)
	}
	if _, twice := s.Data[key]; twice {
		return misuse("give each its own KEY=PATH", "--from-file names key %q twice", key)
	}
	data, err := u.readValue(ctx, path)
	if err != nil {
		return err
	}
	if len(data) > seal.MaxValue {
		return failAt(path, "a Secret holds 1 MiB in all", "larger than a value can be")
	}
	s.Data[key] = data
	return nil
}

func (u *ui) readValue(ctx context.Context, path string) ([]byte, error) {
	if path == "-" {
		return u.readStdin(ctx, "a value", seal.MaxValue)
	}
	return readFile(ctx, path, seal.MaxValue)
}

// withoutLine drops the line of an error in a manifest that nobody wrote.
func withoutLine(err error) error {
	var e *seal.Error
	if !errors.As(err, &e) {
		return err
	}
	plain := *e
	plain.Line = 0
	return &plain
}
