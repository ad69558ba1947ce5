package vaulttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/vault/api"
)

// settleTimeout bounds how long the cores may take to agree on who is active.
const settleTimeout = 30 * time.Second

// Seal seals a core. Another one, if there is one, becomes active in its place.
func (s *Server) Seal(ctx context.Context, core int) error {
	return s.clients[core].Sys().SealWithContext(ctx)
}

// Unseal unseals a core, and returns when all unsealed ones answer again.
func (s *Server) Unseal(ctx context.Context, core int) error {
	status, err := s.clients[core].Sys().UnsealWithContext(ctx, s.unsealKey)
	if err != nil {
		return err
	}
	if status.Sealed {
		return fmt.Errorf("core %d stays sealed", core)
	}
	return s.settle(ctx)
}

// StepDown has the active core give up its place to another one, and returns when
// all answer again. The core stays out of the race for ten seconds.
func (s *Server) StepDown(ctx context.Context) error {
	before, err := s.Active(ctx)
	if err != nil {
		return err
	}
	if err := s.clients[before].Sys().StepDownWithContext(ctx); err != nil {
		return err
	}
	return s.await(ctx, func() error {
		after, err := s.Active(ctx)
		if err == nil && after == before {
			err = fmt.Errorf("core %d is active still", before)
		}
		return errors.Join(err, s.answering(ctx))
	})
}

// Active tells which core is active.
func (s *Server) Active(ctx context.Context) (core int, err error) {
	for i, c := range s.clients {
		leader, err := c.Sys().LeaderWithContext(ctx)
		if err == nil && leader.IsSelf {
			return i, nil
		}
	}
	return 0, errors.New("no core is active")
}

// settle waits until all unsealed cores answer.
func (s *Server) settle(ctx context.Context) error {
	return s.await(ctx, func() error { return s.answering(ctx) })
}

// answering tells whether every core that is not sealed answers.
func (s *Server) answering(ctx context.Context) error {
	var errs []error
	for _, c := range s.clients {
		_, err := c.Auth().Token().LookupSelfWithContext(ctx)
		if err != nil && !sealed(ctx, c) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func sealed(ctx context.Context, c *api.Client) bool {
	status, err := c.Sys().SealStatusWithContext(ctx)
	return err == nil && status.Sealed
}

// await asks until check is content.
func (s *Server) await(ctx context.Context, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
