package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"fuin.dev/seal"
)

// A memory remembers, for this user alone, what was sealed: no value and, but
// for [keptFiles], no ciphertext: keyed MACs of them, in a table of a fixed
// size. It lies in the
// user's state directory and never in a repository. Without its key nothing in
// it can be guessed at. What it does not know, or what is damaged, only means
// sealing again.
//
// docs/design/0013-quiet-sealing.md tells the records.
type memory struct {
	macs  sync.Pool // of HMACs under the key
	table *os.File
	kept  *keptFiles // nil but for runs that write no file

	mu      sync.Mutex
	pages   map[int]page     // of the table, as they were first read
	added   map[int][]record // to buckets, the newest first; written at the end
	former  func() []string  // sealed values that are at hand, read when they are first asked for
	byTag   map[tag]string   // those
	offered bool             // they were read
}

// A tag is a MAC, cut short.
type tag [16]byte

// A record is an entry of the table: what it is found by, and what it tells.
type record struct{ id, tells, check tag }

// A page is some buckets, which are read and written at once.
type page []byte

// The shape of the table.
const (
	memoryDir     = "fuin"
	memoryKey     = "key"
	memoryTable   = "sealed"
	memoryKeySize = 32
	buckets       = 4096
	bucketRecords = 16
	recordSize    = 3 * len(tag{})
	bucketSize    = bucketRecords * recordSize
	pageBuckets   = 16
	pageSize      = pageBuckets * bucketSize
)

// memory is that of the user; nil where there is no place to keep one.
func (u *ui) memory() *memory {
	u.remembered.Do(func() {
		if dir := u.stateDir(); dir != "" {
			u.remembers, _ = openMemory(filepath.Join(dir, memoryDir)) // none is no error: values are sealed again
		}
	})
	return u.remembers
}

// stateDir is where programs keep what they can do without.
func (u *ui) stateDir() string {
	if dir := u.getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	if home := u.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state")
	}
	return ""
}

func openMemory(dir string) (*memory, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := memoryKeyIn(dir)
	if err != nil {
		return nil, err
	}
	m := &memory{pages: map[int]page{}, added: map[int][]record{}}
	m.macs.New = func() any { return hmac.New(sha256.New, key) }
	m.table, err = os.OpenFile(filepath.Join(dir, memoryTable), os.O_CREATE|os.O_RDWR, modePrivate)
	return m, err
}

// memoryKeyIn reads the key, or makes it once. One that others could read is
// not used.
func memoryKeyIn(dir string) ([]byte, error) {
	path := filepath.Join(dir, memoryKey)
	key := make([]byte, memoryKeySize)
	_, _ = rand.Read(key) // it does not fail
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		_ = createPrivate(path, key) // another run may be making it
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 || info.Size() != memoryKeySize {
		return nil, errors.New("no private key file")
	}
	return os.ReadFile(path)
}

// mac is a tag of parts, none of which can pass for a piece of another.
func (m *memory) mac(purpose string, parts ...string) (out tag) {
	h := m.macs.Get().(hash.Hash) //nolint:errcheck,forcetypeassert // the pool holds no others
	defer m.macs.Put(h)
	h.Reset()
	var size [8]byte
	for _, part := range append([]string{purpose}, parts...) {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	copy(out[:], h.Sum(nil))
	return out
}

func (m *memory) place(at seal.Place, to []string, value []byte) tag {
	parts := []string{string(at.Scope), at.Namespace, at.Name, at.Key, string(value)}
	return m.mac("place", append(parts, slices.Sorted(slices.Values(to))...)...)
}

func (m *memory) sealed(sealed string) tag { return m.mac("sealed", sealed) }

// Keep notes two things: what was sealed for the place, and what is in it.
func (m *memory) Keep(at seal.Place, to []string, value []byte, sealed string) {
	is := m.sealed(sealed)
	m.put(m.place(at, to, value), is)
	m.put(is, m.mac("value", string(value)))
	if m.kept != nil {
		m.kept.put(is, sealed)
	}
}

// Recall finds, among the sealed values at hand, the one that the very same
// was sealed to.
func (m *memory) Recall(at seal.Place, to []string, value []byte) (string, bool) {
	wanted, ok := m.get(m.place(at, to, value))
	if !ok {
		return "", false
	}
	if sealed, ok := m.atHand(wanted); ok {
		return sealed, true
	}
	if m.kept != nil {
		sealed, ok := m.kept.get(wanted)
		return sealed, ok && m.sealed(sealed) == wanted
	}
	return "", false
}

// atHand finds a sealed value among those that files hold.
func (m *memory) atHand(wanted tag) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.offered && m.former != nil {
		m.byTag = map[tag]string{}
		for _, sealed := range m.former() {
			m.byTag[m.sealed(sealed)] = sealed
		}
		m.offered = true
	}
	sealed, ok := m.byTag[wanted]
	return sealed, ok
}

