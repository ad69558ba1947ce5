// Package keys holds the keys that seal and open: bytes in, bytes out, no
// cluster and no file system.
//
// [ParseRecipients] reads public halves (a certificate, age recipients) and
// [ParseIdentities] private ones (PEM, age identities, the YAML of key
// Secrets); a [Ring] orders all identities of one cluster. Nothing in this
// package prints a private key by accident: the fmt verbs show fingerprints.
package keys

import "fmt"

// Kind tells what a key is, and by that which encoding it makes.
type Kind string

// The kinds. Hybrid and X25519 are age's; Hybrid resists quantum computers.
const (
	RSA    Kind = "rsa"
	Hybrid Kind = "hybrid"
	X25519 Kind = "x25519"
)

// Age reports whether keys of the kind make the age encoding.
func (k Kind) Age() bool { return k != RSA }

// State is what a cluster still does with a key.
type State string

// Active keys seal and open, retired ones only open, revoked ones do neither.
const (
	Active  State = "active"
	Retired State = "retired"
	Revoked State = "revoked"
)

// MinRSABits is the smallest RSA modulus accepted, in bits.
const MinRSABits = 2048

// An Error says what stood where a key was expected. Hint tells the way out.
type Error struct {
	Reason string
	hint   string
}

func (e *Error) Error() string { return e.Reason }

// Hint is one sentence on what to do next; it may be empty.
func (e *Error) Hint() string { return e.hint }

func found(hint, format string, args ...any) error {
	return &Error{Reason: fmt.Sprintf(format, args...), hint: hint}
}
