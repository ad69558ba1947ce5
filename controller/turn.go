package controller

import (
	"context"

	"fuin.dev/controller/fair"
	"fuin.dev/keys"
	"fuin.dev/seal"
)

// objectTrials is how many private-key operations an opening may make in vain
// before the others of its namespace get their turn. What opens a value is never
// in vain; the size of an object bounds how many do.
const objectTrials = 100

// requests stands for the tenant of all HTTP requests: they are nobody's.
const requests = ""

// operator lets private-key operations through, one on each processor, and
// tenant by tenant.
type operator struct {
	gate    *fair.Gate
	sandbox *fair.Gate
	metrics *metrics
}

// turns returns what to call before each operation of an opening, and what to
// call when it rests or ends. A place is kept between two operations unless
// somebody waits for it.
func (o operator) turns(ctx context.Context, tenant string) (try func(*keys.Identity) error, leave func()) {
	inside := false
	try = func(id *keys.Identity) error {
		wait := o.gate.Enter
		if inside {
			wait = o.gate.Yield
		}
		err := wait(ctx, tenant)
		if inside = err == nil; inside {
			o.metrics.operations.WithLabelValues(string(id.Kind())).Inc()
		}
		return err
	}
	leave = func() {
		if inside {
			inside = false
			o.gate.Leave(tenant)
		}
	}
	return try, leave
}

// sandboxed wraps a renderer: a template needs the sandbox, not our processor,
// and no tenant has all of it.
func (o operator) sandboxed(tenant string, leave func(), render seal.Renderer) seal.Renderer {
	return func(ctx context.Context, templates map[string]string, inputs map[string][]byte) (map[string]seal.Rendered, error) {
		leave()
		if err := o.sandbox.Enter(ctx, tenant); err != nil {
			return nil, err
		}
		defer o.sandbox.Leave(tenant)
		return render(ctx, templates, inputs)
	}
}
