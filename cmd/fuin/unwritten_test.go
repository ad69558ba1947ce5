package main

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

// What is not written yet reads as if it were.
func TestUnwrittenFiles(t *testing.T) {
	written := fstest.MapFS{"a/b.yaml": {Data: []byte("old")}, "a/c.yaml": {Data: []byte("stays")}, "d": {Data: []byte("d")}}
	tree := (&unwritten{written, map[string][]byte{}}).with(map[string][]byte{"a/b.yaml": []byte("new"), "a/n.yaml": []byte("made")})
	if err := fstest.TestFS(tree, "a/b.yaml", "a/c.yaml", "a/n.yaml", "d"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"a/b.yaml": "new", "a/c.yaml": "stays", "a/n.yaml": "made"} {
		if data, err := fs.ReadFile(tree, name); err != nil || string(data) != want {
			t.Errorf("%s is %q, %v", name, data, err)
		}
	}
	if data, _ := fs.ReadFile(written, "a/b.yaml"); string(data) != "old" {
		t.Errorf("the file itself is %q", data)
	}
}
