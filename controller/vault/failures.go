package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// fault is a failure of what was asked.
func (c *connection) fault(reason, message string) *Failure {
	return &Failure{Reason: reason, Message: message, Again: true, Connection: c.name}
}

// down is a failure of the connection, which all meet until it ends.
func (c *connection) down(reason, message string) *Failure {
	f := c.fault(reason, message)
	f.common = true
	return f
}

// aside is a failure of what was asked that tells nothing about the connection: what
// one namespace reads must not keep the others from it.
func (c *connection) aside(reason, message string) *Failure {
	f := c.fault(reason, message)
	f.mute = true
	return f
}

// about puts what was asked for before a failure's message, unless the failure
// has nothing to do with it.
func (f *Failure) about(path string) *Failure {
	g := *f
	if f.common {
		return &g
	}
	g.Message = path + ": " + f.Message
	return &g
}

// transportFailure puts an error on the way into words of our own: those of the
// libraries name addresses and quote what came.
func (c *connection) transportFailure(req call, err error) *Failure {
	switch {
	case errors.Is(err, errLarge):
		return c.fault(InvalidAnswer, fmt.Sprintf("the answer is larger than %d bytes", maxAnswer))
	case errors.Is(err, context.DeadlineExceeded) && req.slow:
		return c.aside(FailedRequest, fmt.Sprintf("no answer within %s", c.timeout))
	case errors.Is(err, context.DeadlineExceeded):
		return c.down(Unreachable, fmt.Sprintf("no answer within %s", c.timeout))
	}
	return c.down(Unreachable, connectingFailed(err))
}

func connectingFailed(err error) string {
	var (
		resolving *net.DNSError
		unknown   x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verifying *tls.CertificateVerificationError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &resolving):
		return "the host of the address does not resolve"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused"
	case errors.As(err, &unknown):
		return "the certificate is signed by none of spec.caBundle"
	case errors.As(err, &host):
		return "the certificate is for another host; see spec.tlsServerName"
	case errors.As(err, &invalid), errors.As(err, &verifying):
		return "the certificate is not valid"
	case errors.As(err, &record):
		return "the address begins with https, and TLS is not spoken there"
	}
	return "the connection broke"
}

// mentions reports whether Vault's words hold one of these.
func mentions(said []string, words ...string) bool {
	for _, text := range said {
		for _, word := range words {
			if strings.Contains(text, word) {
				return true
			}
		}
	}
	return false
}

// hints are what Vault's words mean where they can be known, in ours: its own can
// quote a token or a claim.
var hints = []struct{ word, hint string }{
	{"audience", "the audience is not what the role demands"},
	{"could not be found", "there is no such role"},
	{"invalid role name", "there is no such role"},
	{"issuer", "the issuer is not what Vault expects"},
	{"no known key successfully validated", "no key that Vault has verifies the token"},
	{"error verifying token", "Vault cannot verify the token"},
	{"service account name not authorized", "the role does not take the service account"},
	{"namespace not authorized", "the role does not take the namespace"},
	{"claim", "a claim is not what the role demands"},
	{"no handler for route", "nothing is mounted there"},
	{"unknown role", "there is no such role"},
	{"not allowed by this role", "the role does not allow the name"},
	{"unsupported", "the engine has nothing to read at this path"},
	{"invalid role or secret ID", "role_id or secret_id is not valid"},
	{"invalid secret id", "secret_id is not valid"},
	{"invalid role ID", "role_id is not valid"},
}

func hintOf(said []string) string {
	for _, h := range hints {
		if mentions(said, h.word) {
			return h.hint
		}
	}
	return ""
}
