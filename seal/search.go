package seal

import (
	"errors"
	"math"
	"slices"

	"fuin.dev/keys"
)

// ErrUndecided is returned when a [Search] has used up its trials: another
// turn goes on where this one stopped.
var ErrUndecided = errors.New("not all keys were tried yet")

// errHopeless is why a value was not tried with every key.
var errHopeless = errors.New("not opened by the likeliest key; the others were not tried, as the object does not open anyway")

// A Search looks for the keys that open an object's values, over several turns
// where that takes many trials: see [Opener]. It holds no value. It is good for
// one spec of one object and one ring; the order of its first turn stays.
//
// One value that opens with no key decides the search: the others are then
// tried with the likeliest key only.
type Search struct {
	// Trials is how many private-key operations may be made in vain in this
	// turn; more than the stanzas that one value may have.
	Trials int

	order    []*keys.Identity // to try; what opened a value moves to the front
	found    []*keys.Identity // keys of the first values, in the order of their names
	next     int              // in order: where the value after those goes on
	hopeless bool
	patient  bool // tries every key on every value
	stopped  error
}

// begin starts the first turn, or another.
func (s *Search) begin(ids []*keys.Identity) {
	if s.order == nil {
		s.order = slices.Clone(ids)
	}
	s.stopped = nil
}

// patiently is the search of whoever holds the keys and waits.
func patiently() *Search { return &Search{Trials: math.MaxInt, patient: true} }

// open opens the next value. The error is the value's; what ended the turn
// stands in stopped.
func (s *Search) open(o Opener, at Place, sealed string) ([]byte, *keys.Identity, error) {
	o.Identities, o.Try = s.order[s.next:], s.counted(o.Try)
	if s.hopeless {
		o.Identities = likeliest(s.order)
	}
	value, by, err := o.Open(at, sealed)
	if s.stopped != nil {
		return nil, nil, s.stopped
	}
	s.next = 0
	s.found = append(s.found, by)
	if by != nil {
		s.Trials++ // it was not in vain
		s.order = first(by, s.order)
	}
	if s.hopeless && errors.Is(err, ErrNoKey) && len(o.Identities) < len(s.order) {
		err = errHopeless
	}
	s.hopeless = s.hopeless || err != nil && !s.patient
	return value, by, err
}

// counted notes where the search is, and ends the turn when its trials are
// used up or try says so.
func (s *Search) counted(try func(*keys.Identity) error) func(*keys.Identity) error {
	return func(id *keys.Identity) error {
		switch {
		case s.Trials > 0:
			s.Trials--
			s.next = slices.Index(s.order, id)
			if try != nil {
				s.stopped = try(id)
			}
		case s.hopeless:
			return errHopeless // decided, but for what the others may be told
		default:
			s.next, s.stopped = slices.Index(s.order, id), ErrUndecided
		}
		return s.stopped
	}
}

// likeliest is the first key of each encoding.
func likeliest(ids []*keys.Identity) []*keys.Identity {
	var out []*keys.Identity
	for _, id := range ids {
		if !slices.ContainsFunc(out, func(o *keys.Identity) bool { return o.Kind().Age() == id.Kind().Age() }) {
			out = append(out, id)
		}
	}
	return out
}

// first puts id before the others: most objects were sealed with one key.
func first(id *keys.Identity, ids []*keys.Identity) []*keys.Identity {
	if ids[0] == id {
		return ids
	}
	return append([]*keys.Identity{id}, slices.DeleteFunc(slices.Clone(ids), func(other *keys.Identity) bool { return other == id })...)
}
