package source

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1" //nolint:gosec // what a pack ends with; objects are named with collision detection
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
)

// limits are what a repository may cost. All are in bytes but objects.
type limits struct {
	pack     int64 // as it arrives
	object   int64 // one of them, as it is
	unpacked int64 // all of them
	objects  uint32
}

// The factors between the size that is configured and what follows from it.
const (
	objectShare    = 4       // an object may be a quarter of the repository: it is held in memory
	unpackedFactor = 4       // text packs to about a quarter
	maxObjects     = 200_000 // of one pack: each costs 150 bytes while it is unpacked, and half after that
)

func newLimits(size int64) limits {
	return limits{pack: size, object: size / objectShare, unpacked: size * unpackedFactor, objects: maxObjects}
}

// errPack is what a pack is that breaks the format.
var errPack = errors.New("the pack is malformed")

// delta is an object of a pack that is described by its difference to another.
type delta struct {
	offset int64         // of the entry in the pack
	base   int64         // the offset of what it differs from, if it is in this form
	ref    plumbing.Hash // or its hash
	at     place         // of the instructions, in the scratch file
	size   int64         // of the result
}

// unpacker reads a pack and puts its objects into a database. What it was
// given it trusts in nothing: sizes are bounded before memory is taken, every
// object is made once, and the bases in memory at a time are few.
type unpacker struct {
	ctx     context.Context
	limits  limits
	batch   *batch
	scratch *os.File // instructions of deltas
	in      *meter
	inflate io.ReadCloser

	used    int64           // of limits.unpacked
	written int64           // to scratch
	whole   map[int64]entry // by offset in the pack
	deltas  []delta
}

type entry struct {
	hash plumbing.Hash
	place
}

// unpack reads a pack to its end. The database is unchanged if that fails. It
// takes memory for a few objects, up to the size of a repository at the worst.
func (d *database) unpack(ctx context.Context, pack io.Reader, l limits) error {
	scratch, err := os.CreateTemp(filepath.Dir(d.file.Name()), "deltas-*")
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(scratch.Close(), os.Remove(scratch.Name())) }()
	b, err := d.begin()
	if err != nil {
		return err
	}
	u := &unpacker{ctx: ctx, limits: l, batch: b, scratch: scratch, in: newMeter(pack), whole: map[int64]entry{}}
	if err := u.run(); err != nil {
		return errors.Join(err, d.file.Truncate(d.bytes()))
	}
	return b.commit()
}

func (u *unpacker) run() error {
	if err := u.scan(); err != nil {
		return err
	}
	return u.resolve()
}

// scan reads all entries: whole objects go into the database, deltas aside.
func (u *unpacker) scan() error {
	var header [12]byte
	if _, err := io.ReadFull(u.in, header[:]); err != nil {
		return err
	}
	if string(header[:4]) != "PACK" || binary.BigEndian.Uint32(header[4:]) != 2 {
		return errPack
	}
	count := binary.BigEndian.Uint32(header[8:])
	if count > u.limits.objects {
		return fail(TooLarge, "", "the repository has more than %d objects", u.limits.objects)
	}
	for range count {
		if err := u.entry(); err != nil {
			return err
		}
	}
	sum := u.in.sum()
	var trailer [sha1.Size]byte
	if _, err := io.ReadFull(u.in, trailer[:]); err != nil {
		return err
	}
	if !bytes.Equal(sum, trailer[:]) {
		return errPack
	}
	return nil
}

func (u *unpacker) entry() error {
	if err := u.ctx.Err(); err != nil {
		return err
	}
	offset := u.in.read
	kind, size, err := u.entryHeader()
	if err != nil {
		return err
	}
	if err := u.charge(size); err != nil {
		return err
	}
	switch kind {
	case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject:
		return u.object(offset, kind, size)
	case plumbing.OFSDeltaObject:
		back, err := u.distance()
		if err != nil || back <= 0 || back >= offset {
			return errors.Join(errPack, err)
		}
		return u.delta(delta{offset: offset, base: offset - back}, size)
	case plumbing.REFDeltaObject:
		d := delta{offset: offset}
		if _, err := io.ReadFull(u.in, d.ref[:]); err != nil {
			return err
		}
		return u.delta(d, size)
	}
	return errPack
}

