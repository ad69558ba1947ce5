package source

import (
	"encoding/binary"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// family is what is known of who differs from whom.
type family struct {
	byOffset map[int64][]*delta
	byHash   map[plumbing.Hash][]*delta
	weight   map[int64]int // how many deltas rest on the entry at an offset, by offsets
}

// resolve makes the objects that the deltas stand for.
func (u *unpacker) resolve() error {
	if len(u.deltas) == 0 {
		return nil
	}
	if err := u.batch.out.Flush(); err != nil {
		return err
	}
	f := u.family()
	made := 0
	for offset, root := range u.whole {
		n, err := u.rest(f, offset, root.hash, root.place)
		if err != nil {
			return err
		}
		made += n
	}
	for h := range f.byHash { // a thin pack rests on what is there already
		if base, ok := u.batch.db.find(h); ok {
			n, err := u.rest(f, 0, h, base)
			if err != nil {
				return err
			}
			made += n
		}
	}
	if made != len(u.deltas) {
		return errPack // the base of one is missing, or it is its own
	}
	return nil
}

// rest makes all that rests on an object of the file, and returns how many
// that are.
func (u *unpacker) rest(f *family, offset int64, h plumbing.Hash, at place) (int, error) {
	if len(f.byOffset[offset]) == 0 && len(f.byHash[h]) == 0 {
		return 0, nil
	}
	base := make([]byte, at.size)
	if _, err := u.batch.db.file.ReadAt(base, at.offset); err != nil {
		return 0, err
	}
	return u.descend(f, offset, h, at.kind, base)
}

func (u *unpacker) family() *family {
	f := &family{byOffset: map[int64][]*delta{}, byHash: map[plumbing.Hash][]*delta{}, weight: map[int64]int{}}
	for i := range slices.Backward(u.deltas) { // whoever rests on one comes after it
		d := &u.deltas[i]
		if d.base == 0 {
			f.byHash[d.ref] = append(f.byHash[d.ref], d)
			continue
		}
		f.byOffset[d.base] = append(f.byOffset[d.base], d)
		f.weight[d.base] += f.weight[d.offset] + 1
	}
	return f
}

// parent is an object and those of its children that are not made yet.
type parent struct {
	kind     plumbing.ObjectType
	content  []byte
	children []*delta
}

// descend makes all that rests on an object, and returns how many that are.
// The child on which most rests comes last, and then its parent is let go, so
// that few objects are in memory however the pack was made.
func (u *unpacker) descend(f *family, offset int64, h plumbing.Hash, kind plumbing.ObjectType, content []byte) (int, error) {
	made, held := 0, int64(len(content))
	stack := []parent{{kind, content, f.take(offset, h)}}
	for len(stack) > 0 {
		if err := u.ctx.Err(); err != nil {
			return made, err
		}
		top := &stack[len(stack)-1]
		child, base := top.children[0], top.content
		if top.children = top.children[1:]; len(top.children) == 0 {
			held -= int64(len(base))
			stack = stack[:len(stack)-1]
		}
		result, sum, err := u.patch(base, child, kind)
		if err != nil {
			return made, err
		}
		made++
		if next := f.take(child.offset, sum); len(next) > 0 {
			stack = append(stack, parent{kind, result, next})
			held += int64(len(result))
		}
		if held > u.limits.pack {
			return made, fail(TooLarge, "", "the pack takes more memory than %d MiB", u.limits.pack>>20)
		}
	}
	return made, nil
}

// take returns the children of an object, once.
func (f *family) take(offset int64, h plumbing.Hash) []*delta {
	children := slices.Concat(f.byOffset[offset], f.byHash[h])
	delete(f.byOffset, offset)
	delete(f.byHash, h)
	slices.SortStableFunc(children, func(a, b *delta) int { return f.weight[a.offset] - f.weight[b.offset] })
	return children
}

// patch makes one object and writes it.
func (u *unpacker) patch(base []byte, d *delta, kind plumbing.ObjectType) ([]byte, plumbing.Hash, error) {
	instructions := make([]byte, d.at.size)
	if _, err := u.scratch.ReadAt(instructions, d.at.offset); err != nil {
		return nil, plumbing.ZeroHash, err
	}
	if size, _ := binary.Uvarint(instructions); size != uint64(len(base)) {
		return nil, plumbing.ZeroHash, errPack
	}
	result, err := packfile.PatchDelta(base, instructions)
	if err != nil || int64(len(result)) != d.size {
		return nil, plumbing.ZeroHash, errPack
	}
	sum := plumbing.ComputeHash(kind, result)
	u.batch.add(sum, kind, d.size)
	_, err = u.batch.out.Write(result)
	return result, sum, err
}
