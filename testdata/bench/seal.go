package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fuin.dev/keys"
)

// flagFor is the flag of fuin that takes a public key of the kind.
func flagFor(kind keys.Kind) string {
	if kind == keys.RSA {
		return "--cert"
	}
	return "--recipient"
}

func (b *bench) fuin(ctx context.Context, args ...string) process {
	return command(ctx, b.dir, filepath.Join(b.bin, "fuin"), args...)
}

func (b *bench) kubeseal(ctx context.Context, args ...string) process {
	args = append([]string{"--cert", b.keys.recipients[keys.RSA], "--format", "yaml"}, args...)
	return command(ctx, b.dir, filepath.Join(b.peers, "kubeseal"), args...)
}

// sealOne seals one manifest from a file to standard output. The first turn
// only warms up the file cache, and its output is looked at.
func (b *bench) sealOne(ctx context.Context) error {
	input := filepath.Join(b.dir, "one.yaml")
	if err := os.WriteFile(input, []byte(manifest(0)), 0o600); err != nil {
		return err
	}
	b.say("%s", sealOne)
	for turn := range 10*b.rounds + 1 {
		for _, kind := range []keys.Kind{keys.RSA, keys.Hybrid, keys.X25519} {
			p := b.fuin(ctx, "seal", flagFor(kind), b.keys.recipients[kind], input)
			if err := b.one(ctx, turn, row{sealOne, string(kind), fuin}, kind, p); err != nil {
				return err
			}
		}
		if b.alone {
			continue
		}
		p := b.kubeseal(ctx, "--secret-file", input)
		if err := b.one(ctx, turn, row{sealOne, anyCase, peer}, keys.RSA, p); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) one(ctx context.Context, turn int, at row, kind keys.Kind, p process) error {
	out, s, err := p.run()
	switch {
	case err != nil:
		return err
	case turn == 0:
		return b.keys.opens(ctx, kind, out)
	}
	b.results.add(at, s)
	return nil
}

// sealTree seals a directory, a fresh one each time. kubeseal takes one file
// at a time: it does a sample of them.
func (b *bench) sealTree(ctx context.Context) error {
	if !b.alone {
		b.results.note("%s: kubeseal sealed %d of the %d files, one by one; its figures are scaled up. Files are in %s.",
			sealTree, b.sample, b.objects, filepath.Dir(b.trees))
	}
	for round := range b.rounds {
		b.say("%s, round %d of %d", sealTree, round+1, b.rounds)
		for _, kind := range []keys.Kind{keys.RSA, keys.Hybrid, keys.X25519} {
			if err := b.fuinTree(ctx, kind); err != nil {
				return err
			}
			if kind == keys.RSA && !b.alone { // once a round, between fuin's turns
				if err := b.kubesealTree(ctx); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// tree makes a directory of manifests.
func (b *bench) tree(n int) (dir string, files []string, err error) {
	if dir, err = os.MkdirTemp(b.trees, "tree-"); err != nil {
		return "", nil, err
	}
	files, err = writeTree(dir, n)
	return dir, files, err
}

func (b *bench) fuinTree(ctx context.Context, kind keys.Kind) error {
	dir, files, err := b.tree(b.objects)
	if err != nil {
		return err
	}
	_, s, err := b.fuin(ctx, "seal", flagFor(kind), b.keys.recipients[kind], "--in-place", dir).run()
	if err != nil {
		return err
	}
	b.results.add(row{sealTree, string(kind), fuin}, s)
	return b.allSealed(ctx, kind, files)
}

func (b *bench) kubesealTree(ctx context.Context) error {
	_, files, err := b.tree(b.sample)
	if err != nil {
		return err
	}
	var all sample
	start := time.Now()
	for _, file := range files {
		_, s, err := b.kubeseal(ctx, "--secret-file", file, "--sealed-secret-file", file).run()
		if err != nil {
			return err
		}
		all.CPU += s.CPU
	}
	all.Wall = time.Since(start)
	b.results.add(row{sealTree, anyCase, peer}, all.scaled(b.objects, b.sample))
	return b.allSealed(ctx, keys.RSA, files)
}

// allSealed looks at every file, and into the last one.
func (b *bench) allSealed(ctx context.Context, kind keys.Kind, files []string) error {
	var last []byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Contains(data, []byte("kind: SealedSecret")) {
			return fmt.Errorf("%s was not sealed", file)
		}
		last = data
	}
	return b.keys.opens(ctx, kind, last)
}
