package source

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// overSSH is a remote: one connection, on which git-upload-pack runs.
type overSSH struct {
	target  *target
	conn    net.Conn
	client  *ssh.Client
	session *ssh.Session
	in      io.WriteCloser
	out     io.Reader
	said    remarks
	stop    func() bool // leaves the connection to Close
}

const (
	defaultUser = "git"
	defaultPort = "22"
	// lastWords is how long a server that sent nothing may take to say why.
	lastWords  = 2 * time.Second
	maxRemarks = 4 << 10
)

// connect makes a connection for one caller. Its context ends all use of it.
func (s *Store) connect(ctx context.Context, t *target) (remote, error) {
	if t.url.Scheme == "ssh" {
		return s.overSSH(ctx, t)
	}
	return s.overHTTP(t)
}

func (s *Store) overSSH(ctx context.Context, t *target) (*overSSH, error) {
	identity, err := parseIdentity(t.Auth)
	if err != nil {
		return nil, err
	}
	hosts, err := s.knownHosts(t.Auth.KnownHosts)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address(t.url))
	if err != nil {
		return nil, network(ctx, t.url.Host, err)
	}
	o := &overSSH{target: t, conn: conn, stop: context.AfterFunc(ctx, func() { _ = conn.Close() })}
	if err := o.handshake(ctx, identity, hosts); err != nil {
		o.stop()
		_ = conn.Close()
		return nil, err
	}
	return o, nil
}

func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func parseIdentity(a Auth) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(a.Identity)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		if a.IdentityPassword == "" {
			return nil, fail(InvalidCredentials, "put it into password of the secret", "identity needs a passphrase")
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(a.Identity, []byte(a.IdentityPassword))
	}
	if err != nil { // whose text may quote the key
		return nil, fail(InvalidCredentials, "put a key there as ssh-keygen writes it, and its passphrase, if it has one, into password", "identity of the secret cannot be read as a private key")
	}
	return signer, nil
}

// knownHosts reads a file of known hosts, which the library wants as a file.
func (s *Store) knownHosts(lines []byte) (ssh.HostKeyCallback, error) {
	f, err := os.CreateTemp(s.dir, "known-hosts-*")
	if err != nil {
		return nil, fail(Failed, "", "the cache of sources cannot be used").because(err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(lines)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fail(Failed, "look whether its disk is full", "the cache of sources cannot be used").because(err)
	}
	callback, err := knownhosts.New(f.Name())
	if err != nil {
		return nil, fail(InvalidCredentials, "put lines there as ssh-keyscan prints them", "known_hosts of the secret cannot be read")
	}
	return callback, nil
}

// handshake makes sure of the server, and then of the caller.
func (o *overSSH) handshake(ctx context.Context, identity ssh.Signer, hosts ssh.HostKeyCallback) error {
	user := defaultUser
	if o.target.url.User != nil {
		user = o.target.url.User.Username()
	}
	var refused error
	config := &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(identity)},
		ClientVersion:     "SSH-2.0-fuin",
		HostKeyAlgorithms: algorithms(hosts, address(o.target.url)),
		HostKeyCallback: func(name string, remote net.Addr, key ssh.PublicKey) error {
			refused = o.hostError(hosts(name, remote, key))
			return refused
		},
	}
	conn, channels, requests, err := ssh.NewClientConn(o.conn, address(o.target.url), config)
	switch {
	case refused != nil:
		return refused
	case err != nil && strings.Contains(err.Error(), "unable to authenticate"):
		return fail(AuthenticationFailed, "add the public half of identity to the repository's deploy keys", "%s refuses the key", o.host()).because(err)
	case err != nil && strings.Contains(err.Error(), "no common algorithm"):
		return fail(HostKeyMismatch, keyscan(o.target.url), "%s has no key of the kinds in known_hosts, or speaks an SSH too old", o.host()).because(err)
	case err != nil:
		return network(ctx, o.host(), err)
	}
	o.client = ssh.NewClient(conn, channels, requests)
	return nil
}

