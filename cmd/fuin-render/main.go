// Command fuin-render is the sandbox of fuin and fuin-controller, which start
// it: it reads requests on standard input and answers them on standard
// output, in the messages of package wire, until its input ends. It reads no
// file, no argument and no environment.
package main

import (
	"bufio"
	"errors"
	"io"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"time"
	_ "time/tzdata" // time zones are known without a file

	"fuin.dev/render/engine"
	"fuin.dev/render/wire"
)

// maxStack ends a runaway recursion before it has used much memory.
const maxStack = 64 << 20

func main() {
	debug.SetTraceback("none")
	debug.SetMaxStack(maxStack)
	runtime.GOMAXPROCS(2)     // the request and the collector
	time.Local = time.UTC     // a result does not depend on the machine
	log.SetOutput(io.Discard) // Helm logs what it reads
	if err := serve(os.Stdin, os.Stdout); err != nil {
		os.Exit(1) // the parent knows the request, and an error could quote it
	}
}

func serve(in io.Reader, out io.Writer) error {
	if err := wire.Write(out, confine()); err != nil {
		return err
	}
	return requests(in, out)
}

// requests answers one request after the other.
func requests(in io.Reader, out io.Writer) error {
	buffered := bufio.NewReader(in)
	p := pipe{buffered, out}
	for {
		var req wire.Request
		if err := wire.Read(buffered, &req); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := answer(req, p); err != nil {
			return err
		}
	}
}

func answer(req wire.Request, p pipe) error {
	debug.SetMemoryLimit(req.Limits.Memory)
	overrun := time.AfterFunc(req.Limits.Time, func() { os.Exit(1) })
	defer overrun.Stop()
	switch {
	case req.Templates != nil:
		return engine.Templates(*req.Templates, func(r wire.Rendered) error { return wire.Write(p.out, r) })
	case req.Directory != nil:
		debug.SetGCPercent(200) // it lives for this one, and within its limit
		return engine.Directory(*req.Directory, p)
	}
	return errors.New("a request for nothing that is known")
}

// pipe is the way to the parent and back.
type pipe struct {
	in  io.Reader
	out io.Writer
}

// Send implements [engine.Wire].
func (p pipe) Send(s wire.Step) error { return wire.Write(p.out, s) }

// Receive implements [engine.Wire].
func (p pipe) Receive() (a wire.Answer, err error) {
	err = wire.Read(p.in, &a)
	return a, err
}
