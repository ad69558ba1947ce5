package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"fuin.dev/keys"
	"github.com/spf13/cobra"
)

// A listedKey is the public side of a key, for any output.
type listedKey struct {
	Fingerprint string     `json:"fingerprint"`
	Kind        keys.Kind  `json:"kind"`
	Created     *time.Time `json:"created,omitempty"`
	Expires     *time.Time `json:"expires,omitempty"`
	State       keys.State `json:"state,omitempty"` // of private keys and those of a cluster; of former ones their fate
	Since       *time.Time `json:"since,omitempty"` // of a former key
	Secret      string     `json:"secret,omitempty"`
	Recipient   string     `json:"recipient,omitempty"`

	recipient *keys.Recipient // nil for a key of which the cluster tells no more
}

func newKeysList(u *ui) *cobra.Command {
	var format choice
	var cluster clusterFlags
	cmd := &cobra.Command{
		Use:   "list PATH...|-|cluster[:CONTEXT]",
		Short: "List keys: public and private ones, or those of a cluster",
		Long: `List keys: of files with certificates, recipients, identities or key Secrets,
of standard input (-), or those of a cluster: what seals now, then the others,
newest first. Private keys are never printed. The formats:

  text       a table (default), with the former keys of a committed file
  name       recipients of age keys, fingerprints of RSA keys, one a line; also
             fingerprints of age keys that no longer seal in the cluster
  public     recipients and certificates as fuin seal reads them; of a cluster
             only what seals now
  yaml|json  all that is known`,
		Example: `  fuin keys list identity.txt
  fuin keys list -o public identity.txt > recipients.txt
  fuin keys list -o public cluster:staging > keys/staging.txt`,
		Args: needArgs("a file of keys, - or cluster", 0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneStdin(args...); err != nil {
				return err
			}
			all, err := listKeys(cmd.Context(), u, &cluster, args)
			if err != nil {
				return err
			}
			return printKeys(u.stdout, all, format.value)
		},
	}
	addChoice(cmd, &format, "output", "o", "`FORMAT`: text, yaml, json, name or public; the default is text",
		"text", "text", "yaml", "json", "name", "public")
	cluster.add(cmd)
	return cmd
}

func listKeys(ctx context.Context, u *ui, cluster *clusterFlags, args []string) ([]listedKey, error) {
	all := []listedKey{}
	for _, arg := range args {
		var some []listedKey
		var err error
		if contextName, ok := clusterSpec(arg); ok {
			some, err = clusterKeys(ctx, u, cluster, contextName)
		} else {
			some, err = fileKeys(ctx, u, arg)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func fileKeys(ctx context.Context, u *ui, path string) ([]listedKey, error) {
	data, err := u.readKeys(ctx, path)
	if err != nil {
		return nil, err
	}
	all, err := parseKeys(data)
	if err != nil {
		return nil, nameError(input{path: path}.name(), err)
	}
	return all, nil
}

// parseKeys reads private or public keys, whichever there are.
func parseKeys(data []byte) ([]listedKey, error) {
	if !holdsPrivate(data) {
		return parseCommitted(data)
	}
	ids, err := keys.ParseIdentities(data)
	if err != nil {
		return nil, err
	}
	var out []listedKey
	for _, id := range keys.NewRing(ids...).All() {
		k := list(id.Recipient())
		k.State, k.Created = id.State(), known(id.Created())
		out = append(out, k)
	}
	return out, nil
}

// holdsPrivate also takes any manifest for private keys: clusters keep them so.
func holdsPrivate(data []byte) bool {
	for _, mark := range []string{"AGE-SECRET-KEY-", "AGE-PLUGIN-", "PRIVATE KEY-----", "apiVersion:", "age-encryption.org/"} {
		if bytes.Contains(data, []byte(mark)) {
			return true
		}
	}
	return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
}

// parsePublic lists expired certificates, too, and keys that could not seal
// together: nothing is sealed here.
func parsePublic(data []byte) ([]listedKey, error) {
	rs, err := keys.ParsePublic(data)
	out := make([]listedKey, 0, len(rs))
	for _, r := range rs {
		out = append(out, list(r))
	}
	return out, err
}

// parseCommitted lists public keys, and the former ones that comments tell of.
func parseCommitted(data []byte) ([]listedKey, error) {
	out, err := parsePublic(data)
	if err != nil {
		return nil, err
	}
	former, err := keys.ParseFormer(data)
	for _, f := range former {
		out = append(out, listFormer(f))
	}
	return out, err
}

func listFormer(f keys.Former) listedKey {
	return listedKey{Fingerprint: f.Fingerprint, Kind: f.Kind, State: keys.State(f.Fate), Since: known(f.Since)}
}

func clusterKeys(ctx context.Context, u *ui, flags *clusterFlags, contextName string) ([]listedKey, error) {
	p, err := flags.published(ctx, u, contextName, "listing the keys of")
	if err != nil {
		return nil, err
	}
	return p.list(), nil
}

func list(r *keys.Recipient) listedKey {
	k := listedKey{
		Fingerprint: r.Fingerprint(), Kind: r.Kind(), Expires: known(r.Expires()),
		Recipient: strings.TrimSpace(string(r.Marshal())), recipient: r,
	}
	if cert := r.Certificate(); cert != nil {
		k.Created = known(cert.NotBefore)
	}
	return k
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func printKeys(w io.Writer, all []listedKey, format string) error {
	switch format {
	case "yaml", "json":
		return encode(w, format, all)
	case "text":
		return printKeyTable(w, all)
	}
	for _, k := range all {
		line := k.name()
		if format == "public" {
			if k.recipient == nil {
				continue
			}
			line = k.Recipient
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func (k listedKey) name() string {
	if k.recipient == nil {
		return k.Fingerprint
	}
	return k.recipient.String()
}

func printKeyTable(w io.Writer, all []listedKey) error {
	const row = "%-7s %-8s %-11s %-11s %s\n"
	if _, err := fmt.Fprintf(w, row, "KIND", "STATE", "CREATED", "EXPIRES", "FINGERPRINT"); err != nil {
		return err
	}
	for _, k := range all {
		state := string(k.State)
		if state == "" {
			state = "-"
		}
		if _, err := fmt.Fprintf(w, row, k.Kind, state, date(k.Created), date(k.Expires), k.Fingerprint); err != nil {
			return err
		}
	}
	return nil
}

func date(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.DateOnly)
}
