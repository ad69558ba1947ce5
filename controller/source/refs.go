package source

import (
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// found is what a Ref stands for at a server.
type found struct {
	name   string        // of the branch or tag; "" if a commit was asked for
	object plumbing.Hash // a commit, or an annotated tag
	commit plumbing.Hash // what it comes to, where the server says so; else zero
	tag    bool          // it is a tag, annotated or not
	listed bool          // some reference of the server leads to it
}

// resolve finds a Ref among the references of a server.
func (t *target) resolve(refs *packp.AdvRefs) (found, error) {
	switch {
	case t.Ref.Commit != "":
		return byCommit(refs, plumbing.NewHash(t.Ref.Commit)), nil
	case t.Ref.Semver != "":
		return t.highest(refs)
	case t.Ref.Tag != "":
		return named(refs, "refs/tags/", t.Ref.Tag)
	case t.Ref.Branch != "":
		return named(refs, "refs/heads/", t.Ref.Branch)
	}
	return byHead(refs)
}

func named(refs *packp.AdvRefs, prefix, name string) (found, error) {
	h, ok := refs.References[prefix+name]
	if !ok {
		kind := strings.TrimSuffix(strings.TrimPrefix(prefix, "refs/"), "s/")
		if kind == "head" {
			kind = "branch"
		}
		return found{}, fail(RefNotFound, "check its name, and whether it was deleted", "the repository has no %s %.80q", kind, name)
	}
	f := found{name: name, object: h, commit: h, tag: prefix == "refs/tags/", listed: true}
	if peeled, ok := refs.Peeled[prefix+name]; ok {
		f.commit = peeled
	} else if f.tag {
		f.commit = plumbing.ZeroHash // old servers do not say
	}
	return f, nil
}

// byHead finds the branch that the server calls HEAD.
func byHead(refs *packp.AdvRefs) (found, error) {
	for _, symref := range refs.Capabilities.Get("symref") {
		branch, ok := strings.CutPrefix(symref, "HEAD:refs/heads/")
		if ok && validRef("refs/heads/"+branch) {
			return named(refs, "refs/heads/", branch)
		}
	}
	if refs.Head == nil {
		return found{}, fail(RefNotFound, "name one in ref", "the repository has no default branch")
	}
	return found{name: "HEAD", object: *refs.Head, commit: *refs.Head, listed: true}, nil
}

func byCommit(refs *packp.AdvRefs, h plumbing.Hash) found {
	f := found{object: h, commit: h}
	for _, listed := range []map[string]plumbing.Hash{refs.References, refs.Peeled} {
		for _, tip := range listed {
			f.listed = f.listed || tip == h
		}
	}
	return f
}

// highest finds the highest version in the range. Of equal ones, the last by
// name: they differ in their build metadata or a leading v.
func (t *target) highest(refs *packp.AdvRefs) (found, error) {
	var best *semver.Version
	name := ""
	for ref := range refs.References {
		tag, ok := strings.CutPrefix(ref, "refs/tags/")
		if !ok || len(ref) > maxName || !validRef(ref) {
			continue
		}
		v, err := semver.NewVersion(tag)
		if err != nil || !t.want.Check(v) {
			continue
		}
		if best == nil || v.GreaterThan(best) || v.Equal(best) && tag > name {
			best, name = v, tag
		}
	}
	if best == nil {
		return found{}, fail(RefNotFound, "", "no tag of the repository is in the range %.80q", t.Ref.Semver)
	}
	return named(refs, "refs/tags/", name)
}