func (o *overSSH) hostError(err error) error {
	unknown, ok := errors.AsType[*knownhosts.KeyError](err)
	switch {
	case err == nil:
		return nil
	case ok && len(unknown.Want) == 0:
		return fail(HostKeyUnknown, keyscan(o.target.url), "known_hosts does not tell the key of %s", o.host()).because(err)
	}
	return fail(HostKeyMismatch, "somebody may be in between: compare the server's fingerprint with the one its owner publishes before you change known_hosts", "the key of %s is not the one in known_hosts", o.host()).because(err)
}

// algorithms are those of the keys that are known of a host: by default the
// server might show another key than the one that is known. nil is any.
func algorithms(hosts ssh.HostKeyCallback, address string) (names []string) {
	none := &net.TCPAddr{IP: net.IPv4zero}
	wanted, _ := errors.AsType[*knownhosts.KeyError](hosts(address, none, noKey{}))
	if wanted == nil {
		return nil
	}
	for _, known := range wanted.Want {
		switch kind := known.Key.Type(); kind {
		case ssh.KeyAlgoRSA:
			names = append(names, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			names = append(names, kind)
		}
	}
	return names
}

// noKey is a key that nobody has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

func (o *overSSH) host() string { return o.target.url.Host }

func (o *overSSH) list(ctx context.Context) (*packp.AdvRefs, error) {
	if err := o.start(); err != nil {
		return nil, network(ctx, o.host(), err)
	}
	refs, err := readRefs(o.out, o.host())
	if err == nil {
		return refs, nil
	}
	if errors.Is(err, packp.ErrEmptyInput) && ctx.Err() == nil {
		return nil, o.lastWords(err)
	}
	return nil, network(ctx, o.host(), err)
}

func (o *overSSH) start() (err error) {
	if o.session, err = o.client.NewSession(); err != nil {
		return err
	}
	o.session.Stderr = &o.said
	if o.in, err = o.session.StdinPipe(); err != nil {
		return err
	}
	if o.out, err = o.session.StdoutPipe(); err != nil {
		return err
	}
	return o.session.Start(uploadPack + " " + quoted(repositoryPath(o.target.url)))
}

// repositoryPath is what the server is asked for: /~NAME/ is a home directory.
func repositoryPath(u *url.URL) string {
	if strings.HasPrefix(u.Path, "/~") {
		return u.Path[1:]
	}
	return u.Path
}

// quoted makes one word of a shell's.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// lastWords tells from what the server said why it sent nothing.
func (o *overSSH) lastWords(err error) error {
	timer := time.AfterFunc(lastWords, func() { _ = o.conn.Close() })
	defer timer.Stop()
	_ = o.in.Close()
	_ = o.session.Wait()
	if why := refusal(o.host(), o.said.String()); why.Reason != Unreachable {
		return why.because(err)
	}
	return fail(RepositoryNotFound, "check the url, and whether the key may read it", "%s hands out no such repository", o.host()).because(err)
}

func (o *overSSH) pack(_ context.Context, request *packp.UploadPackRequest) (io.ReadCloser, error) {
	body, err := encode(request)
	if err != nil {
		return nil, err
	}
	if _, err := o.in.Write(body); err != nil {
		return nil, err
	}
	pack, err := decode(o.out, request)
	return io.NopCloser(pack), err
}

func (o *overSSH) Close() error {
	o.stop()
	return o.client.Close()
}

// remarks keeps the beginning of what a server says beside the protocol.
type remarks struct {
	mu   sync.Mutex
	text []byte
}

func (r *remarks) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, p[:min(len(p), maxRemarks-len(r.text))]...)
	return len(p), nil
}

func (r *remarks) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.text)
}

// keyscan tells how to make a file of known hosts.
func keyscan(u *url.URL) string {
	scan := "ssh-keyscan "
	if port := u.Port(); port != "" {
		scan += "-p " + port + " "
	}
	return "put what `" + scan + u.Hostname() + "` prints into known_hosts of the secret, after comparing its fingerprint with the one that the server's owner publishes"
}
