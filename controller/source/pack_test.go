package source_test

import (
	"encoding/hex"
	"io"
	"io/fs"
	"math/rand"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/source"
)

func TestPacks(t *testing.T) {
	const size = 4 << 20 // of a repository; 1 MiB of an object, 16 MiB unpacked
	missing := strings.Repeat("ab", 20)
	raw, _ := hex.DecodeString(missing)
	fill := func(build func(p *packer) (blob string)) hostile {
		p := newPacker()
		return served(p, build(p))
	}
	changed := func(h hostile, change func(pack []byte) []byte) hostile {
		var pack strings.Builder
		h.pack(&pack)
		data := change([]byte(pack.String()))
		h.pack = func(w io.Writer) { _, _ = w.Write(data) }
		return h
	}
	plain := func(p *packer) string { return p.object(blobEntry, []byte("hello")) }
	for name, row := range map[string]struct {
		h      hostile
		want   string // of f
		reason source.Reason
	}{
		"whole": {fill(plain), "hello", ""},
		"delta by offset": {fill(func(p *packer) string {
			base := p.entry(blobEntry, 5, nil, []byte("hello"))
			d := deltaOf(5, 6, 0x80|0x10, 4, 2, 'p', '!')
			p.entry(ofsEntry, uint64(len(d)), distance(p.Len()-base), d)
			return hash(blobEntry, []byte("hellp!"))
		}), "hellp!", ""},
		"delta by hash, before its base": {fill(func(p *packer) string {
			sum, _ := hex.DecodeString(hash(blobEntry, []byte("hello")))
			d := deltaOf(5, 4, 0x80|0x10, 4)
			p.entry(refEntry, uint64(len(d)), sum, d)
			p.object(blobEntry, []byte("hello"))
			return hash(blobEntry, []byte("hell"))
		}), "hell", ""},
		"no blob":      {fill(func(*packer) string { return missing }), "", source.Malformed},
		"wrong sum":    {changed(fill(plain), func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), "", source.Malformed},
		"cut off":      {changed(fill(plain), func(b []byte) []byte { return b[:len(b)/2] }), "", source.Unreachable},
		"nothing":      {changed(fill(plain), func([]byte) []byte { return nil }), "", source.Malformed},
		"no pack":      {changed(fill(plain), func([]byte) []byte { return repeat(100) }), "", source.Malformed},
		"version 3":    {changed(fill(plain), func(b []byte) []byte { b[7] = 3; return b }), "", source.Malformed},
		"many objects": {changed(fill(plain), func(b []byte) []byte { b[8] = 0xff; return b }), "", source.TooLarge},
		"no such type": {fill(func(p *packer) string { p.entry(5, 1, nil, repeat(1)); return missing }), "", source.Malformed},
		"not zlib": {fill(func(p *packer) string {
			p.count++
			p.WriteString("\x31what is this, which goes on and on")
			return missing
		}), "", source.Malformed},
		"longer than it says":  {fill(func(p *packer) string { p.entry(blobEntry, 5, nil, repeat(10)); return missing }), "", source.Malformed},
		"shorter than it says": {fill(func(p *packer) string { p.entry(blobEntry, 500, nil, repeat(10)); return missing }), "", source.Malformed},
		"bomb":                 {fill(func(p *packer) string { p.entry(blobEntry, 5, nil, repeat(64<<20)); return missing }), "", source.Malformed},
		"large object":         {fill(func(p *packer) string { return p.object(blobEntry, repeat(1<<20+1)) }), "", source.TooLarge},
		"claims exabytes":      {fill(func(p *packer) string { p.entry(blobEntry, 1<<52, nil, nil); return missing }), "", source.TooLarge},
		"claims more than 64 bits": {fill(func(p *packer) string {
			p.count++
			p.WriteString("\xb1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
			return missing
		}), "", source.Malformed},
		"many large objects": {fill(func(p *packer) string {
			for i := range 20 {
				p.object(blobEntry, append(repeat(1<<20-1), byte(i)))
			}
			return missing
		}), "", source.TooLarge},
		"delta to exabytes": {fill(func(p *packer) string {
			base := p.entry(blobEntry, 5, nil, []byte("hello"))
			d := deltaOf(5, 1<<47, 0x80|0x10, 4)
			p.entry(ofsEntry, uint64(len(d)), distance(p.Len()-base), d)
			return missing
		}), "", source.TooLarge},
		"deltas that double": {fill(func(p *packer) string {
			base, size := p.entry(blobEntry, 1<<16, nil, repeat(1<<16)), uint64(1<<16)
			for range 40 {
				d := deltaOf(size, 2*size, 0x80|0x40, 1, 0x80|0x40, 1)
				here := p.Len()
				p.entry(ofsEntry, uint64(len(d)), distance(here-base), d)
				base, size = here, 2*size
			}
			return missing
		}), "", source.TooLarge},
		"delta outside of its base": {fill(func(p *packer) string {
			base := p.entry(blobEntry, 5, nil, []byte("hello"))
			d := deltaOf(5, 100, 0x80|0x10, 100)
			p.entry(ofsEntry, uint64(len(d)), distance(p.Len()-base), d)
			return missing
		}), "", source.Malformed},
		"delta to a wrong size": {fill(func(p *packer) string {
			base := p.entry(blobEntry, 5, nil, []byte("hello"))
			d := deltaOf(5, 9, 0x80|0x10, 4)
			p.entry(ofsEntry, uint64(len(d)), distance(p.Len()-base), d)
			return missing
		}), "", source.Malformed},
		"delta without a base":      {fill(func(p *packer) string { p.entry(refEntry, 3, raw, deltaOf(5, 4, 1)); return missing }), "", source.Malformed},
		"delta before the pack":     {fill(func(p *packer) string { p.entry(ofsEntry, 3, distance(1<<20), deltaOf(5, 4, 1)); return missing }), "", source.Malformed},
		"delta into another object": {fill(func(p *packer) string { plain(p); p.entry(ofsEntry, 3, distance(3), deltaOf(5, 4, 1)); return missing }), "", source.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := fetchHostile(t, newStore(t, source.Config{MaxSize: size}), row.h)
			switch {
			case row.reason == "" && err != nil:
				t.Error(err)
			case row.reason == "":
				defer c.Release()
				if got, err := fs.ReadFile(c.Files, "f"); err != nil || string(got) != row.want {
					t.Errorf("got %q, %v", got, err)
				}
			case err == nil:
				c.Release()
				t.Error("it was taken")
			case source.ReasonOf(err) != row.reason:
				t.Errorf("got %s (%v), want %s", source.ReasonOf(err), err, row.reason)
			}
		})
	}
}

