package seal

import "slices"

// entries merges the lines of three mappings. Entries go by their names. A
// comment stays if neither side took it away, and is added if either wrote it:
// comments are never a conflict.
func (r *merging) entries(m [3]*layout, way []string) ([][]byte, error) {
	base, ours, theirs := m[0].lines, m[1].lines, m[2].lines
	if len(base)*max(len(ours), len(theirs)) > maxAligned {
		return nil, ErrUnmergeable
	}
	oursInBase, theirsInBase := aligned(base, ours), aligned(base, theirs)
	out := []line{}
	for i, l := range ours {
		if at := oursInBase[i]; l.entry != nil || at < 0 || slices.Contains(theirsInBase, at) {
			out = append(out, l)
		}
	}
	out = addEntries(out, theirs)
	out = addComments(out, theirs, theirsInBase, ours, oursInBase)
	var all [][]byte
	for _, l := range out {
		merged := []byte(l.text)
		if l.entry != nil {
			var err error
			if merged, err = r.part(find(base, l.name()), find(ours, l.name()), find(theirs, l.name()), way); err != nil {
				return nil, err
			}
		}
		if len(merged) > 0 {
			all = append(all, merged)
		}
	}
	return all, nil
}

// maxAligned bounds the work of one mapping: lines of one side times those of
// another.
const maxAligned = 1 << 22

// aligned tells for each line of a side which one of the base it is, or -1: the
// longest sequence that both have.
func aligned(base, side []line) []int {
	out := make([]int, len(side))
	width := len(side) + 1
	common := make([]int32, (len(base)+1)*width) // of what follows
	for i := len(base) - 1; i >= 0; i-- {
		for j := len(side) - 1; j >= 0; j-- {
			if base[i].name() == side[j].name() {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	i := 0
	for j := range side {
		for out[j] = -1; i < len(base); i++ {
			if base[i].name() == side[j].name() && common[i*width+j] == common[(i+1)*width+j+1]+1 {
				out[j] = i
				i++
				break
			}
			if common[(i+1)*width+j] < common[i*width+j] {
				break // the line of the base is to be met later
			}
		}
	}
	return out
}

// addEntries puts entries that are new on their side behind the one that they
// follow there.
func addEntries(out, theirs []line) []line {
	behind := 0
	for _, l := range theirs {
		if l.entry == nil {
			continue
		}
		if i := indexOf(out, l.name()); i >= 0 {
			behind = i + 1
			continue
		}
		out = slices.Insert(out, behind, l)
		behind++
	}
	return out
}

// addComments puts comments that are new on their side above the line that
// they stand above there, unless we wrote the same.
func addComments(out, theirs []line, theirsInBase []int, ours []line, oursInBase []int) []line {
	var written []string
	for i, l := range ours {
		if oursInBase[i] < 0 && l.entry == nil {
			written = append(written, l.name())
		}
	}
	above := len(out)
	for i, l := range slices.Backward(theirs) {
		isNew := l.entry == nil && theirsInBase[i] < 0
		switch same := slices.Index(written, l.name()); {
		case isNew && same >= 0:
			written = slices.Delete(written, same, same+1)
		case isNew:
			out = slices.Insert(out, above, l)
		case l.entry != nil:
			if at := indexOf(out, l.name()); at >= 0 {
				above = at
			}
		default: // a comment of all three, or one that we took away
			if at := lastIndexBefore(out, above, l.name()); at >= 0 {
				above = at
			}
		}
	}
	return out
}

// lastIndexBefore looks back from a place, no further than the next entry.
func lastIndexBefore(lines []line, before int, name string) int {
	for i := before - 1; i >= 0 && lines[i].entry == nil; i-- {
		if lines[i].name() == name {
			return i
		}
	}
	return -1
}

func indexOf(lines []line, name string) int {
	return slices.IndexFunc(lines, func(l line) bool { return l.name() == name })
}

// find is the entry of a name.
func find(lines []line, name string) *part {
	if i := indexOf(lines, name); i >= 0 {
		return lines[i].entry
	}
	return nil
}
