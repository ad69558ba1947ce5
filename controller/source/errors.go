package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// Reason is why a source cannot be had, in the form of a condition's reason.
type Reason string

// The reasons.
const (
	InvalidURL           Reason = "InvalidURL"
	InvalidRef           Reason = "InvalidRef"
	InvalidCredentials   Reason = "InvalidCredentials" // they cannot be used as they stand
	AuthenticationFailed Reason = "AuthenticationFailed"
	CertificateUntrusted Reason = "CertificateUntrusted"
	HostKeyUnknown       Reason = "HostKeyUnknown"
	HostKeyMismatch      Reason = "HostKeyMismatch"
	RedirectRefused      Reason = "RedirectRefused"
	RepositoryNotFound   Reason = "RepositoryNotFound"
	RepositoryEmpty      Reason = "RepositoryEmpty"
	RefNotFound          Reason = "RefNotFound"
	Unsupported          Reason = "Unsupported" // a feature of the repository
	TooLarge             Reason = "TooLarge"
	Malformed            Reason = "Malformed" // what the server sent
	Unreachable          Reason = "Unreachable"
	Timeout              Reason = "Timeout"
	VerificationFailed   Reason = "VerificationFailed"
	PathNotFound         Reason = "PathNotFound" // of a local directory
	Failed               Reason = "Failed"       // on this machine
)

// Error is why a source cannot be had. It holds no credentials, and nothing
// that a server said.
type Error struct {
	Reason  Reason
	Message string // what was tried and what became of it
	Hint    string // what to do about it; may be empty
	Err     error  // what it rests on; may be nil, and is no part of the text
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Permanent tells that the same request fails again until somebody changes it,
// or the repository: trying sooner than at the next interval is of no use.
func (e *Error) Permanent() bool {
	switch e.Reason {
	case Unreachable, Timeout, Failed, Malformed:
		return false
	}
	return true
}

// ReasonOf returns the reason of an error of this package, Failed for others.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return Failed
}

func fail(reason Reason, hint, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func (e *Error) because(err error) *Error {
	e.Err = err
	return e
}

// network says why a connection failed, in words of our own: what a server
// sends, and a URL with what it was redirected to, stay out.
func network(ctx context.Context, host string, err error) error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	if ended := ctx.Err(); ended != nil {
		return timedOut(host, ended)
	}
	if reason := certificate(err); reason != "" {
		return fail(CertificateUntrusted, "put the authority that signed it into caFile of the secret", "the certificate of %s %s", host, reason).because(err)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return fail(Unreachable, "check the url", "no host is called %s", host).because(err)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return fail(Unreachable, "", "%s does not answer in time", host).because(err)
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return fail(Unreachable, "", "no connection to %s", host).because(err)
	}
	return fail(Unreachable, "", "the connection to %s broke", host).because(err)
}

func timedOut(host string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fail(Timeout, "", "%s did not send everything in time", host).because(err)
	}
	return err
}

func certificate(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "is signed by an unknown authority"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "is for another host"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return "is expired or not yet valid"
		}
		return "is invalid"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "is not trusted"
	}
	return ""
}
