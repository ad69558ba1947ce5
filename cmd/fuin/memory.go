package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"fuin.dev/seal"
)

// A memory remembers, for this user alone, what was sealed: no value and no
// ciphertext, but keyed MACs of them, in a table of a fixed size. It lies in the
// user's state directory and never in a repository. Without its key nothing in
// it can be guessed at. What it does not know, or what is damaged, only means
// sealing again.
//
// docs/design/0013-quiet-sealing.md tells the records.
type memory struct {
	key   []byte
	table *os.File

	mu      sync.Mutex      // of the table, within this program
	former  func() []string // sealed values that are at hand, read when they are first asked for
	byTag   map[tag]string  // those
	offered bool            // they were read
}

// A tag is a MAC, cut short.
type tag [16]byte

// A record is an entry of the table: what it is found by, and what it tells.
type record struct{ id, tells, check tag }

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
	m := &memory{}
	var err error
	if m.key, err = memoryKeyIn(dir); err != nil {
		return nil, err
	}
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
	h := hmac.New(sha256.New, m.key)
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
	m.put(m.place(at, to, value), m.sealed(sealed))
	m.put(m.sealed(sealed), m.mac("value", string(value)))
}

// Recall finds, among the sealed values at hand, the one that the very same
// was sealed to.
func (m *memory) Recall(at seal.Place, to []string, value []byte) (string, bool) {
	wanted, ok := m.get(m.place(at, to, value))
	if !ok {
		return "", false
	}
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

// bucket is where in the table the records of an id are.
func bucket(id tag) int64 {
	return int64(binary.BigEndian.Uint16(id[:])%buckets) * int64(bucketSize)
}

// read returns the records of a bucket. Which are whole is checked of the one
// that is wanted: of all it would take longer than sealing.
func (m *memory) read(id tag) []record {
	raw := make([]byte, bucketSize)
	n, _ := m.table.ReadAt(raw, bucket(id)) // behind the end there are none
	var out []record
	for raw = raw[:n]; len(raw) >= recordSize; raw = raw[recordSize:] {
		r := record{tag(raw[:16]), tag(raw[16:32]), tag(raw[32:48])}
		if r != (record{}) {
			out = append(out, r)
		}
	}
	return out
}

// checkOf keeps a record that was half written from being read as another.
func (m *memory) checkOf(r record) tag { return m.mac("record", string(r.id[:]), string(r.tells[:])) }

func (m *memory) get(id tag) (tag, bool) {
	for _, r := range m.read(id) {
		if r.id == id && r.check == m.checkOf(r) {
			return r.tells, true
		}
	}
	return tag{}, false
}

// put puts a record first in its bucket; the oldest one may fall out. Runs that
// write at the same time can lose each other's, which only means sealing again.
func (m *memory) put(id, tells tag) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := record{id: id, tells: tells}
	r.check = m.checkOf(r)
	records := slices.DeleteFunc(m.read(id), func(o record) bool { return o.id == id })
	records = append([]record{r}, records...)
	raw := make([]byte, 0, bucketSize)
	for _, r := range records[:min(len(records), bucketRecords)] {
		raw = append(append(append(raw, r.id[:]...), r.tells[:]...), r.check[:]...)
	}
	_, _ = m.table.WriteAt(raw[:len(raw):len(raw)], bucket(id)) // what is not written is sealed again
}
