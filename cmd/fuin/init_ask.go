package main

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fuin.dev/config"
	"fuin.dev/lazy"
)

// ask offers the contexts of the kubeconfig on a terminal.
func (f *initFlags) ask(ctx context.Context, u *ui) ([]*newCluster, error) {
	const hint = "name one: --cluster NAME=CONTEXT asks it for its keys, --cluster NAME --key FILE takes them from a file"
	if !u.isTerminal(u.stdin) {
		return nil, misuse(hint, "no cluster to seal for")
	}
	contexts, err := f.cluster.contexts()
	if err != nil {
		return nil, err
	}
	if len(contexts) == 0 {
		return nil, misuse(hint, "no cluster to seal for, and the kubeconfig has no context")
	}
	for i, name := range contexts {
		fmt.Fprintf(u.stderr, "%3d  %s\n", i+1, printable(name))
	}
	in := bufio.NewReader(u.stdin)
	answer, err := u.prompt(ctx, in, "contexts of the clusters to seal for (numbers): ")
	if err != nil {
		return nil, err
	}
	var out []*newCluster
	for _, word := range strings.FieldsFunc(answer, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > len(contexts) {
			return nil, misuse("run it again; numbers stand before the contexts", "%.40q is none of them", word)
		}
		if slices.ContainsFunc(out, func(c *newCluster) bool { return c.context == contexts[n-1] }) {
			continue
		}
		name, err := u.nameCluster(ctx, in, contexts[n-1], out)
		if err != nil {
			return nil, err
		}
		out = append(out, &newCluster{name: name, context: contexts[n-1], file: "keys/" + name + ".txt"})
	}
	if len(out) == 0 {
		return nil, misuse(hint, "no cluster to seal for")
	}
	return out, nil
}

// nameCluster asks what a cluster is to be called here.
func (u *ui) nameCluster(ctx context.Context, in *bufio.Reader, context string, others []*newCluster) (string, error) {
	suggested := shortName(context)
	answer, err := u.prompt(ctx, in, fmt.Sprintf("name of the cluster of %s [%s]: ", context, suggested))
	if err != nil {
		return "", err
	}
	if answer == "" {
		answer = suggested
	}
	switch {
	case !config.IsClusterName(answer):
		return "", misuse("use letters, digits, - . and _", "%.80q is no name for a cluster", answer)
	case slices.ContainsFunc(others, func(c *newCluster) bool { return c.name == answer }):
		return "", misuse("give each a name of its own", "cluster %s is named twice", answer)
	}
	return answer, nil
}

// prompt asks for a line.
func (u *ui) prompt(ctx context.Context, in *bufio.Reader, question string) (string, error) {
	fmt.Fprint(u.stderr, printable(question))
	line, err := interruptible(ctx, func() ([]byte, error) {
		line, err := in.ReadString('\n')
		if err != nil && line != "" {
			err = nil // the last line may end the input
		}
		return []byte(line), err
	})
	if err != nil {
		return "", fileError("the terminal", err)
	}
	return strings.TrimSpace(string(line)), nil
}

var notInNames = lazy.Regexp(`[^A-Za-z0-9._-]+`)

// shortName makes a cluster's name of a context's, such as of
// arn:aws:eks:eu-west-1:1:cluster/production or admin@production.
func shortName(context string) string {
	parts := strings.FieldsFunc(context, func(r rune) bool { return strings.ContainsRune("/:@", r) })
	if len(parts) == 0 {
		return "cluster"
	}
	name := strings.Trim(notInNames().ReplaceAllString(parts[len(parts)-1], "-"), "-._")
	if !config.IsClusterName(name) {
		return "cluster"
	}
	return name
}
