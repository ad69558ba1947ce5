package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

const closing = `Git holds the Secrets sealed; no committed byte tells a value.
A push is applied as it stands, in three environments and two clusters, and
reported with its commit.
A changed secret rolls the workload that names it, and no other.
A version goes from staging to production by a file, canary first.
What lives in Vault stays there; it is read as the namespace that needs it, and
followed when it changes.
What is altered or moved does not open; it holds up only what needs it, and a
revert is enough.
A cluster applies nothing that belongs to another.
Edits by hand are undone, and the report tells whose they were.
A restart opens nothing again, writes nothing, and rolls nothing.`

func (d *demo) summary(took time.Duration) {
	d.screen.heading("What you saw")
	d.screen.line("")
	for sentence := range strings.SplitSeq(strings.Join(strings.Fields(closing), " "), ". ") {
		d.screen.check(strings.TrimSuffix(sentence, ".") + ".")
	}
	d.screen.line(fmt.Sprintf("\nThat took %.0f seconds. The README tells how to go on.", took.Seconds()))
}

// connect tells how to go on with what was left running.
func (d *demo) connect() error {
	var exports strings.Builder
	for _, name := range []string{"PATH", "DEMO", "KUBECONFIG"} {
		fmt.Fprintf(&exports, "export %s='%s'\n", name, d.variable(name))
	}
	if err := os.WriteFile(d.path("env"), []byte(exports.String()), 0o600); err != nil {
		return err
	}
	d.screen.heading("It keeps running")
	d.screen.prose(`The clusters, the controllers, the Git server and Vault stay until you press Ctrl-C here.
		In another terminal, this gives you fuin, kubectl, both clusters and a clone:`)
	d.screen.command(". " + d.path("env") + "\ncd $DEMO/shop")
	d.screen.prose("Some things to try:")
	d.screen.command(`fuin status -A --context production
fuin status --context staging staging/staging
printf hello | fuin set -r keys/staging.txt --name mail \
    overlays/staging/secret.yaml SMTP_PASSWORD
git commit -a -m hello && git push origin main
fuin wait --context staging overlays/staging
tail -f $DEMO/*-controller.log`)
	return nil
}
