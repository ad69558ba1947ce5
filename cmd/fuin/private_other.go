//go:build !unix

package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// endSignal ends an editor.
var endSignal = os.Kill

// There are no locks that end with their holder: nothing is swept.
func lockFile(*os.File) error       { return nil }
func tryLock(*os.File) error        { return errors.New("no locks") }
func inherited(*os.File) []*os.File { return nil }
func isOwn(fs.FileInfo) bool        { return false }

func ending(ctx context.Context) (context.Context, func()) { return context.WithCancel(ctx) }
