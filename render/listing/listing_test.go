package listing_test

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	"fuin.dev/render/listing"
)

// Reading on goes on where reading stopped; only parts end with [io.EOF].
func TestReadingInParts(t *testing.T) {
	for name, row := range map[string]struct {
		asks []int
		want []string
		end  error
	}{
		"at once":        {asks: []int{-1}, want: []string{"abc"}},
		"all, again":     {asks: []int{0, 0}, want: []string{"abc", ""}},
		"in parts":       {asks: []int{2, 2, 2}, want: []string{"ab", "c", ""}, end: io.EOF},
		"a part, a rest": {asks: []int{1, -1, 1}, want: []string{"a", "bc", ""}, end: io.EOF},
		"more than all":  {asks: []int{9}, want: []string{"abc"}},
	} {
		t.Run(name, func(t *testing.T) {
			entries, err := fs.ReadDir(fstest.MapFS{"a": {}, "b": {}, "c": {}}, ".")
			if err != nil {
				t.Fatal(err)
			}
			unread := listing.Unread(entries)
			var got []string
			for _, n := range row.asks {
				var part []fs.DirEntry
				part, err = unread.ReadDir(n)
				names := ""
				for _, e := range part {
					names += e.Name()
				}
				got = append(got, names)
			}
			if !slices.Equal(got, row.want) || !errors.Is(err, row.end) {
				t.Errorf("read %q, %v; want %q, %v", got, err, row.want, row.end)
			}
		})
	}
}
