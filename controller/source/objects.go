package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
)

// place is where an object lies in the file of a database.
type place struct {
	offset, size int64
	kind         plumbing.ObjectType
}

// database holds objects of one repository, whole and not compressed, in a
// file to which they are appended; where they lie, it knows in memory. Reading
// costs one read of the object's size, whatever the server sent, and any
// number may read at a time. One writes: whoever has the repository's turn.
type database struct {
	file    *os.File
	damaged atomic.Bool // something read was not what was written

	mu   sync.RWMutex
	at   map[plumbing.Hash]place
	size int64
}

func newDatabase(dir string) (*database, error) {
	f, err := os.CreateTemp(dir, "objects-*")
	if err != nil {
		return nil, err
	}
	return &database{file: f, at: map[plumbing.Hash]place{}}, nil
}

// close removes the file.
func (d *database) close() error {
	return errors.Join(d.file.Close(), os.Remove(d.file.Name()))
}

func (d *database) find(h plumbing.Hash) (place, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p, ok := d.at[h]
	return p, ok
}

func (d *database) bytes() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.size
}

// errDamaged is what a database says that is not as it was written.
var errDamaged = errors.New("the cache of the repository is damaged")

// read returns an object's content, which is checked to be what its hash says:
// a disk that loses or changes it is found out here, and the next fetch begins
// anew.
func (d *database) read(h plumbing.Hash, kind plumbing.ObjectType) ([]byte, error) {
	p, ok := d.find(h)
	if !ok || p.kind != kind {
		return nil, fmt.Errorf("%s %s is missing", kind, h)
	}
	content := make([]byte, p.size)
	if _, err := d.file.ReadAt(content, p.offset); err != nil {
		d.damaged.Store(true)
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if plumbing.ComputeHash(kind, content) != h {
		d.damaged.Store(true)
		return nil, errDamaged
	}
	return content, nil
}

// batch is what one fetch adds. Nothing of it is seen before commit.
type batch struct {
	db     *database
	out    *bufio.Writer
	offset int64 // of the next object
	added  map[plumbing.Hash]place
}

func (d *database) begin() (*batch, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if _, err := d.file.Seek(d.size, io.SeekStart); err != nil {
		return nil, err
	}
	return &batch{db: d, out: bufio.NewWriterSize(d.file, 64<<10), offset: d.size, added: map[plumbing.Hash]place{}}, nil
}

// add records what was written to out since the last object, under its hash.
func (b *batch) add(h plumbing.Hash, kind plumbing.ObjectType, size int64) place {
	p := place{b.offset, size, kind}
	b.offset += size
	if _, known := b.db.find(h); !known {
		b.added[h] = p
	}
	return p
}

// commit makes the batch visible.
func (b *batch) commit() error {
	if err := b.out.Flush(); err != nil {
		return err
	}
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	for h, p := range b.added {
		b.db.at[h] = p
	}
	b.db.size = b.offset
	return nil
}

func (b *batch) has(h plumbing.Hash) bool {
	_, ok := b.added[h]
	return ok
}
