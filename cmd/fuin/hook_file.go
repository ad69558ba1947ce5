package main

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// The part of a hook that is ours. It stands between two lines by which it is
// found again.
const (
	hookBegin = "# fuin: begin"
	hookEnd   = "# fuin: end"
	hookBody  = `command -v fuin >/dev/null || {
	echo "fuin is not in PATH, and this commit is not checked for secrets: install fuin, or run fuin hook uninstall" >&2
	exit 1
}
fuin check --staged || exit
`
)

// hookLine is what a hook of any kind runs.
const hookLine = "fuin check --staged"

// withHook is the text of a hook with our part as it is now: ahead of what
// others wrote, which may end with exec. ok is false where no shell reads it.
func withHook(old []byte) (text []byte, ok bool) {
	if len(bytes.TrimSpace(old)) == 0 {
		old = []byte("#!/bin/sh\n")
	}
	rest, _ := withoutHook(old)
	first, others, _ := strings.Cut(string(rest), "\n")
	if !isShell(first) {
		return nil, false
	}
	return []byte(first + "\n" + hookBegin + "\n" + hookBody + hookEnd + "\n" + others), true
}

// withoutHook is the text of a hook without our part; found tells whether it
// had one.
func withoutHook(text []byte) (rest []byte, found bool) {
	before, after, found := strings.Cut(string(text), hookBegin+"\n")
	if !found {
		return text, false
	}
	_, after, whole := strings.Cut(after, hookEnd+"\n")
	if !whole {
		return text, false
	}
	return []byte(before + after), true
}

// isEmptyHook reports whether nothing is left that would run.
func isEmptyHook(text []byte) bool {
	first, rest, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(rest) == "" && (isShell(first) || strings.TrimSpace(first) == "")
}

// isShell reports whether the first line of a script names a shell that reads
// what POSIX says.
func isShell(line string) bool {
	command, ok := strings.CutPrefix(strings.TrimRight(line, "\r"), "#!")
	words := strings.Fields(command)
	if ok && len(words) > 1 && path.Base(words[0]) == "env" {
		words = words[1:]
	}
	return ok && len(words) > 0 && slices.Contains([]string{"sh", "bash", "dash", "ash", "ksh", "zsh"}, path.Base(words[0]))
}