// entryHeader reads the type and the size of an entry: three bits, and a number of
// seven bits a byte, four of which are in the first.
func (u *unpacker) entryHeader() (plumbing.ObjectType, int64, error) {
	b, err := u.in.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	kind := plumbing.ObjectType(b >> 4 & 7)
	size := int64(b & 15)
	for shift := 4; b&0x80 != 0; shift += 7 {
		if b, err = u.in.ReadByte(); err != nil {
			return 0, 0, err
		}
		if shift > 53 {
			return 0, 0, errPack
		}
		size |= int64(b&0x7f) << shift
	}
	return kind, size, nil
}

// distance reads how far before a delta its base lies.
func (u *unpacker) distance() (int64, error) {
	b, err := u.in.ReadByte()
	back := int64(b & 0x7f)
	for err == nil && b&0x80 != 0 {
		if back > 1<<48 {
			return 0, errPack
		}
		if b, err = u.in.ReadByte(); err == nil {
			back = (back+1)<<7 | int64(b&0x7f)
		}
	}
	return back, err
}

// charge accounts for bytes that are to be unpacked.
func (u *unpacker) charge(size int64) error {
	if size > u.limits.object {
		return fail(TooLarge, "keep large files out of the repository, or raise the limit", "a file of the repository is larger than %d MiB", u.limits.object>>20)
	}
	if u.used += size; u.used > u.limits.unpacked {
		return fail(TooLarge, "keep large files out of the repository, or raise the limit", "the repository unpacks to more than %d MiB", u.limits.unpacked>>20)
	}
	return nil
}

func (u *unpacker) object(offset int64, kind plumbing.ObjectType, size int64) error {
	h := plumbing.NewHasher(kind, size)
	if err := u.copy(io.MultiWriter(h, u.batch.out), size); err != nil {
		return err
	}
	sum := h.Sum()
	u.whole[offset] = entry{sum, u.batch.add(sum, kind, size)}
	return nil
}

func (u *unpacker) delta(d delta, size int64) error {
	var buf bytes.Buffer
	if err := u.copy(&buf, size); err != nil {
		return err
	}
	_, n := binary.Uvarint(buf.Bytes())
	if n <= 0 {
		return errPack
	}
	result, m := binary.Uvarint(buf.Bytes()[n:])
	if m <= 0 || result > 1<<48 {
		return errPack
	}
	d.size = int64(result)
	if err := u.charge(d.size); err != nil {
		return err
	}
	d.at = place{offset: u.written, size: size}
	u.written += size
	u.deltas = append(u.deltas, d)
	_, err := u.scratch.Write(buf.Bytes())
	return err
}

// copy inflates what follows in the pack, which must be of just that size.
func (u *unpacker) copy(to io.Writer, size int64) error {
	if err := u.open(); err != nil {
		return err
	}
	n, err := io.Copy(to, io.LimitReader(u.inflate, size+1))
	if err == nil && n != size {
		err = errPack
	}
	return err
}

func (u *unpacker) open() (err error) {
	if u.inflate == nil {
		u.inflate, err = zlib.NewReader(u.in)
		return err
	}
	return u.inflate.(zlib.Resetter).Reset(u.in, nil)
}

// meter counts and sums what is read of a pack. It is read a byte
// at a time where the format wants it, and never further than it is asked.
type meter struct {
	in   *bufio.Reader
	read int64
	hash hash.Hash
	one  [1]byte
}

func newMeter(r io.Reader) *meter {
	return &meter{in: bufio.NewReaderSize(r, 64<<10), hash: sha1.New()} //nolint:gosec // as above
}

func (m *meter) sum() []byte { return m.hash.Sum(nil) }

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.in.Read(p)
	m.read += int64(n)
	m.hash.Write(p[:n])
	return n, err
}

func (m *meter) ReadByte() (byte, error) {
	b, err := m.in.ReadByte()
	if err == nil {
		m.one[0] = b
		m.read++
		m.hash.Write(m.one[:])
	}
	return b, err
}
