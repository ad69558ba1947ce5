package seal

import (
	"bytes"
	"slices"

	"filippo.io/age"
	"fuin.dev/keys"
)

// resealEntry opens a value and seals it to the keys of its own encoding,
// unless it is sealed to just these. It returns an identity that opened it.
func (o Opener) resealEntry(e *sealedEntry, to *Resealer, whole bool, hints []string) (*keys.Identity, error) {
	if err := e.at.check(); err != nil {
		return nil, err
	}
	raw, err := decode(text(e.node))
	if err != nil {
		return nil, err
	}
	e.isAge = bytes.HasPrefix(raw, []byte(ageMagic)) && !e.isLegacy
	s := to.of(e.isAge)
	switch {
	case s == nil && e.isAge:
		return nil, refuse("", "it is in the age encoding, and there is no age recipient to seal it to")
	case s == nil:
		return nil, refuse("", "it is in the RSA encoding, and there is no certificate to seal it to")
	case e.isAge && whole:
		return o.resealWhole(e, raw, s, hints)
	case e.isAge:
		return o.resealAge(e, raw, s)
	}
	return o.resealRSA(e, raw, s)
}

// resealRSA seals under the same label, which is all that binds the value.
func (o Opener) resealRSA(e *sealedEntry, raw []byte, to *Sealer) (*keys.Identity, error) {
	value, by, err := o.openRSA(raw, e.at.label())
	newest := to.recipients[0]
	if err != nil || by.Fingerprint() == newest.Fingerprint() {
		return by, err
	}
	e.resealed, err = sealRSA(newest.RSA(), value, e.at.label())
	return by, err
}

func (o Opener) resealAge(e *sealedEntry, raw []byte, to *Sealer) (*keys.Identity, error) {
	a := &audit{trial: trial{opener: o}}
	plain, err := a.decrypt(raw, a)
	if err != nil {
		return nil, err
	}
	value, err := unbind(e.at, plain)
	if err != nil || a.just(to) {
		return a.opened, err
	}
	e.resealed, err = sealAge(to.recipients, e.at, value)
	return a.opened, err
}

// resealWhole seals to keys that are all there are to be.
func (o Opener) resealWhole(e *sealedEntry, raw []byte, to *Sealer, hints []string) (*keys.Identity, error) {
	plain, by, err := o.openAge(raw)
	if err != nil {
		return nil, err
	}
	value, err := unbind(e.at, plain)
	if err != nil {
		return by, err
	}
	wanted := to.Fingerprints()
	info, err := Inspect(text(e.node))
	if err == nil && len(info.Stanzas) == len(wanted) && slices.Contains(wanted, by.Fingerprint()) &&
		len(without(hints, wanted)) == 0 && len(without(wanted, hints)) == 0 {
		return by, nil
	}
	e.resealed, err = sealAge(to.recipients, e.at, value)
	return by, err
}

// audit is a trial in which every stanza must open: a value that is sealed to
// others, too, would be lost to them.
type audit struct {
	trial
	by []*keys.Identity // those that opened, one a stanza
}

// Unwrap returns the file key of the first stanza; age checks it against the
// whole header.
func (a *audit) Unwrap(stanzas []*age.Stanza) (fileKey []byte, err error) {
	if a.refused = bounded(stanzas); a.refused != nil {
		return nil, a.refused
	}
	for _, s := range stanzas {
		id, key, err := a.each(s)
		if err != nil {
			return nil, err
		}
		if id == nil {
			continue
		}
		if a.by = append(a.by, id); a.opened == nil {
			a.opened, fileKey = id, key
		}
	}
	if others := len(stanzas) - len(a.by); others > 0 && a.opened != nil {
		a.refused = refuse("", "sealed to %d recipients, of which %d are not of this cluster; reseal it where all recipients are known",
			len(stanzas), others)
		return nil, a.refused
	}
	if a.opened == nil {
		return nil, age.ErrIncorrectIdentity
	}
	return fileKey, nil
}

// each tries the identities on one stanza; nil if none opens it.
func (a *audit) each(s *age.Stanza) (*keys.Identity, []byte, error) {
	for _, id := range a.opener.Identities {
		fileKey, err := a.one(id, s)
		if err != nil || fileKey != nil {
			return id, fileKey, err
		}
	}
	return nil, nil, nil
}

// just reports whether the value is sealed to the recipients and nobody else.
func (a *audit) just(to *Sealer) bool {
	got := make([]string, 0, len(a.by))
	for _, id := range a.by {
		got = append(got, id.Fingerprint())
	}
	slices.Sort(got)
	return slices.Equal(got, slices.Sorted(slices.Values(to.Fingerprints())))
}
