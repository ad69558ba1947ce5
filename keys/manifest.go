package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"time"

	"go.yaml.in/yaml/v3"
)

// manifest is a Secret or a List of them, as kubectl prints it.
type manifest struct {
	Kind     string `yaml:"kind"`
	Type     string `yaml:"type"`
	Metadata struct {
		Name      string            `yaml:"name"`
		Namespace string            `yaml:"namespace"`
		Labels    map[string]string `yaml:"labels"`
		Created   time.Time         `yaml:"creationTimestamp"`
	} `yaml:"metadata"`
	Data  map[string]base64Text `yaml:"data"`
	Items []manifest            `yaml:"items"`
}

func parseKeySecrets(data []byte) ([]*Identity, error) {
	var out []*Identity
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var m manifest
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, found("give the output of kubectl get secret -o yaml", "a manifest that does not parse")
		}
		ids, err := m.identities()
		if err != nil {
			return nil, err
		}
		out = append(out, ids...)
	}
	if len(out) == 0 {
		return nil, found("print them with: kubectl get secret -n NAMESPACE -l "+LabelRSA+" -o yaml", "a manifest without a key Secret")
	}
	return out, nil
}

func (m manifest) identities() ([]*Identity, error) {
	if m.Kind == "List" || m.Kind == "SecretList" {
		var out []*Identity
		for _, item := range m.Items {
			ids, err := item.identities()
			if err != nil {
				return nil, err
			}
			out = append(out, ids...)
		}
		return out, nil
	}
	s := m.secret()
	// An unlabelled pair is taken when it is asked for by itself, as
	// Sealed Secrets takes the one that is named as its prefix.
	if m.Kind != "Secret" || !s.IsKey() && (s.Type != TypeRSA || len(s.Data[dataKey]) == 0) {
		return nil, nil
	}
	id, err := s.Identity()
	if err != nil && !s.IsKey() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []*Identity{id}, nil
}

func (m manifest) secret() Secret {
	s := Secret{
		Namespace: m.Metadata.Namespace, Name: m.Metadata.Name, Type: m.Type,
		Labels: m.Metadata.Labels, Created: m.Metadata.Created, Data: make(map[string][]byte, len(m.Data)),
	}
	for key, value := range m.Data {
		s.Data[key] = value
	}
	return s
}

// base64Text is a value of a Secret's data field.
type base64Text []byte

// UnmarshalText decodes; its error quotes nothing.
func (b *base64Text) UnmarshalText(text []byte) error {
	out, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return errors.New("not base64")
	}
	*b = out
	return nil
}