// same tells whether two sealed values hold the same, if both are known.
func (m *memory) same(a, b string) (same, known bool) {
	one, ok := m.get(m.sealed(a))
	other, too := m.get(m.sealed(b))
	return one == other, ok && too
}

// bucket is the one in which the records of an id are.
func bucket(id tag) int { return int(binary.BigEndian.Uint16(id[:]) % buckets) }

// checkOf keeps a record that was half written from being read as another.
func (m *memory) checkOf(r record) tag { return m.mac("record", string(r.id[:]), string(r.tells[:])) }

// get finds what the record of an id tells. Whether it is whole is checked of
// that one alone: of all it would take longer than sealing.
func (m *memory) get(id tag) (tag, bool) {
	m.mu.Lock()
	records := slices.Concat(m.added[bucket(id)], m.page(bucket(id)/pageBuckets).records(bucket(id)))
	m.mu.Unlock()
	for _, r := range records {
		if r.id == id && r.check == m.checkOf(r) {
			return r.tells, true
		}
	}
	return tag{}, false
}

// put adds a record, which [memory.write] writes.
func (m *memory) put(id, tells tag) {
	r := record{id: id, tells: tells}
	r.check = m.checkOf(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.added[bucket(id)] = before(m.added[bucket(id)], r)
}

// before puts records first in those of a bucket; the oldest may fall out.
func before(old []record, added ...record) []record {
	out := slices.Clone(added)
	for _, r := range old {
		if !slices.ContainsFunc(out, func(o record) bool { return o.id == r.id }) {
			out = append(out, r)
		}
	}
	return out[:min(len(out), bucketRecords)]
}

// page is one as it was when it was first asked for.
func (m *memory) page(n int) page {
	if m.pages[n] == nil {
		m.pages[n] = m.read(n)
	}
	return m.pages[n]
}

// read reads a page; behind the end of the table there are zeros, which are no
// records.
func (m *memory) read(n int) page {
	p := make(page, pageSize)
	_, _ = m.table.ReadAt(p, int64(n*pageSize))
	return p
}

func (p page) bucket(n int) []byte { return p[n%pageBuckets*bucketSize:][:bucketSize] }

func (p page) records(n int) []record {
	var out []record
	for raw := p.bucket(n); len(raw) > 0; raw = raw[recordSize:] {
		r := record{tag(raw[:16]), tag(raw[16:32]), tag(raw[32:48])}
		if r != (record{}) {
			out = append(out, r)
		}
	}
	return out
}

func (p page) put(n int, records []record) {
	raw := p.bucket(n)[:0]
	for _, r := range records {
		raw = append(append(append(raw, r.id[:]...), r.tells[:]...), r.check[:]...)
	}
}

// write adds to the table what was put. Other runs may have written meanwhile:
// pages are read once more. Runs that write in the same moment can lose each
// other's records, which only means sealing again.
func (m *memory) write() {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := map[int]page{}
	for n, records := range m.added {
		if changed[n/pageBuckets] == nil {
			changed[n/pageBuckets] = m.read(n / pageBuckets)
		}
		p := changed[n/pageBuckets]
		p.put(n, before(p.records(n), records...))
	}
	for n, p := range changed {
		_, _ = m.table.WriteAt(p, int64(n*pageSize)) // what is not written is sealed again
	}
}
