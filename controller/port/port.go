// Package port picks ports for servers that tests start. Only tests import it, and
// the packages that start servers for them.
package port

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net"
	"strconv"
)

// Free picks a loopback port below those that the kernel gives to outgoing
// connections, so that a server can be stopped and find its port free again.
func Free() (string, error) {
	const lowest, highest, attempts = 20000, 32000, 100
	var err error
	for range attempts {
		var n *big.Int
		if n, err = rand.Int(rand.Reader, big.NewInt(highest-lowest)); err != nil {
			return "", err
		}
		port := strconv.Itoa(lowest + int(n.Int64()))
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			return port, l.Close()
		}
	}
	return "", fmt.Errorf("finding a free port: %w", err)
}
