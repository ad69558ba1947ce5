package vault_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/controller/vault"
	"fuin.dev/controller/vaulttest"
)

// hitch is something that comes between the resolver and a Vault.
type hitch struct {
	delay   time.Duration
	slow    bool             // it takes the connection's timeout to notice
	instead http.HandlerFunc // who is there in Vault's place
	trusted bool             // by the connection
	reason  string
	message string // part of it
}

// TestTheNetworkFails wants what networks do told as what it is, in failures and in
// conditions; that nobody knocks again and again meanwhile; and that all is well
// after it without anybody asking.
func TestTheNetworkFails(t *testing.T) {
	base := newSystem(t)
	beyond := base.proxy()
	beyond.answer(say(200, "{}"))
	redirect := http.RedirectHandler(beyond.URL, http.StatusTemporaryRedirect).ServeHTTP
	for name, test := range map[string]hitch{
		"answers take 30 seconds": {delay: 30 * time.Second, slow: true, reason: vault.Unreachable, message: "no answer within 1s"},
		"connections break":       {reason: vault.Unreachable, message: "the connection broke"},
		"another certificate":     {instead: say(200, "{}"), reason: vault.Unreachable, message: "signed by none of spec.caBundle"},
		"answers never end":       {instead: dripping, slow: true, trusted: true, reason: vault.Unreachable, message: "no answer within 1s"},
		"garbage":                 {instead: say(200, "<html>"+canary), trusted: true, reason: vault.InvalidAnswer, message: "no JSON"},
		"a redirect":              {instead: redirect, trusted: true, reason: vault.InvalidAnswer, message: "redirects, which is not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			n := base.in(t).network(test.instead, beyond.ca())
			n.connect(test)
			test.begin(n)
			n.fails(test)
			if served := len(n.other.noted()); !test.trusted && served > 0 {
				t.Errorf("%d requests went to whom nobody vouches for", served)
			}
			n.recovers()
		})
	}
	if followed := len(beyond.noted()); followed > 0 {
		t.Errorf("%d redirects were followed", followed)
	}
}

// network is a connection with a proxy before its Vault, and another server that
// the proxy can lead to.
type network struct {
	*system
	before *vaulttest.Proxy
	other  *proxy
	trusts []byte
	conn   string
	ns     string
	well   int // how often the connection was called well before the hitch
}

func (s *system) network(instead http.HandlerFunc, trusts []byte) *network {
	s.t.Helper()
	n := &network{system: s, before: vaulttest.NewProxy(s.t, s.Vault.Addresses[0]), other: s.proxy(), trusts: trusts}
	n.other.answer(instead)
	return n
}

// connect has a namespace read by way of the proxy.
func (n *network) connect(h hitch) {
	n.t.Helper()
	n.look()
	n.conn = n.system.connect(func(spec *spec) {
		spec.Address, spec.Timeout.Duration = n.before.Address, time.Minute
		if h.slow {
			spec.Timeout.Duration = time.Second
		}
		if h.trusted {
			spec.CABundle = slices.Concat(spec.CABundle, n.other.ca(), n.trusts)
		}
	})
	n.ns = n.tenant()
	n.put("apps/"+n.ns+"/x", map[string]any{"k": "good"})
	n.eventually("it reads", func() bool { return n.read() == nil })
	n.says(n.conn, "Ready=True/Answers")
	n.well = n.system.well.count(n.conn)
}

func (n *network) read() error {
	_, err := n.resolver.Resolve(n.t.Context(), vault.Request{
		Namespace: n.ns, References: n.refs("apps/" + n.ns + "/x#/k"), NotBefore: time.Now(),
	})
	return err
}

func (h hitch) begin(n *network) {
	switch {
	case h.delay > 0:
		n.before.Delay(h.delay)
	case h.instead != nil:
		n.before.To(n.other.URL)
	default:
		n.before.To("")
	}
}

// fails wants every reading to fail as the hitch says, few requests for it, and
// conditions that tell it.
func (n *network) fails(h hitch) {
	n.t.Helper()
	n.eventually("it fails as it should", func() bool { // what was under way may break first
		err := n.read()
		return err != nil && strings.Contains(err.Error(), h.message)
	})
	before := n.metric("fuin_vault_requests_total", n.conn)
	for range 100 {
		f := n.system.fails(h.reason, n.read(), canary, "good")
		if !f.Again || f.Absent || f.Connection != n.conn {
			n.t.Fatalf("got %+v", f)
		}
	}
	if asked := n.metric("fuin_vault_requests_total", n.conn) - before; asked > 10 {
		n.t.Errorf("100 failures are %v requests", asked)
	}
	said := ""
	n.eventually("the condition says "+h.message, func() bool { // new words are said once they are met twice
		vc := n.says(n.conn, "Ready=False/"+h.reason, "Reachable=False/"+h.reason, "Sealed=Unknown/"+h.reason)
		said = messageOf(vc, v1alpha1.Ready)
		return strings.Contains(said, h.message)
	})
	if strings.Contains(said, canary) {
		n.t.Errorf("the condition says %q", said)
	}
}

// recovers ends the hitch, and does nothing until it is told that all is well.
func (n *network) recovers() {
	n.t.Helper()
	n.before.To(n.Vault.Addresses[0])
	n.before.Delay(0)
	n.eventually("it is called well", func() bool { return n.system.well.count(n.conn) > n.well })
	n.eventually("it reads", func() bool { return n.read() == nil })
	n.says(n.conn, "Ready=True/Answers", "Reachable=True/Answers", "Sealed=False/Unsealed")
}

// dripping begins an answer and never comes to its end.
func dripping(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, _ = io.WriteString(w, " ")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}
