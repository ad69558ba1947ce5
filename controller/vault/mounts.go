package vault

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"fuin.dev/render/reference"
)

// mountFor is how long it is believed what is mounted where.
const mountFor = 10 * time.Minute

// mount is an engine and where it is.
type mount struct {
	path    string // ends in a slash
	kind    string
	version string // of a kv engine: 1 or 2
	asked   time.Time
}

// kv reports whether the engine only keeps what was put there.
func (m mount) kv() bool { return m.kind == "kv" || m.kind == "generic" }

func (m mount) kv2() bool { return m.kind == "kv" && m.version == "2" }

// mounts are what is known of a Vault's engines.
type mounts struct {
	mu    sync.Mutex
	by    map[string]mount
	turns [64]turn // of namespaces that ask, some of which share one
}

// maxMounts bounds what is kept.
const maxMounts = 4096

func newMounts() *mounts {
	m := &mounts{by: map[string]mount{}}
	for i := range m.turns {
		m.turns[i] = make(turn, 1)
	}
	return m
}

// find returns the mount that a path is in, if it was asked about since.
func (m *mounts) find(path string, since time.Time) (mount, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range path + "/" {
		if r != '/' {
			continue
		}
		if found, ok := m.by[path[:i]+"/"]; ok { // one mount is never in another
			return found, found.asked.After(since)
		}
	}
	return mount{}, false
}

func (m *mounts) keep(found mount) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.by) >= maxMounts {
		m.by = map[string]mount{}
	}
	m.by[found.path] = found
}

// forget drops what is known about the mount of a path.
func (m *mounts) forget(path string) {
	if found, ok := m.find(path, time.Time{}); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.by, found.path)
	}
}

func (m *mounts) turnOf(namespace string) turn {
	h := fnv.New32a()
	_, _ = h.Write([]byte(namespace))
	return m.turns[h.Sum32()%uint32(len(m.turns))]
}

// mountOf tells which engine a path is in, as it was at some time since, and asks
// Vault at most once for each namespace and mount.
func (c *connection) mountOf(ctx context.Context, namespace, path string, since time.Time) (mount, error) {
	if found, ok := c.mounts.find(path, since); ok {
		return found, nil
	}
	t := c.mounts.turnOf(namespace)
	if err := t.take(ctx); err != nil {
		return mount{}, err
	}
	defer t.give()
	if found, ok := c.mounts.find(path, since); ok {
		return found, nil
	}
	answer, err := c.granted(ctx, call{namespace: namespace, kind: "mount", path: "sys/internal/ui/mounts/" + path}, false)
	if err != nil {
		return mount{}, err
	}
	found, f := c.mountIn(answer.reply, path)
	if f != nil {
		return mount{}, f
	}
	c.mounts.keep(found)
	return found, nil
}

func (c *connection) mountIn(answer reply, path string) (mount, *Failure) {
	var said struct {
		Data struct {
			Path    string            `json:"path"`
			Type    string            `json:"type"`
			Options map[string]string `json:"options"`
		} `json:"data"`
	}
	if answer.status == http.StatusNotFound {
		return mount{}, c.fault(AbsentValue, "nothing is mounted there")
	}
	if json.Unmarshal(answer.body, &said) != nil || said.Data.Type == "" || !strings.HasSuffix(said.Data.Path, "/") || !strings.HasPrefix(path+"/", said.Data.Path) {
		return mount{}, c.fault(InvalidAnswer, "the answer about the mount is not as expected")
	}
	return mount{path: said.Data.Path, kind: said.Data.Type, version: said.Data.Options["version"], asked: answer.asked}, nil
}

// plan is what is asked for a reference.
type plan struct {
	mount mount
	call  call
	// kept tells that what is there stays, and may be shared; else each reading
	// makes something that ends.
	kept bool
}

// key names what is asked for.
func (p plan) key() string {
	key := p.call.path + "?"
	if v := p.call.query["version"]; len(v) > 0 {
		key += v[0]
	}
	return key + "\x00" + string(p.call.body)
}

// planOf makes a reference a request, now that its mount is known, and holds the
// path against the prefixes once more: before, it was not clear which segment may
// be that of KV version 2.
func (c *connection) planOf(namespace string, ref reference.Reference, m mount) (plan, *Failure) {
	rest := strings.TrimPrefix(ref.Path+"/", m.path)
	rest = strings.TrimSuffix(rest, "/")
	if after, ok := strings.CutPrefix(rest, "data/"); ok && m.kv2() {
		rest = after
	}
	p := plan{mount: m, kept: m.kv(), call: call{namespace: namespace, kind: "read", path: m.path + rest, slow: !m.kv()}}
	if admits(c.prefixes(m), namespace, []string{m.path + rest}) < 0 {
		return plan{}, refuse(ref, "no path prefix of the VaultConnection admits it")
	}
	if why := misfit(ref, m, rest); why != "" {
		f := refuse(ref, why)
		f.Again = true // something else may be mounted there
		return plan{}, f
	}
	switch {
	case m.kv2():
		p.call.path = m.path + "data/" + rest
		if ref.Version > 0 {
			p.call.query = map[string][]string{"version": {strconv.Itoa(ref.Version)}}
		}
	case m.kind == "pki" && ref.Issues():
		body, err := json.Marshal(ref.Parameters)
		if err != nil || ref.Parameters == nil {
			body = []byte("{}")
		}
		p.call.body = body
	}
	return p, nil
}

// notSecrets are the kinds of what Vault has for itself, in its namespaces with ns_
// before it.
var notSecrets = []string{"system", "identity", "cubbyhole", "token"}

// misfit is why a reference and the engine that its path leads to do not go
// together.
func misfit(ref reference.Reference, m mount, rest string) string {
	switch {
	case rest == "":
		return "it names a mount, and nothing in it"
	case m.kind == "transit":
		return "a transit engine has nothing to read"
	case slices.Contains(notSecrets, strings.TrimPrefix(m.kind, "ns_")):
		return "no engine of secrets is there"
	case ref.Engine == reference.KV1 && (!m.kv() || m.kv2()), ref.Engine == reference.KV2 && !m.kv2():
		return "the engine there is not " + ref.Engine
	case ref.Version > 0 && !m.kv2():
		return "only KV version 2 has versions"
	case len(ref.Parameters) > 0 && m.kind != "pki":
		return "only a PKI engine takes parameters"
	}
	return ""
}

// prefixes are those of the spec, of which one may hold the data/ of KV version 2,
// too. It counts where the admin wrote it, not where a namespace is called data.
func (c *connection) prefixes(m mount) []string {
	if !m.kv2() {
		return c.spec.PathPrefixes
	}
	all := make([]string, len(c.spec.PathPrefixes))
	for i, prefix := range c.spec.PathPrefixes {
		all[i] = prefix
		if rest, ok := strings.CutPrefix(prefix, m.path+"data/"); ok {
			all[i] = m.path + rest
		}
	}
	return all
}
