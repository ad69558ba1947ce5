//go:build !linux

package main

import "fuin.dev/render/wire"

// confine has nothing to offer outside Linux: there a template is held back
// by what its functions can do, by time and by the bounds on its output.
func confine() wire.Hello { return wire.Hello{Protocol: wire.Protocol} }
