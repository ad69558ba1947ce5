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
	macs  sync.Pool // of *keyed
	table *os.File
	kept  *keptFiles // nil but for runs that write no file

	mu      sync.Mutex
	pages   map[int]stretch  // of the table, as they were first read
	whole   stretch          // all of it, for runs that need much
	added   map[int][]record // to buckets, the newest last; written at the end
	former  func() []string  // sealed values that are at hand, read when they are first asked for
	byTag   map[tag]string   // those
	offered bool             // they were read
}

// A tag is a MAC, cut short.
type tag [16]byte

const (
	memoryDir     = "fuin"
	memoryKey     = "key"
	memoryTable   = "sealed"
	memoryKeySize = 32
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
	m := &memory{pages: map[int]stretch{}, added: map[int][]record{}}
	m.macs.New = func() any { return &keyed{Hash: hmac.New(sha256.New, key)} }
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

// keyed is an HMAC and the memory that what it covers is put together in.
type keyed struct {
	hash.Hash
	text []byte
}

// mac is a tag of parts, none of which can pass for a piece of another.
func (m *memory) mac(purpose string, parts ...string) (out tag) {
	h := m.macs.Get().(*keyed) //nolint:errcheck,forcetypeassert // the pool holds no others
	defer m.macs.Put(h)
	h.text = h.text[:0]
	for _, part := range append([]string{purpose}, parts...) {
		h.text = binary.BigEndian.AppendUint64(h.text, uint64(len(part)))
		h.text = append(h.text, part...)
	}
	h.Reset()
	h.Write(h.text)
	clear(h.text) // values are among the parts
	copy(out[:], h.Sum(h.text[:0]))
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
