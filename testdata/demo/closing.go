package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

const closing = `Git holds the Secret sealed; no committed byte tells a value.
The cluster made the Secret, with keys that never left it.
A changed value is one changed line, sealed without a cluster.
Altered or moved, a sealed value is refused, and the old Secret stays.
Edits by hand are undone, and a restart opens nothing again.`

func (d *demo) summary(took time.Duration) {
	d.screen.heading("What you saw")
	d.screen.line("")
	for line := range strings.Lines(closing) {
		d.screen.check(strings.TrimSpace(line))
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
	d.screen.prose(`The cluster and the controller stay until you press Ctrl-C here.
		In another terminal, this gives you fuin, kubectl and the cluster:`)
	d.screen.command(". " + d.path("env") + "\ncd $DEMO/shop")
	d.screen.prose("Some things to try:")
	d.screen.command(`kubectl get sealedsecret -A
fuin keys list cluster
printf hello | fuin seal -r cluster -n shop --name greeting \
    --from-file text=- | kubectl apply -f -
kubectl get secret -n shop greeting -o yaml
kubectl delete sealedsecret -n shop greeting
tail -f $DEMO/` + controllerLog)
	return nil
}
