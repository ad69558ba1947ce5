package seal

import (
	"bytes"
	"strings"

	"filippo.io/age"
)

// ValueInfo is what a sealed value tells without any key.
type ValueInfo struct {
	Encoding string   `json:"encoding"`          // rsa or age
	Size     int      `json:"size"`              // of the sealed bytes, without base64
	RSABits  int      `json:"rsaBits,omitempty"` // size of the RSA key
	Stanzas  []string `json:"stanzas,omitempty"` // types of the age stanzas, one a recipient, in their order
}

// Inspect reads the outside of a sealed value in base64.
func Inspect(sealed string) (ValueInfo, error) {
	raw, err := decode(sealed)
	if err != nil {
		return ValueInfo{}, err
	}
	if !bytes.HasPrefix(raw, []byte(ageMagic)) {
		size, err := rsaSize(raw)
		if err != nil {
			return ValueInfo{}, err
		}
		return ValueInfo{Encoding: "rsa", Size: len(raw), RSABits: size * 8}, nil
	}
	header, err := age.ExtractHeader(bytes.NewReader(raw))
	if err != nil {
		return ValueInfo{}, errAltered
	}
	info := ValueInfo{Encoding: "age", Size: len(raw)}
	for line := range strings.Lines(string(header)) {
		if stanza, ok := strings.CutPrefix(line, "-> "); ok {
			kind, _, _ := strings.Cut(strings.TrimSpace(stanza), " ")
			info.Stanzas = append(info.Stanzas, kind)
		}
	}
	return info, nil
}
