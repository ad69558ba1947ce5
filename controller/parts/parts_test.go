package parts_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"fuin.dev/controller/parts"
)

// The last is what codes in clusters are made of: it must not change.
func TestNoTwoListsAreAlike(t *testing.T) {
	seen := map[string][]string{}
	for _, list := range [][]string{nil, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"b", "a"}, {"", "ab"}, {"\x00\x00\x00\x00\x00\x00\x00\x01a"}, {"shop", "db"}} {
		h := sha256.New()
		parts.Write(h, list...)
		sum := hex.EncodeToString(h.Sum(nil))
		if other, ok := seen[sum]; ok {
			t.Errorf("%q and %q are alike", other, list)
		}
		seen[sum] = list
	}
	h := sha256.New()
	h.Write([]byte("\x00\x00\x00\x00\x00\x00\x00\x04shop\x00\x00\x00\x00\x00\x00\x00\x02db"))
	if list := seen[hex.EncodeToString(h.Sum(nil))]; len(list) != 2 || list[0] != "shop" {
		t.Errorf("the lengths are written in another way: found %q", list)
	}
}
