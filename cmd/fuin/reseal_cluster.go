package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"fuin.dev/seal"
	"golang.org/x/sync/errgroup"
)

// Bounds of one request, well below those of the controller.
const (
	rotateObjects  = 50
	rotateBytes    = 1 << 20
	rotateRequests = 2 // at a time
)

// A rotation is a SealedSecret that the controller is asked to reseal.
type rotation struct {
	body []byte
	got  seal.Object
	err  error
}

// byCluster has the controllers reseal all files, many SealedSecrets in one
// request, and returns what gives a file what came back.
func (f *resealFlags) byCluster(ctx context.Context, u *ui, inputs []input) (resealing, error) {
	byContext, byPath := map[string][]*rotation{}, map[string][]*rotation{}
	for _, in := range inputs {
		data, err := u.read(ctx, in)
		if err != nil || !bytes.Contains(data, []byte(kindSealedSecret)) {
			continue // whoever writes the file tells why
		}
		states, err := seal.States(data)
		if err != nil {
			continue
		}
		name, err := u.contextOf(in.path, f.context)
		if err != nil {
			return nil, err
		}
		for _, state := range states {
			r := &rotation{}
			if r.body, r.err = f.body(u, in.path, state); r.err == nil {
				byContext[name] = append(byContext[name], r)
			}
			byPath[in.path] = append(byPath[in.path], r)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byContext)) {
		c, err := f.keys.cluster.dial(name)
		if err != nil {
			return nil, &fault{err, hintKubeconfig, exitUnreachable}
		}
		u.note("resealing with the keys of %s", c)
		if err := c.rotateAll(ctx, f.service, byContext[name]); err != nil {
			return nil, err
		}
	}
	return func(_ context.Context, _ *ui, in input, data []byte) (seal.Result, error) {
		var answered []seal.Object
		for _, r := range byPath[in.path] {
			if r.err != nil {
				return seal.Result{}, r.err
			}
			answered = append(answered, r.got)
		}
		return seal.Exchange(data, answered)
	}, nil
}

// rotateAll asks for as many at a time as the controller works on.
func (c *cluster) rotateAll(ctx context.Context, service string, all []*rotation) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(rotateRequests)
	for len(all) > 0 {
		n := fit(all)
		part := all[:n]
		g.Go(func() error { return c.rotatePart(ctx, service, part) })
		all = all[n:]
	}
	return g.Wait()
}

// fit is how many of the first make one request.
func fit(all []*rotation) int {
	size := 0
	for i, r := range all {
		if size += len(r.body); i == rotateObjects || i > 0 && size > rotateBytes {
			return i
		}
	}
	return len(all)
}

// rotatePart asks for some. The controller answers for all or none: where it
// refuses, each half is asked for, so that one bad value holds up no other.
func (c *cluster) rotatePart(ctx context.Context, service string, part []*rotation) error {
	got, err := c.rotate(ctx, service, part)
	var refused *errRefused
	switch {
	case errors.As(err, &refused) && len(part) == 1:
		part[0].err = err
		return nil
	case errors.As(err, &refused):
		half := len(part) / 2
		if err := c.rotatePart(ctx, service, part[:half]); err != nil {
			return err
		}
		return c.rotatePart(ctx, service, part[half:])
	case err != nil:
		return err
	}
	for i, r := range part {
		r.got = got[i]
	}
	return nil
}

// errRefused is what the controller says of SealedSecrets that it does not
// reseal: object, key and reason.
type errRefused struct{ text string }

func (e *errRefused) Error() string { return "refused by the controller: " + e.text }
func (e *errRefused) Hint() string {
	return "a value that others can open, too, is resealed with a private key: -i FILE"
}

// body is what the controller needs of a SealedSecret: where it will stand, and
// its values.
func (f *resealFlags) body(u *ui, path string, state seal.State) ([]byte, error) {
	at := u.placeOf(path, state.Object, "")
	if state.Legacy != nil {
		return nil, &seal.Error{Line: state.Line, Reason: "SealedSecret " + at.Namespace + "/" + at.Name + ": of the older format of one value; reseal it with -i FILE"}
	}
	annotations := map[string]string{}
	for _, name := range []string{seal.AnnotationKey, seal.AnnotationClusterWide, seal.AnnotationNamespaceWide} {
		if value, ok := state.Annotations[name]; ok {
			annotations[name] = value
		}
	}
	return json.Marshal(map[string]any{
		"apiVersion": "bitnami.com/v1alpha1", "kind": kindSealedSecret,
		"metadata": map[string]any{"namespace": at.Namespace, "name": at.Name, "annotations": annotations},
		"spec":     map[string]any{"encryptedData": state.Values},
	})
}

// rotate asks the controller, by way of the API server, to seal values to its
// newest keys, and returns them in the same order.
func (c *cluster) rotate(ctx context.Context, service string, part []*rotation) ([]seal.Object, error) {
	address := c.base.JoinPath("api/v1/namespaces", c.flags.fuinNamespace(), "services", "http:"+service+":http", "proxy/v1/rotate")
	var body []byte
	for _, r := range part {
		body = append(append(body, r.body...), '\n')
	}
	ctx = within(ctx, bounds{pageTimeout, maxPage})
	for try := 1; ; try++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.client.Do(req)
		if err != nil {
			return nil, &named{c.String(), c.silent(err)}
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		busy := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
		switch {
		case busy && try < busyTries && retryAfter(ctx, resp.Header):
		case err != nil:
			return nil, &named{c.String(), c.silent(err)}
		case resp.StatusCode == http.StatusInternalServerError:
			return nil, &errRefused{fmt.Sprintf("%.1000s", strings.TrimSpace(string(answer)))}
		case resp.StatusCode != http.StatusOK:
			return nil, hintAbsent(c.refusal(resp, "create", "services/"+service+"/proxy"), "is fuin-controller installed? --controller-namespace and --service say where")
		default:
			return c.rotated(answer, len(part))
		}
	}
}

func (c *cluster) rotated(answer []byte, want int) ([]seal.Object, error) {
	got, err := seal.Objects(answer, want)
	if err != nil || len(got) != want {
		return nil, unreachable(hintNewer, "%s: the controller's answer is not understood", c)
	}
	return got, nil
}
