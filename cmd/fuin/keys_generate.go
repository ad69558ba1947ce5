package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"fuin.dev/keys"
	"github.com/spf13/cobra"
)

// generateFlags are those of fuin keys generate.
type generateFlags struct {
	kind      choice
	format    choice
	file      string
	validFor  period
	namespace string
	name      string
}

func newKeysGenerate(u *ui) *cobra.Command {
	f := generateFlags{validFor: period(10 * year)}
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make a new key pair",
		Long: `Make a new key pair and print the private key; the public one goes to standard
error. The types:

  hybrid   age, post-quantum: what Git keeps for ever stays secret (default)
  x25519   age, classic: short, for tools that know no other
  rsa      RSA-4096 with a certificate, for the format of Sealed Secrets`,
		Example: `  fuin keys generate --out identity.txt
  fuin keys generate --type rsa --valid-for 5y --out tls.pem
  fuin keys generate -o yaml --namespace fuin-system | kubectl create -f -`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(u, cmd)
		},
	}
	addChoice(cmd, &f.kind, "type", "", "`TYPE`: hybrid, x25519 or rsa; the default is hybrid", string(keys.Hybrid),
		string(keys.Hybrid), string(keys.X25519), string(keys.RSA))
	addChoice(cmd, &f.format, "output", "o", "`FORMAT`: text (an identity file or PEM) or yaml (the Secret in which a cluster keeps the key); the default is text",
		"text", "text", "yaml")
	cmd.Flags().StringVar(&f.file, "out", "", "write to a new `FILE` that only you can read, instead of standard output")
	cmd.Flags().Var(&f.validFor, "valid-for", "`TIME` until the certificate of an RSA key expires, such as 720h, 90d or 5y; the default is 10y")
	cmd.Flags().StringVarP(&f.namespace, "namespace", "n", "", "with -o yaml: `NAMESPACE` of the Secret; the default is "+fuinNamespace)
	cmd.Flags().StringVar(&f.name, "name", "", "with -o yaml: `NAME` of the Secret; the default is fuin-key- and the day")
	return cmd
}

func (f *generateFlags) run(u *ui, cmd *cobra.Command) error {
	kind := keys.Kind(f.kind.value)
	switch {
	case f.format.value == "text" && (f.namespace != "" || f.name != ""):
		return misuse("add -o yaml", "--namespace and --name are for -o yaml")
	case kind != keys.RSA && cmd.Flags().Changed("valid-for"):
		return misuse("leave it out: age keys do not expire", "--valid-for is for --type rsa")
	}
	id, err := keys.Generate(kind, u.now(), time.Duration(f.validFor), "")
	if err != nil {
		return err
	}
	text, err := f.marshal(id, u.now())
	if err != nil {
		return err
	}
	if err := f.write(u, text); err != nil {
		return err
	}
	u.publicKey(id.Recipient())
	return nil
}

func (f *generateFlags) write(u *ui, text []byte) error {
	if f.file == "" {
		_, err := u.stdout.Write(text)
		return err
	}
	return createPrivate(f.file, text)
}

// marshal prints the private key in the format asked for.
func (f *generateFlags) marshal(id *keys.Identity, now time.Time) ([]byte, error) {
	if f.format.value == "text" {
		return id.Marshal(), nil
	}
	namespace, name := f.namespace, f.name
	if namespace == "" {
		namespace = fuinNamespace
	}
	if name == "" {
		name = "fuin-key-" + now.UTC().Format("20060102")
	}
	return secretManifest(id.Secret(namespace, name))
}

// secretManifest is a key Secret as kubectl takes it.
func secretManifest(s keys.Secret) ([]byte, error) {
	type metadata struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace"`
		Labels    map[string]string `json:"labels"`
	}
	var b strings.Builder
	err := encode(&b, "yaml", struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Metadata   metadata          `json:"metadata"`
		Type       string            `json:"type"`
		Data       map[string][]byte `json:"data"`
	}{"v1", kindSecret, metadata{s.Name, s.Namespace, s.Labels}, s.Type, s.Data})
	return []byte(b.String()), err
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// period is a duration in which d and y are units, too.
type period time.Duration

func (p *period) String() string { return time.Duration(*p).String() }
func (p *period) Type() string   { return "TIME" }

func (p *period) Set(s string) error {
	unit := map[string]time.Duration{"d": day, "y": year}[s[max(0, len(s)-1):]]
	if unit == 0 {
		d, err := time.ParseDuration(s)
		*p = period(d)
		return positive(d, err)
	}
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 32)
	if n > int64(100*year/unit) {
		return errors.New("at most 100 years")
	}
	*p = period(time.Duration(n) * unit)
	return positive(time.Duration(n), err)
}

func positive(d time.Duration, err error) error {
	if err != nil || d <= 0 {
		return errors.New("use a time such as 720h, 90d or 5y")
	}
	return nil
}
