package gittest

import (
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// serveSSH accepts connections until the listener is closed.
func (s *Server) serveSSH(r *running) {
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !slices.Equal(key.Marshal(), s.keys.client.Marshal()) {
			return nil, ssh.ErrNoAuth
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(s.keys.host)
	for {
		conn, err := r.listeners[2].Accept()
		if err != nil {
			return
		}
		r.work.Go(func() { s.converse(r, conn, config) })
	}
}

func (s *Server) converse(r *running, conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	stop := make(chan struct{})
	defer close(stop)
	r.work.Go(func() {
		select {
		case <-r.ctx.Done():
			_ = conn.Close()
		case <-stop:
		}
	})
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	r.work.Go(func() { ssh.DiscardRequests(requests) })
	for offer := range channels {
		if offer.ChannelType() != "session" {
			_ = offer.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		channel, requests, err := offer.Accept()
		if err != nil {
			return
		}
		r.work.Go(func() { s.session(r, channel, requests) })
	}
}

// session runs the one command that is allowed.
func (s *Server) session(r *running, channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for request := range requests {
		var exec struct{ Command string }
		if request.Type != "exec" || ssh.Unmarshal(request.Payload, &exec) != nil {
			_ = request.Reply(false, nil)
			continue
		}
		_ = request.Reply(true, nil)
		status := struct{ Status uint32 }{s.uploadPack(r, channel, exec.Command)}
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}

func (s *Server) uploadPack(r *running, channel ssh.Channel, command string) uint32 {
	name, ok := strings.CutPrefix(command, "git-upload-pack '/")
	repo := s.find(strings.TrimSuffix(name, ".git'"))
	if !ok || repo == nil {
		_, _ = channel.Stderr().Write([]byte("ERROR: Repository not found.\n"))
		return 1
	}
	repo.listings.Add(1)
	cmd := exec.CommandContext(r.ctx, "git", "upload-pack", filepath.Clean(repo.Dir))
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	in, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return 1
	}
	r.work.Go(func() { repo.feed(in, channel) })
	if cmd.Wait() != nil {
		return 1
	}
	return 0
}

// feed passes on what the client sends, and counts a request for objects.
func (r *Repo) feed(to io.WriteCloser, from io.Reader) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for counted := false; ; {
		n, err := from.Read(buf)
		if n > len("0000") && !counted {
			counted = true
			r.fetches.Add(1)
		}
		if _, failed := to.Write(buf[:n]); failed != nil || err != nil {
			return
		}
	}
}
