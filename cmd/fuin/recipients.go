package main

import (
	"context"
	"slices"
	"strings"

	"fuin.dev/keys"
	"github.com/spf13/cobra"
)

// recipientFlags say for which keys to seal.
type recipientFlags struct {
	cert       string
	recipients []string
	cluster    clusterFlags

	forceCluster bool
	contexts     []string // of the clusters that were asked
}

func (f *recipientFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cert, "cert", "",
		"seal with this certificate: `KEY` is a file, an https URL, or cluster[:CONTEXT] to ask the cluster")
	cmd.Flags().StringArrayVarP(&f.recipients, "recipient", "r", nil,
		"seal to this age recipient: `KEY` is age1…, a file, an https URL, or cluster[:CONTEXT]; may be given several times, each can open then")
	cmd.Flags().BoolVar(&f.forceCluster, "force-cluster", false,
		"take the keys of --cert and -r though .fuin.yaml gives the path to another cluster")
	fromEnvironment(cmd, "cert", "recipient")
	f.cluster.add(cmd)
}

// The entries of the cluster's ConfigMap that hold public keys.
const (
	entryCert       = "cert.pem"
	entryRecipients = "recipients"
)

// given reports whether a key is named.
func (f *recipientFlags) given() bool { return f.cert != "" || len(f.recipients) > 0 }

// load reads all keys named and checks that they can seal together.
func (f *recipientFlags) load(ctx context.Context, u *ui) ([]*keys.Recipient, error) {
	if !f.given() {
		return nil, errNoKey()
	}
	var out []*keys.Recipient
	if f.cert != "" {
		rs, err := f.one(ctx, u, "--cert", f.cert, entryCert)
		if err != nil {
			return nil, err
		}
		out = rs
	}
	for _, spec := range f.recipients {
		rs, err := f.one(ctx, u, "-r", spec, entryRecipients)
		if err != nil {
			return nil, err
		}
		out = append(out, rs...)
	}
	out = distinct(out)
	return out, keys.Compatible(out)
}

// one reads the keys that one flag names.
func (f *recipientFlags) one(ctx context.Context, u *ui, flag, spec, entry string) ([]*keys.Recipient, error) {
	data, name, err := f.fetch(ctx, u, spec, entry)
	if err != nil {
		return nil, &named{flag, err}
	}
	parse := keys.ParseRecipients
	if entry == entryRecipients { // -r asks for those of a file that has a certificate, too
		parse = keys.ParseSealing
	}
	rs, err := parse(data, u.now())
	if err != nil {
		return nil, &named{flag, &named{name, err}}
	}
	return rs, nil
}

// fetch returns the text of public keys and how to name their source.
func (f *recipientFlags) fetch(ctx context.Context, u *ui, spec, entry string) (data []byte, name string, err error) {
	contextName, isCluster := clusterSpec(spec)
	switch {
	case strings.HasPrefix(spec, "age1") && !strings.ContainsAny(spec, "/."):
		return []byte(spec), "age1…", nil
	case isCluster:
		data, err = f.fromCluster(ctx, u, contextName, entry)
		return data, spec, err
	case strings.Contains(spec, "://"):
		data, err = fetchURL(ctx, spec)
		return data, withoutQuery(spec), err
	case spec == "-":
		data, err = u.readStdin(ctx, "public keys", keys.MaxFile)
		return data, stdinName, err
	}
	data, err = readFile(ctx, spec, keys.MaxFile)
	return data, spec, err
}

func (f *recipientFlags) fromCluster(ctx context.Context, u *ui, contextName, entry string) ([]byte, error) {
	c, err := f.cluster.dial(contextName)
	if err != nil {
		return nil, err
	}
	f.contexts = append(f.contexts, c.context)
	u.note("sealing for %s", c)
	if entry == entryCert {
		return c.certificate(ctx)
	}
	return c.recipients(ctx)
}

// clusterSpec reads cluster[:CONTEXT]; the empty context is the current one.
func clusterSpec(spec string) (contextName string, ok bool) {
	if spec == "cluster" {
		return "", true
	}
	return strings.CutPrefix(spec, "cluster:")
}

// distinct drops keys that were named twice.
func distinct(rs []*keys.Recipient) []*keys.Recipient {
	var out []*keys.Recipient
	for _, r := range rs {
		if !slices.ContainsFunc(out, func(o *keys.Recipient) bool { return o.Fingerprint() == r.Fingerprint() }) {
			out = append(out, r)
		}
	}
	return out
}
