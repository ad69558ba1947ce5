package main

import (
	"runtime"
	"sync/atomic"
	"time"

	"fuin.dev/keys"
	"fuin.dev/seal"
	"golang.org/x/sync/errgroup"
)

// operationFor is how long private-key operations are counted.
const operationFor = time.Second

// operation is how long one private-key operation takes on a core while all
// cores do nothing else, in wall time: what else the machine does counts here
// as it does for a controller. Without a key it takes no time.
func operation(id *keys.Identity) (time.Duration, error) {
	if id == nil {
		return 0, nil
	}
	at := seal.Place{Scope: seal.Strict, Namespace: "bench", Name: "limit", Key: "value"}
	sealer, err := seal.NewSealer(id.Recipient())
	if err != nil {
		return 0, err
	}
	sealed, err := sealer.Seal(at, []byte("correct-horse-battery-staple"))
	if err != nil {
		return 0, err
	}
	opener := seal.Opener{Identities: []*keys.Identity{id}}
	var done atomic.Int64
	var g errgroup.Group
	start, cores := time.Now(), runtime.GOMAXPROCS(0)
	for range cores {
		g.Go(func() error {
			for time.Since(start) < operationFor {
				if _, _, err := opener.Open(at, sealed); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
	}
	err = g.Wait()
	return time.Since(start) * time.Duration(cores) / time.Duration(max(1, done.Load())), err
}

// limit notes what no controller can be faster than on this machine: all values
// opened on all cores, and what the servers used meanwhile on the same ones.
// The operation is measured before the run, which gives one, and after it.
func (s *sample) limit(who contender, before time.Duration, used servers) error {
	if who.once == nil {
		return nil
	}
	after, err := operation(who.once)
	s.Operation = (before + after) / 2
	cores := time.Duration(runtime.GOMAXPROCS(0))
	s.Limit = (s.Operation*values*time.Duration(len(who.objects)) + used.apiServer + used.etcd) / cores
	return err
}
