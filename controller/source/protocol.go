package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// remote speaks Git's protocol, version 0, with one server for one caller.
type remote interface {
	// list asks for the references, which proves that the caller may read.
	list(ctx context.Context) (*packp.AdvRefs, error)
	// pack asks for objects; list came before. It can be called once.
	pack(ctx context.Context, request *packp.UploadPackRequest) (io.ReadCloser, error)
	host() string
	io.Closer
}

// maxRefs bounds the list of references, in bytes: about 400,000 of them.
const maxRefs = 32 << 20

// errNotOurs is the server's word that it does not hand out a commit.
var errNotOurs = errors.New("the server does not hand out the commit")

// readRefs reads the list of references.
func readRefs(r io.Reader, host string) (*packp.AdvRefs, error) {
	bounded := &io.LimitedReader{R: r, N: maxRefs}
	refs := packp.NewAdvRefs()
	err := refs.Decode(bounded)
	switch {
	case err == nil || errors.Is(err, packp.ErrEmptyAdvRefs):
	case bounded.N == 0:
		return nil, fail(TooLarge, "", "%s lists more than %d MiB of references", host, maxRefs>>20)
	default:
		return nil, refsError(host, err)
	}
	if format := refs.Capabilities.Get(capability.Capability("object-format")); len(format) > 0 && format[0] != "sha1" {
		return nil, fail(Unsupported, "use a repository with SHA-1", "the repository names its objects by another hash than SHA-1")
	}
	if err != nil || len(refs.References) == 0 {
		return nil, fail(RepositoryEmpty, "push a first commit", "the repository has no branches and no tags")
	}
	return refs, nil
}

func refsError(host string, err error) error {
	if line, ok := errors.AsType[*pktline.ErrorLine](err); ok {
		return refusal(host, line.Text).because(err)
	}
	unexpected, _ := errors.AsType[*packp.ErrUnexpectedData](err)
	if unexpected != nil || errors.Is(err, packp.ErrEmptyInput) || errors.Is(err, pktline.ErrInvalidPktLen) {
		return fail(RepositoryNotFound, "check the url", "%s does not answer as a Git server does", host).because(err)
	}
	return err
}

// refusal goes by what the server says, and does not repeat it.
func refusal(host, said string) *Error {
	said = strings.ToLower(said)
	for _, word := range []string{"denied", "permission", "unauthorized", "forbidden", "authenticat"} {
		if strings.Contains(said, word) {
			return fail(AuthenticationFailed, "check the credentials and their rights", "%s refuses to hand out the repository", host)
		}
	}
	for _, word := range []string{"not found", "no such", "not exist", "not appear", "could not be found", "not exported"} {
		if strings.Contains(said, word) {
			return fail(RepositoryNotFound, "check the url, and whether the credentials may read it", "%s has no such repository", host)
		}
	}
	return fail(Unreachable, "", "%s refuses to hand out the repository", host)
}

// request asks for commits, given that others are there. Depth 0 is all history.
func request(refs *packp.AdvRefs, wants []plumbing.Hash, haves []have, depth int) *packp.UploadPackRequest {
	r := packp.NewUploadPackRequestFromCapabilities(refs.Capabilities)
	if len(haves) == 0 {
		r.Capabilities.Delete(capability.ThinPack)
	} // else Git leaves out what is there already, at depth one, from thin packs only
	if refs.Capabilities.Supports(capability.NoProgress) {
		_ = r.Capabilities.Set(capability.NoProgress)
	}
	shallow := refs.Capabilities.Supports(capability.Shallow)
	if shallow {
		_ = r.Capabilities.Set(capability.Shallow)
		r.Depth = packp.DepthCommits(depth)
	}
	r.Wants = wants
	for _, h := range haves {
		r.Haves = append(r.Haves, h.hash)
		if h.shallow && shallow {
			r.Shallows = append(r.Shallows, h.hash)
		}
	}
	return r
}

// encode writes a request with all its haves, and that there are no others.
func encode(request *packp.UploadPackRequest) ([]byte, error) {
	var body bytes.Buffer
	if err := errors.Join(request.UploadRequest.Encode(&body), request.UploadHaves.Encode(&body, false)); err != nil {
		return nil, err
	}
	err := pktline.NewEncoder(&body).EncodeString("done\n")
	return body.Bytes(), err
}

// decode reads what comes before the pack, and returns the pack.
func decode(r io.Reader, request *packp.UploadPackRequest) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if !request.Depth.IsZero() {
		if err := readShallow(in); err != nil {
			return nil, err
		}
	}
	if err := readAcknowledgments(in); err != nil {
		return nil, err
	}
	switch {
	case request.Capabilities.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, in), nil
	case request.Capabilities.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, in), nil
	}
	return in, nil
}

// readShallow passes over the commits whose parents do not come, which are
// known: those that were asked for.
func readShallow(r io.Reader) error {
	lines := pktline.NewScanner(r)
	for n := 0; n < maxObjects && lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			return nil
		}
	}
	return protocolError(lines.Err())
}

// readAcknowledgments passes over which of the haves the server has, too.
func readAcknowledgments(in *bufio.Reader) error {
	for n := range maxObjects {
		head, err := in.Peek(8)
		if err != nil {
			return errors.Join(errPack, err)
		}
		switch string(head[4:7]) {
		case "ACK", "NAK", "ERR":
			lines := pktline.NewScanner(in)
			if !lines.Scan() {
				return protocolError(lines.Err())
			}
		default:
			if n == 0 {
				return errPack
			}
			return nil
		}
	}
	return errPack
}

func protocolError(err error) error {
	line, ok := errors.AsType[*pktline.ErrorLine](err)
	switch {
	case ok && strings.Contains(line.Text, "not our ref"):
		return errNotOurs
	case ok:
		return errors.Join(errRefused, err)
	case err == nil || errors.Is(err, pktline.ErrInvalidPktLen):
		return errPack
	}
	return err
}

// errRefused is a server's refusal in the midst of things.
var errRefused = errors.New("the server refuses")
