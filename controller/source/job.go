package source

import (
	"compress/flate"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// job is one fetch: what is wanted, and a connection that proved that the
// caller may read.
type job struct {
	store  *Store
	target *target
	remote remote
	refs   *packp.AdvRefs
	found  found
	spent  bool // the connection was asked for a pack
	search bool // for a commit that the server does not hand out by its name
}

// ask connects, lists the references and finds what is wanted.
func (s *Store) ask(ctx context.Context, t *target) (*job, error) {
	j := &job{store: s, target: t}
	if err := j.open(ctx); err != nil {
		return nil, err
	}
	return j, nil
}

func (j *job) open(ctx context.Context) (err error) {
	if j.remote, err = j.store.connect(ctx, j.target); err != nil {
		return err
	}
	if j.refs, err = j.remote.list(ctx); err == nil {
		j.found, err = j.target.resolve(j.refs)
	}
	if err != nil {
		j.close()
	}
	return err
}

// again opens a new connection, unless the one at hand is good still.
func (j *job) again(ctx context.Context) error {
	if !j.spent {
		return nil
	}
	j.close()
	j.spent = false
	return j.open(ctx)
}

func (j *job) close() { _ = j.remote.Close() }

func (j *job) proof() proof { return proof{j.target.Auth.credentials(), j.found.object} }

// errSearch tells that a commit is to be looked for in the history of branches.
var errSearch = errors.New("the server hands out no commit by its name")

// download transfers what is wanted. A commit that no reference leads to is
// asked for by its name, which not every server allows.
func (j *job) download(ctx context.Context, g *generation) error {
	if j.search {
		return j.dig(ctx, g)
	}
	haves := g.haves
	if _, ok := g.db.find(j.found.object); ok { // the server is to say that the caller may see it
		haves = append([]have{{hash: j.found.object, shallow: true}}, haves...)
	}
	err := j.transfer(ctx, g, []plumbing.Hash{j.found.object}, haves, 1)
	switch refused := errors.Is(err, errNotOurs) || errors.Is(err, errRefused); {
	case refused && !j.found.listed:
		return errSearch
	case refused:
		return fail(Unreachable, "", "the repository changed while it was read").because(err)
	}
	return err
}

// dig transfers what is new in the history of all branches, and looks for the
// commit.
func (j *job) dig(ctx context.Context, g *generation) error {
	tips := j.tips()
	if missing := g.missing(tips); len(missing) > 0 {
		if err := j.transfer(ctx, g, missing, g.haves, 0); err != nil {
			return err
		}
	}
	for _, tip := range tips {
		g.have(tip, false)
	}
	if !g.db.reaches(ctx, tips, j.found.object) {
		return fail(RefNotFound, "push it, or name a branch or tag", "no branch of the repository has commit %s", j.found.object)
	}
	return nil
}

func (g *generation) missing(hashes []plumbing.Hash) (missing []plumbing.Hash) {
	for _, h := range hashes {
		if _, ok := g.db.find(h); !ok {
			missing = append(missing, h)
		}
	}
	return missing
}

// maxTips is how many branches are searched.
const maxTips = 1000

// tips are the branches that the caller sees, the default one first.
func (j *job) tips() []plumbing.Hash {
	var tips []plumbing.Hash
	seen := map[plumbing.Hash]bool{}
	add := func(h plumbing.Hash) {
		if !seen[h] && len(tips) < maxTips {
			seen[h] = true
			tips = append(tips, h)
		}
	}
	if j.refs.Head != nil {
		add(*j.refs.Head)
	}
	for name, h := range j.refs.References {
		if plumbing.ReferenceName(name).IsBranch() {
			add(h)
		}
	}
	return tips
}

// transfer asks for objects and puts them into a database. A slow server keeps
// nobody waiting but those who want the same: only what has arrived takes one
// of the few places for unpacking.
func (j *job) transfer(ctx context.Context, g *generation, wants []plumbing.Hash, haves []have, depth int) error {
	j.spent = true
	pack, err := j.remote.pack(ctx, request(j.refs, wants, haves, depth))
	if err != nil {
		return err
	}
	defer pack.Close()
	file, err := j.store.spool(pack)
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(file.Close(), os.Remove(file.Name())) }()
	select {
	case j.store.unpacking <- struct{}{}:
		defer func() { <-j.store.unpacking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return g.db.unpack(ctx, file, j.store.limits)
}

// spool writes what a server sends to a file, up to the limit.
func (s *Store) spool(pack io.Reader) (*os.File, error) {
	file, err := os.CreateTemp(s.dir, "pack-*")
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(file, io.LimitReader(pack, s.limits.pack+1))
	if err == nil && n > s.limits.pack {
		err = fail(TooLarge, "keep large files out of the repository, or raise the limit", "the server sends more than %d MiB", s.limits.pack>>20)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return file, nil
}

// explain makes an Error of what went wrong between a server and the cache.
func explain(ctx context.Context, host string, err error) error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	if ended := ctx.Err(); ended != nil {
		return timedOut(host, ended)
	}
	for _, broken := range []error{errPack, errObject, zlib.ErrHeader, zlib.ErrChecksum, zlib.ErrDictionary, packfile.ErrInvalidDelta} {
		if errors.Is(err, broken) {
			return fail(Malformed, "", "%s sends objects that are damaged or not complete", host).because(err)
		}
	}
	if _, ok := errors.AsType[flate.CorruptInputError](err); ok {
		return fail(Malformed, "", "%s sends objects that are damaged or not complete", host).because(err)
	}
	if local, ok := errors.AsType[*fs.PathError](err); ok {
		return fail(Failed, "look whether its disk is full", "the cache of sources cannot be used").because(local)
	}
	if errors.Is(err, errDamaged) {
		return fail(Failed, "", "the cache of sources is damaged").because(err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fail(Unreachable, "", "the connection to %s broke", host).because(err)
	}
	if errors.Is(err, errRefused) || errors.Is(err, errNotOurs) {
		return fail(Unreachable, "", "%s refuses to hand out the repository", host).because(err)
	}
	return network(ctx, host, err)
}
