package keys

import (
	"bytes"
	"fmt"
	"time"
)

// How a cluster keeps keys. RSA pairs are stored exactly as Sealed Secrets
// stores them, so that its keys are adopted by being there.
const (
	LabelRSA   = "sealedsecrets.bitnami.com/sealed-secrets-key" // on RSA pairs: active or compromised
	LabelAge   = "fuin.dev/sealing-key"                         // on age identities: the state
	LabelState = "fuin.dev/key-state"                           // on RSA pairs, beside LabelRSA: the state
	TypeRSA    = "kubernetes.io/tls"
	TypeAge    = "fuin.dev/age-identity"

	dataKey       = "tls.key"
	dataCert      = "tls.crt"
	dataIdentity  = "identity"
	dataRecipient = "recipient"
)

// AnnotationRotate asks for a new key, on the ConfigMap of a cluster's public
// keys, with rsa or age behind it. Its value is a time, RFC 3339 in whole
// seconds; a key made before then seals no more.
const AnnotationRotate = "fuin.dev/rotate-"

// A Secret is what of a Kubernetes Secret concerns a key.
type Secret struct {
	Namespace, Name string
	Type            string
	Labels          map[string]string
	Created         time.Time
	Data            map[string][]byte

	OrderByAge bool // date the key by Created, whatever its certificate or file says
}

// IsKey reports whether the Secret claims to hold a key, by type and label.
func (s Secret) IsKey() bool {
	if s.Type == TypeAge {
		return true
	}
	_, labelled := s.Labels[LabelRSA]
	return labelled
}

// Identity reads the key. RSA keys are ordered by the NotBefore of their
// certificate, age identities by the date in their file, else by the Secret's.
func (s Secret) Identity() (*Identity, error) {
	id, err := s.identity()
	if err != nil {
		return nil, fmt.Errorf("key Secret %s/%s: %w", s.Namespace, s.Name, err)
	}
	if id.created.IsZero() || s.OrderByAge {
		id.created = s.Created
	}
	if id.state, err = s.state(); err != nil {
		return nil, fmt.Errorf("key Secret %s/%s: %w", s.Namespace, s.Name, err)
	}
	return id, nil
}

func (s Secret) identity() (*Identity, error) {
	if s.Type == TypeAge {
		ids, err := parseAgeIdentities(s.Data[dataIdentity])
		if err != nil {
			return nil, err
		}
		if len(ids) != 1 {
			return nil, found("keep one identity a Secret", "%d age identities under %q", len(ids), dataIdentity)
		}
		return ids[0], nil
	}
	if len(s.Data[dataKey]) == 0 {
		return nil, found("", "no private key under %q", dataKey)
	}
	ids, err := parsePEMIdentities(append(append(bytes.Clone(s.Data[dataKey]), '\n'), s.Data[dataCert]...))
	if err != nil {
		return nil, err
	}
	if len(ids) != 1 {
		return nil, found("keep one key a Secret", "%d private keys under %q", len(ids), dataKey)
	}
	if ids[0].recipient.cert == nil {
		return nil, found("", "no certificate for the key under %q", dataCert)
	}
	return ids[0], nil
}

// state reads the labels; what a label says of a key's end always counts. To
// Sealed Secrets a pair with any label but active is out of use.
func (s Secret) state() (State, error) {
	value := s.Labels[LabelAge]
	if s.Type != TypeAge {
		value = s.Labels[LabelState]
		if label := s.Labels[LabelRSA]; label != "" && label != "active" {
			return Revoked, nil
		}
	}
	switch State(value) {
	case Active, "":
		return Active, nil
	case Retired, Revoked:
		return State(value), nil
	}
	return "", found("use active, retired or revoked", "%q is no state of a key", value)
}

// Secret is the key as a cluster keeps it; labels are those of an active key.
func (i *Identity) Secret(namespace, name string) Secret {
	s := Secret{Namespace: namespace, Name: name, Created: i.created}
	if i.Kind().Age() {
		s.Type, s.Labels = TypeAge, map[string]string{LabelAge: string(i.state)}
		s.Data = map[string][]byte{dataIdentity: i.Marshal(), dataRecipient: i.recipient.Marshal()}
		return s
	}
	s.Type, s.Labels = TypeRSA, map[string]string{LabelRSA: "active"}
	if i.state != Active {
		s.Labels[LabelState] = string(i.state)
	}
	s.Data = map[string][]byte{dataKey: i.rsaPEM(), dataCert: i.recipient.Marshal()}
	return s
}
