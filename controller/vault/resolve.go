package vault

import (
	"context"
	"errors"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	"fuin.dev/render/reference"
	"golang.org/x/sync/errgroup"
)

// perRequest bounds how many readings one Secret has under way.
const perRequest = 16

// errClosed is that the Resolver was closed.
var errClosed = errors.New("the resolver is closed")

// Resolve reads the values of a Secret's references. The error is a *Failure, or
// that ctx ended.
func (r *Resolver) Resolve(ctx context.Context, q Request) (Answer, error) {
	answer, err := r.resolve(ctx, q)
	var f *Failure
	if errors.As(err, &f) {
		r.Metrics.failed(f)
		r.note(f)
	}
	return answer, err
}

// note has the next connection that is made announced, if there may be need of it.
func (r *Resolver) note(f *Failure) {
	if f.Reason == NoConnection || f.Reason == AmbiguousConnection || f.Reason == Refused {
		r.mu.Lock()
		r.wanted = true
		r.mu.Unlock()
	}
}

func (r *Resolver) resolve(ctx context.Context, q Request) (Answer, error) {
	if len(q.References) == 0 {
		return Answer{}, nil
	}
	via, f := r.route(ctx, q)
	if f != nil {
		return Answer{}, f
	}
	for _, c := range distinct(via) {
		c.values.begin(q.Namespace)
		defer c.values.end(q.Namespace)
	}
	objects, errs := readAll(ctx, q, via)
	if ctx.Err() != nil {
		return Answer{}, ctx.Err()
	}
	if err := r.composing.Enter(ctx, q.Namespace); err != nil {
		return Answer{}, err
	}
	defer r.composing.Leave(q.Namespace)
	return compose(q, via, objects, errs)
}

// route chooses the connection of each reference, before any request is made.
func (r *Resolver) route(ctx context.Context, q Request) ([]*connection, *Failure) {
	ch, f := r.choiceOf(ctx, q)
	if f != nil {
		return nil, f
	}
	chosen := make([]*v1alpha1.VaultConnection, len(q.References))
	for i, ref := range q.References {
		if chosen[i], f = ch.of(ref); f != nil {
			return nil, f
		}
	}
	via := make([]*connection, len(chosen))
	for i, vc := range chosen {
		if via[i] = r.connection(vc); via[i] == nil {
			return nil, &Failure{Reason: NoConnection, Message: errClosed.Error(), Again: true}
		}
		if via[i].invalid != nil {
			return nil, via[i].invalid
		}
	}
	return via, nil
}

func distinct(all []*connection) (each []*connection) {
	seen := map[*connection]bool{}
	for _, c := range all {
		if !seen[c] {
			seen[c] = true
			each = append(each, c)
		}
	}
	return each
}

// readAll reads what the references lead to, by their index, each thing once. All
// are tried, so that the failure is the same one each time.
func readAll(ctx context.Context, q Request, via []*connection) ([]object, []error) {
	p := &private{by: map[privately]func() (object, error){}}
	objects, errs := make([]object, len(via)), make([]error, len(via))
	var group errgroup.Group
	group.SetLimit(perRequest)
	for i, ref := range q.References {
		group.Go(func() error {
			objects[i], errs[i] = via[i].read(ctx, q, ref, p)
			return nil
		})
	}
	_ = group.Wait()
	return objects, errs
}

// read reads what one reference leads to.
func (c *connection) read(ctx context.Context, q Request, ref reference.Reference, p *private) (object, error) {
	began := time.Now()
	found, err := c.readAt(ctx, q, ref, p, began.Add(-mountFor))
	if err != nil || found.there() || found.mount.asked.After(began) {
		return found, err
	}
	// It may be that something else is mounted there by now.
	return c.readAt(ctx, q, ref, p, began)
}

func (c *connection) readAt(ctx context.Context, q Request, ref reference.Reference, p *private, since time.Time) (object, error) {
	m, err := c.mountOf(ctx, q.Namespace, ref.Path, since)
	if err != nil {
		return object{}, err
	}
	what, f := c.planOf(q.Namespace, ref, m)
	if f != nil {
		return object{}, f
	}
	return p.get(ctx, privately{c.name, what.key()}, func(ctx context.Context) (object, error) {
		if !what.kept {
			return c.fetch(ctx, what)
		}
		s, err := c.session(ctx, q.Namespace, false)
		if err != nil {
			return object{}, err
		}
		return c.values.get(ctx, reading{q.Namespace, s.account, what.key()}, q.NotBefore, func(ctx context.Context) (object, error) {
			return c.fetch(ctx, what)
		})
	})
}

// fetch asks Vault for an object, by a fresh session if it may end with it.
func (c *connection) fetch(ctx context.Context, what plan) (object, error) {
	answer, err := c.granted(ctx, what.call, !what.kept)
	if err != nil {
		return object{}, err
	}
	o, f := c.objectIn(answer, what)
	if f != nil {
		return object{}, f
	}
	return o, nil
}

// granted is an answer and the session that it was given to.
type granted struct {
	reply
	by *session
}

// granted asks in the namespace's name, and once more after another log-in if that
// is denied.
func (c *connection) granted(ctx context.Context, req call, fresh bool) (granted, error) {
	s, err := c.session(ctx, req.namespace, fresh)
	if err != nil {
		return granted{}, err
	}
	req.token = s.token
	answer, err := c.ask(ctx, req)
	if !isDenied(err) {
		return granted{answer, s}, err
	}
	another, failed := c.anew(ctx, req.namespace, s)
	if another == nil {
		return granted{}, errors.Join(failed, err)
	}
	req.token = another.token
	if answer, err = c.ask(ctx, req); err == nil {
		c.helped(ctx, req.namespace)
	}
	return granted{answer, another}, err
}

func isDenied(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Reason == Denied
}
