package main

import "strings"

// An image is a container image's name, taken apart.
type image struct{ name, tag, digest string }

// parseImage reads NAME[:TAG][@DIGEST]; a port of a registry is part of NAME.
func parseImage(s string) image {
	name, digest, _ := strings.Cut(s, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		return image{name[:colon], name[colon+1:], digest}
	}
	return image{name, "", digest}
}

// named reports whether an image has the name of the wanted one, or one that
// ends with it: app is registry.example/team/app, too.
func (i image) named(wanted image) bool {
	return i.name == wanted.name || strings.HasSuffix(i.name, "/"+wanted.name)
}

// is reports whether an image is the wanted one, of which an empty field is any.
func (i image) is(wanted image) bool {
	return i.named(wanted) && (wanted.tag == "" || i.tag == wanted.tag) && (wanted.digest == "" || i.digest == wanted.digest)
}

// version is the tag, or what stands for one.
func (i image) version() string {
	switch {
	case i.tag != "":
		return i.tag
	case i.digest != "":
		return i.digest
	}
	return "latest"
}
