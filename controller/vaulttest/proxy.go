package vaulttest

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy stands before a Vault and passes on bytes, until it is told otherwise: for
// tests of what a network does. Certificates are those of whoever is behind it.
type Proxy struct {
	Address string // as https://127.0.0.1:PORT

	listener net.Listener
	done     sync.WaitGroup

	mu       sync.Mutex
	target   string // host:port; empty to close what comes
	delay    time.Duration
	changed  chan struct{} // closed when the delay is another one
	open     map[net.Conn]bool
	accepted int
	closed   bool
}

// NewProxy starts a proxy before a core's address. It ends with the test.
func NewProxy(t testing.TB, address string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		Address: "https://" + l.Addr().String(), listener: l, target: hostPort(address),
		changed: make(chan struct{}), open: map[net.Conn]bool{},
	}
	p.done.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// To breaks what is open and leads to another address from now on. Nobody is at
// the empty one: connections end as soon as they are made.
func (p *Proxy) To(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = hostPort(address)
	p.breakAll()
}

// Delay has all that comes from the server, handshakes too, arrive so much later.
// A new delay holds for what is under way, too.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
	close(p.changed)
	p.changed = make(chan struct{})
}

// Accepted is how many connections were made to the proxy.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.serve(conn) })
	}
}

func (p *Proxy) serve(conn net.Conn) {
	defer conn.Close()
	target, ok := p.admit(conn)
	if !ok {
		return
	}
	defer p.forget(conn)
	behind, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer behind.Close()
	if !p.keep(behind) {
		return
	}
	defer p.forget(behind)
	p.done.Go(func() {
		_, _ = io.Copy(behind, conn)
		_ = behind.Close()
	})
	p.copyLate(conn, behind)
}

// admit counts a connection and tells where it leads.
func (p *Proxy) admit(conn net.Conn) (target string, ok bool) {
	p.mu.Lock()
	p.accepted++
	target = p.target
	p.mu.Unlock()
	return target, target != "" && p.keep(conn)
}

func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[conn] = true
	return !p.closed
}

func (p *Proxy) forget(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
}

// copyLate passes on what comes, each piece when its time has come.
func (p *Proxy) copyLate(to, from net.Conn) {
	piece := make([]byte, 16<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 {
			p.hold(time.Now())
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold waits until what came at a time may go on.
func (p *Proxy) hold(came time.Time) {
	for {
		p.mu.Lock()
		wait, changed, closed := time.Until(came.Add(p.delay)), p.changed, p.closed
		p.mu.Unlock()
		if wait <= 0 || closed {
			return
		}
		select {
		case <-time.After(wait):
		case <-changed:
		}
	}
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.breakAll()
	p.mu.Unlock()
	p.Delay(0)
	p.done.Wait()
}

// breakAll closes what is open; the lock is held.
func (p *Proxy) breakAll() {
	for conn := range p.open {
		_ = conn.Close()
	}
}

func hostPort(address string) string { return strings.TrimPrefix(address, "https://") }
