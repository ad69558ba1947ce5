package main

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"
)

// The table of a memory: buckets of records, found by a MAC.

// A record is an entry of the table: what it is found by, and what it tells.
type record struct{ id, tells, check tag }

// A stretch is buckets that follow on each other, which are read and written at
// once.
type stretch struct {
	first int
	raw   []byte
}

// The shape of the table.
const (
	buckets       = 4096
	bucketRecords = 16
	recordSize    = 3 * len(tag{})
	bucketSize    = bucketRecords * recordSize
	pageBuckets   = 16
	manyPages     = 32 // from which the rest costs less than what else is asked for
)

// bucket is the one in which the records of an id are.
func bucket(id tag) int { return int(binary.BigEndian.Uint16(id[:]) % buckets) }

// checkOf keeps a record that was half written from being read as another.
func (m *memory) checkOf(r record) tag { return m.mac("record", string(r.id[:]), string(r.tells[:])) }

// get finds what the record of an id tells. Whether it is whole is checked of
// that one alone: of all it would take longer than sealing.
func (m *memory) get(id tag) (tag, bool) {
	m.mu.Lock()
	n := bucket(id)
	r, ok := m.page(n).bucket(n).find(id)
	for _, added := range m.added[n] {
		if added.id == id {
			r, ok = added, true
		}
	}
	m.mu.Unlock()
	return r.tells, ok && r.check == m.checkOf(r)
}

// put adds a record, which [memory.write] writes.
func (m *memory) put(id, tells tag) {
	r := record{id: id, tells: tells}
	r.check = m.checkOf(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.added[bucket(id)] = append(m.added[bucket(id)], r)
}

// page is the stretch of a bucket as it was when it was first asked for.
func (m *memory) page(bucket int) stretch {
	n := bucket / pageBuckets
	if _, ok := m.pages[n]; !ok && len(m.pages) < manyPages {
		m.pages[n] = m.read(n*pageBuckets, pageBuckets)
	}
	if page, ok := m.pages[n]; ok {
		return page
	}
	if m.whole.raw == nil {
		m.whole = m.read(0, buckets)
	}
	return m.whole
}

// read reads buckets; behind the end of the table there are zeros, which are no
// records.
func (m *memory) read(first, n int) stretch {
	raw := make([]byte, n*bucketSize)
	_, _ = m.table.ReadAt(raw, int64(first*bucketSize))
	return stretch{first, raw}
}

// slots are the records of a bucket, the newest first; those left are zeros.
type slots []byte

func (s stretch) bucket(n int) slots { return slots(s.raw[(n-s.first)*bucketSize:][:bucketSize]) }

// all are the records.
func (s slots) all() iter.Seq[record] {
	return func(yield func(record) bool) {
		for raw := s; len(raw) > 0; raw = raw[recordSize:] {
			r := record{tag(raw[:16]), tag(raw[16:32]), tag(raw[32:48])}
			if r != (record{}) && !yield(r) {
				return
			}
		}
	}
}

func (s slots) find(id tag) (record, bool) {
	for r := range s.all() {
		if r.id == id {
			return r, true
		}
	}
	return record{}, false
}

// add puts a record first, in the place of an older one of its id or of the
// oldest.
func (s slots) add(r record) {
	end := 0
	for end < len(s)-recordSize && tag(s[end:]) != r.id && tag(s[end:]) != (tag{}) {
		end += recordSize
	}
	copy(s[recordSize:end+recordSize], s[:end])
	copy(s, slices.Concat(r.id[:], r.tells[:], r.check[:]))
}

// write adds to the table what was put. Other runs may have written meanwhile:
// buckets are read once more. Runs that write in the same moment can lose each
// other's records, which only means sealing again.
func (m *memory) write() {
	m.mu.Lock()
	defer m.mu.Unlock()
	buckets := slices.Sorted(maps.Keys(m.added))
	for len(buckets) > 0 {
		n := 1
		for n < len(buckets) && buckets[n]-buckets[n-1] <= pageBuckets { // what lies between costs less than a call
			n++
		}
		at := m.read(buckets[0], buckets[n-1]-buckets[0]+1)
		for _, bucket := range buckets[:n] {
			for _, r := range m.added[bucket] {
				at.bucket(bucket).add(r)
			}
		}
		_, _ = m.table.WriteAt(at.raw, int64(at.first*bucketSize)) // what is not written is sealed again
		buckets = buckets[n:]
	}
}