// A pack without end is given up at the limit, and one that comes too slowly
// at the time limit.
func TestEndlessPacks(t *testing.T) {
	p := newPacker()
	noise := make([]byte, 1<<19)
	r := rand.New(rand.NewSource(1))
	endless := func(w io.Writer) {
		_, _ = w.Write([]byte("PACK\x00\x00\x00\x02\x00\x01\x00\x00"))
		for {
			r.Read(noise)
			p.Reset()
			p.entry(blobEntry, uint64(len(noise)), nil, noise)
			if _, err := w.Write(p.Bytes()); err != nil {
				return
			}
		}
	}
	_, err := fetchHostile(t, newStore(t, source.Config{MaxSize: 4 << 20}), hostile{branch(strings.Repeat("ab", 20)), endless})
	if source.ReasonOf(err) != source.TooLarge {
		t.Errorf("got %v", err)
	}
	stop := make(chan struct{})
	slow := hostile{branch(strings.Repeat("ab", 20)), func(w io.Writer) {
		_, _ = w.Write([]byte("PACK\x00\x00\x00\x02\x00\x01\x00\x00"))
		w.(interface{ Flush() }).Flush()
		<-stop
	}}
	time.AfterFunc(2*time.Second, func() { close(stop) })
	_, err = fetchHostile(t, newStore(t, source.Config{Timeout: 300 * time.Millisecond}), slow)
	if source.ReasonOf(err) != source.Timeout {
		t.Errorf("got %v", err)
	}
}

// Whatever a server sends as a pack: an error or a commit that can be read.
func FuzzPack(f *testing.F) {
	p := newPacker()
	base := p.entry(blobEntry, 5, nil, []byte("hello"))
	d := deltaOf(5, 6, 0x80|0x10, 4, 2, 'p', '!')
	p.entry(ofsEntry, uint64(len(d)), distance(p.Len()-base), d)
	tree := treeOf([3]string{"100644", "f", hash(blobEntry, []byte("hellp!"))})
	p.object(treeEntry, tree)
	commit := commitOf(hash(treeEntry, tree))
	p.object(commitEntry, commit)
	f.Add(p.finish())
	f.Fuzz(func(t *testing.T, pack []byte) {
		store := newStore(t, source.Config{MaxSize: 1 << 20})
		c, err := fetchHostile(t, store, hostile{branch(hash(commitEntry, commit)), func(w io.Writer) { _, _ = w.Write(pack) }})
		if err != nil {
			return
		}
		defer c.Release()
		if got, err := fs.ReadFile(c.Files, "f"); err != nil || string(got) != "hellp!" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
