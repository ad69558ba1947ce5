package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/vault/api"
)

// call is one request.
type call struct {
	namespace string              // that it is made for: namespaces take turns
	kind      string              // health, login, lookup, mount, read: of the metric
	path      string              // without /v1/
	query     map[string][]string // of a read
	body      []byte              // makes it a write
	token     string
	slow      bool // it depends on more than Vault: late, it says nothing about Vault
}

// reply is what Vault said: JSON, and no error but 404.
type reply struct {
	status int
	body   []byte
	asked  time.Time // when the request was sent
}

// ask makes one call: in its namespace's turn, as often as qps allows, not while
// Vault is known not to answer, and within the timeout. The error is a *Failure
// or ctx's.
func (c *connection) ask(ctx context.Context, req call) (reply, error) {
	if f := c.health.stands(); f != nil {
		return reply{}, f
	}
	if err := c.gate.Enter(ctx, req.namespace); err != nil {
		return reply{}, err
	}
	defer c.gate.Leave(req.namespace)
	if err := c.limiter.Wait(ctx); err != nil {
		return reply{}, context.DeadlineExceeded // or ctx would end before its turn
	}
	if f := c.health.enter(2 * c.timeout); f != nil {
		return reply{}, f
	}
	answer, f := c.send(ctx, req)
	if f != nil && ctx.Err() != nil {
		c.health.abandon()
		return reply{}, ctx.Err() // given up: it says nothing about Vault
	}
	if f = c.note(req, f); f != nil {
		return reply{}, f
	}
	return answer, nil
}

// note keeps what an answer, or none, says about the connection, and returns the
// failure as everybody is told it.
func (c *connection) note(req call, f *Failure) *Failure {
	c.Metrics.asked(c.name, req.kind, f)
	switch {
	case f != nil && f.mute:
		c.health.abandon()
	case f == nil || !f.common:
		if c.health.clear() {
			c.recovered()
		}
	default:
		told, news := c.health.fail(f)
		if news {
			c.Log.Warn("a Vault fails", "connection", c.name, "reason", told.Reason, "error", told.Message)
			c.changed()
		}
		return told
	}
	return f
}

// send makes the request, whatever is known of the connection.
func (c *connection) send(ctx context.Context, req call) (reply, *Failure) {
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	started := time.Now()
	resp, err := c.transmit(within, req)
	if resp == nil {
		return reply{}, c.transportFailure(req, err)
	}
	defer resp.Body.Close()
	body, readErr := io.ReadAll(resp.Body) // bounded by guard; of an error, it was read already
	var said *api.ResponseError
	switch {
	case err != nil && !errors.As(err, &said):
		return reply{}, c.transportFailure(req, err)
	case readErr != nil:
		return reply{}, c.transportFailure(req, readErr)
	}
	return reply{resp.StatusCode, body, started}, c.judge(req, resp.StatusCode, body)
}

func (c *connection) transmit(ctx context.Context, req call) (*api.Response, error) {
	via := c.client.WithRequestCallbacks(func(r *api.Request) {
		r.ClientToken, r.WrapTTL, r.MFAHeaderVals, r.PolicyOverride = req.token, "", nil, false
		if c.spec.Namespace != "" && req.kind != "health" { // which only the root has
			r.Headers.Set(api.NamespaceHeaderName, c.spec.Namespace)
		}
		r.Headers.Set("User-Agent", "fuin/"+c.Version)
	})
	if req.body != nil {
		return via.Logical().WriteRawWithContext(ctx, req.path, req.body)
	}
	return via.Logical().ReadRawWithDataWithContext(ctx, req.path, req.query)
}

// judge tells what an answer means that is not as it should be. Vault's own words
// are not repeated: they can quote what was sent.
func (c *connection) judge(req call, status int, body []byte) *Failure {
	var said struct {
		Errors []string        `json:"errors"`
		Data   json.RawMessage `json:"data"`
	}
	if status >= 300 && status < 400 {
		return c.down(InvalidAnswer, "Vault redirects, which is not followed: give the address of the server itself")
	}
	err := json.Unmarshal(body, &said)
	switch {
	case err != nil && req.slow && status < 300: // such as a certificate in PEM
		return c.aside(InvalidAnswer, "the engine answers without JSON: nothing there is a value")
	case err != nil:
		return c.down(statusReason(status), fmt.Sprintf("the answer (HTTP %d) is not Vault's: no JSON", status))
	}
	nothing := status == http.StatusNotFound && len(said.Errors) == 0 && (said.Errors != nil || said.Data != nil)
	switch {
	case req.kind == "health":
		return c.healthOf(status, body)
	case status < 300, nothing:
		return nil
	}
	return c.refusal(req, status, said.Errors)
}

// statusReason is what an answer without JSON means: an error of a proxy on the
// way is no garbage.
func statusReason(status int) string {
	switch status {
	case http.StatusTooManyRequests:
		return RateLimited
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Unreachable
	}
	return InvalidAnswer
}

// refusal is an error as Vault writes it.
func (c *connection) refusal(req call, status int, said []string) *Failure {
	switch {
	case status == http.StatusForbidden:
		return c.fault(Denied, "Vault denies it (HTTP 403)")
	case status == http.StatusTooManyRequests && req.slow: // a quota of the engine, or of leases
		return c.aside(RateLimited, "a quota is exceeded (HTTP 429)")
	case status == http.StatusTooManyRequests:
		return c.down(RateLimited, "Vault's rate limit is exceeded (HTTP 429)")
	case status == http.StatusServiceUnavailable && mentions(said, "sealed"):
		return c.down(SealedVault, "Vault is sealed")
	case status == http.StatusInternalServerError && mentions(said, "active cluster node", "standby", "not active"):
		return c.down(Unreachable, "Vault has no active server")
	case req.slow && (status == http.StatusBadGateway || status == http.StatusGatewayTimeout): // of a server behind the engine
		return c.aside(FailedRequest, fmt.Sprintf("Vault answers HTTP %d", status))
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return c.down(Unreachable, fmt.Sprintf("Vault answers HTTP %d", status))
	case status == http.StatusNotFound && said == nil:
		return c.down(InvalidAnswer, "the answer (HTTP 404) is not Vault's")
	case status == http.StatusNotFound:
		c.mounts.forget(req.path) // something else may be there by now
	}
	f := c.fault(FailedRequest, fmt.Sprintf("Vault answers HTTP %d", status))
	if hint := hintOf(said); hint != "" {
		f.Message += ": " + hint
	}
	return f
}

// healthOf is what sys/health tells by status and body.
func (c *connection) healthOf(status int, body []byte) *Failure {
	var said struct {
		Sealed      *bool `json:"sealed"`
		Initialized bool  `json:"initialized"`
	}
	switch {
	case json.Unmarshal(body, &said) != nil || said.Sealed == nil:
		return c.down(statusReason(status), fmt.Sprintf("the answer (HTTP %d) is not Vault's", status))
	case !said.Initialized:
		return c.down(SealedVault, "Vault is not initialized")
	case *said.Sealed:
		return c.down(SealedVault, "Vault is sealed")
	case status >= 500:
		return c.down(Unreachable, fmt.Sprintf("Vault answers HTTP %d", status))
	}
	return nil
}
