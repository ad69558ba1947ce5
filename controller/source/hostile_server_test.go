package source_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fuin.dev/controller/source"
)

// hostile is a server that says what it likes.
type hostile struct {
	refs string // what it lists, as pkt-lines
	pack func(w io.Writer)
}

func line(format string, args ...any) string {
	s := fmt.Sprintf(format, args...)
	return fmt.Sprintf("%04x%s", len(s)+4, s)
}

// branch lists one branch, main.
func branch(hash string) string {
	return line("%s HEAD\x00shallow ofs-delta symref=HEAD:refs/heads/main\n", hash) + line("%s refs/heads/main\n", hash) + "0000"
}

func (h hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		_, _ = io.WriteString(w, line("# service=git-upload-pack\n")+"0000"+h.refs)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(w, "0000"+line("NAK\n"))
	h.pack(w)
}

// fetchHostile fetches from a server of its own.
func fetchHostile(t testing.TB, store *source.Store, h hostile) (*source.Checkout, error) {
	server := httptest.NewServer(h)
	defer server.Close()
	defer server.CloseClientConnections()
	return store.Fetch(t.Context(), source.Git{URL: server.URL + "/app.git"})
}

// The types of entries of a pack.
const (
	commitEntry = 1
	treeEntry   = 2
	blobEntry   = 3
	ofsEntry    = 6
	refEntry    = 7
)

// packer writes packs, well-formed or not.
type packer struct {
	bytes.Buffer
	count uint32
}

func newPacker() *packer {
	p := &packer{}
	p.WriteString("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
	return p
}

// entry adds an entry that claims a size; base stands before its content. It
// returns where the entry begins.
func (p *packer) entry(kind byte, size uint64, base, content []byte) int {
	begin := p.Len()
	p.count++
	b := kind<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		p.WriteByte(b | 0x80)
		b = byte(size & 0x7f)
	}
	p.WriteByte(b)
	p.Write(base)
	z := zlib.NewWriter(&p.Buffer)
	_, _ = z.Write(content)
	_ = z.Close()
	return begin
}

// object adds a whole object and returns its hash.
func (p *packer) object(kind byte, content []byte) string {
	p.entry(kind, uint64(len(content)), nil, content)
	return hash(kind, content)
}

func hash(kind byte, content []byte) string {
	name := map[byte]string{commitEntry: "commit", treeEntry: "tree", blobEntry: "blob"}[kind]
	sum := sha1.Sum(append(fmt.Appendf(nil, "%s %d\x00", name, len(content)), content...))
	return hex.EncodeToString(sum[:])
}

// finish sets the count and adds the sum.
func (p *packer) finish() []byte {
	out := p.Bytes()
	binary.BigEndian.PutUint32(out[8:], p.count)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}

// treeOf is a tree of entries MODE NAME HASH.
func treeOf(entries ...[3]string) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		raw, _ := hex.DecodeString(e[2])
		b.WriteString(e[0] + " " + e[1] + "\x00")
		b.Write(raw)
	}
	return b.Bytes()
}

func commitOf(tree string) []byte {
	return fmt.Appendf(nil, "tree %s\nauthor E <e@example.com> 1 +0000\ncommitter E <e@example.com> 1 +0000\n\nevil\n", tree)
}

// deltaOf is a delta whose instructions come as they are.
func deltaOf(from, to uint64, instructions ...byte) []byte {
	return append(binary.AppendUvarint(binary.AppendUvarint(nil, from), to), instructions...)
}

// distance encodes how far back a base lies.
func distance(n int) []byte {
	out := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		out = append([]byte{byte(n&0x7f) | 0x80}, out...)
	}
	return out
}

// served is a whole repository in a pack with one file, f.
func served(p *packer, blob string) hostile {
	tree := p.object(treeEntry, treeOf([3]string{"100644", "f", blob}))
	commit := p.object(commitEntry, commitOf(tree))
	pack := p.finish()
	return hostile{branch(commit), func(w io.Writer) { _, _ = w.Write(pack) }}
}

func repeat(n int) []byte { return []byte(strings.Repeat("x", n)) }
