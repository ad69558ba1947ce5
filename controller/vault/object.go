package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"fuin.dev/render/reference"
)

// object is what Vault has at a path.
type object struct {
	from   privately
	mount  mount
	data   json.RawMessage // nil where there is nothing
	gone   string          // why there is nothing
	leased bool
	ends   time.Time // of what is leased
}

func (o object) there() bool { return o.data != nil }

// endless is when something leased is read again that tells no end.
const endless = time.Hour

// body is an answer about a path.
type body struct {
	LeaseID       string          `json:"lease_id"`
	LeaseDuration int64           `json:"lease_duration"`
	Data          json.RawMessage `json:"data"`
}

// objectIn reads an answer.
func (c *connection) objectIn(answer granted, what plan) (object, *Failure) {
	var said body
	if json.Unmarshal(answer.body, &said) != nil {
		return object{}, c.fault(InvalidAnswer, "the answer is not as expected")
	}
	o := object{mount: what.mount, gone: "there is nothing"}
	switch {
	case answer.status == http.StatusNotFound: // and no other answer is that there is nothing
		if what.mount.kv2() {
			o.gone = goneFrom(said.Data)
		}
		return o, nil
	case what.mount.kv2():
		o.data = versioned(said.Data).Data
	default:
		o.data = said.Data
	}
	if !isObject(o.data) {
		return object{}, c.fault(InvalidAnswer, "the answer holds no data")
	}
	if !what.kept {
		o.lease(said, answer)
	}
	return o, nil
}

// version is what KV version 2 puts around its data. One that was deleted leaves
// the rest.
type version struct {
	Data     json.RawMessage `json:"data"`
	Metadata struct {
		Deleted   string `json:"deletion_time"`
		Destroyed bool   `json:"destroyed"`
	} `json:"metadata"`
}

// versioned reads one; what is none is empty.
func versioned(data json.RawMessage) (v version) {
	if json.Unmarshal(data, &v) != nil {
		return version{}
	}
	return v
}

// goneFrom tells why a version is not there.
func goneFrom(data json.RawMessage) string {
	switch v := versioned(data); {
	case v.Metadata.Destroyed:
		return "the version is destroyed"
	case v.Metadata.Deleted != "":
		return "the version is deleted"
	}
	return "there is nothing"
}

func isObject(data json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
}

// lease notes when what was read ends: with its lease, which ends with the session
// at the latest, or with the certificate.
func (o *object) lease(said body, answer granted) {
	if said.LeaseDuration > 0 {
		o.leased, o.ends = true, answer.asked.Add(time.Duration(min(said.LeaseDuration, 100*365*24*3600))*time.Second)
	}
	if said.LeaseID != "" {
		o.leased, o.ends = true, earlier(o.ends, answer.by.ends)
	}
	var certificate struct {
		Expiration json.Number `json:"expiration"`
	}
	if json.Unmarshal(o.data, &certificate) == nil {
		if at, err := certificate.Expiration.Int64(); err == nil && at > 0 {
			o.leased, o.ends = true, earlier(o.ends, time.Unix(at, 0))
		}
	}
	if o.leased && o.ends.IsZero() {
		o.ends = answer.asked.Add(endless)
	}
}

// value is what a reference names in an object.
func (o object) value(inside tree, ref reference.Reference) (Value, *Failure) {
	value, why := []byte(nil), o.gone
	if o.there() {
		found, err := inside.at(ref.Keys())
		if err != "" {
			return Value{}, &Failure{Reason: InvalidValue, Message: err, Again: true}
		}
		value, why = found, "it has no "+ref.Pointer
	}
	switch {
	case value == nil && ref.Optional:
		return Value{Absent: true}, nil
	case value == nil:
		return Value{}, &Failure{Reason: AbsentValue, Message: why, Again: true, Absent: true}
	case ref.Decode:
		decoded, err := base64.StdEncoding.DecodeString(string(value))
		if err != nil {
			return Value{}, &Failure{Reason: InvalidValue, Message: "the value is not base64", Again: true}
		}
		value = decoded
	}
	return Value{Bytes: value, Leased: o.leased}, nil
}

// tree is an object as its pointers lead through it, numbers as Vault has them.
type tree struct {
	of    privately
	root  any
	wrong string
}

func (o object) decoded() tree {
	t := tree{of: o.from}
	if !o.there() {
		return t
	}
	decoder := json.NewDecoder(bytes.NewReader(o.data))
	decoder.UseNumber()
	if decoder.Decode(&t.root) != nil {
		t.wrong = "the value is not JSON"
	}
	return t
}

// at walks to a value and writes it: text as it is, anything else as JSON. nil is
// that nothing is there.
func (t tree) at(keys []string) (value []byte, wrong string) {
	if t.wrong != "" {
		return nil, t.wrong
	}
	node := t.root
	for _, key := range keys {
		if node = child(node, key); node == nil {
			return nil, ""
		}
	}
	if text, ok := node.(string); ok {
		return []byte(text), ""
	}
	return written(node)
}

// child is what a JSON pointer's segment leads to; nil if nothing.
func child(node any, key string) any {
	switch node := node.(type) {
	case map[string]any:
		return node[key]
	case []any:
		i, err := strconv.Atoi(key)
		if err == nil && strconv.Itoa(i) == key && i >= 0 && i < len(node) {
			return node[i]
		}
	}
	return nil
}

// written is a value as JSON on one line, keys in order.
func written(node any) ([]byte, string) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(node); err != nil {
		return nil, "the value cannot be written as JSON"
	}
	return []byte(strings.TrimSuffix(text.String(), "\n")), ""
}

// private is what one call reads for one Secret, each thing once, whether or not
// it may be shared with others.
type private struct {
	mu   sync.Mutex
	by   map[privately]func() (object, error)
	size int
}

// privately names what is read: of which connection, and what.
type privately struct{ via, what string }

func (p *private) get(ctx context.Context, key privately, read func(context.Context) (object, error)) (object, error) {
	p.mu.Lock()
	once := p.by[key]
	if once == nil {
		once = sync.OnceValues(func() (object, error) { return p.count(ctx, key, read) })
		p.by[key] = once
	}
	p.mu.Unlock()
	return once()
}

// count reads, unless that is more than one Secret may have.
func (p *private) count(ctx context.Context, key privately, read func(context.Context) (object, error)) (object, error) {
	if p.add(0) > maxObjects {
		return object{}, tooMuch(maxObjects)
	}
	o, err := read(ctx)
	if o.from = key; p.add(len(o.data)) > maxObjects {
		return object{}, tooMuch(maxObjects)
	}
	return o, err
}

func (p *private) add(bytes int) (size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size += bytes
	return p.size
}
