// Package parts owns how lists are hashed so that no two look alike.
package parts

import (
	"encoding/binary"
	"hash"
)

// Write writes each part's length in bytes, 64 bits in big-endian order, before
// the part: what one list ends with can never pass for the beginning of
// another's next part.
func Write[T ~string | ~[]byte](h hash.Hash, parts ...T) {
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
}
