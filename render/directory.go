package render

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"fuin.dev/render/wire"
)

// Directory renders a directory, its values still sealed. The objects come in
// the order of [StageOf], each of them once, and have all an apiVersion, a kind
// and a name. Calling twice with the same files gives the same set.
//
// The error is a [*DirectoryError] when what is rendered is at fault; else it
// is ctx's, [ErrClosed] or wraps [ErrUnavailable].
func (p *Pool) Directory(ctx context.Context, d Directory) (*Set, error) {
	job, err := p.newDirectoryJob(ctx, d)
	if err != nil {
		return nil, err
	}
	frame, err := wire.Encode(job.wireRequest())
	if err != nil {
		return nil, job.fault(LimitExceeded, d.Path, "is given more values than 16 MiB")
	}
	err = p.render(ctx, frame, job)
	if e := (*ended)(nil); errors.As(err, &e) && (e.cause == crashed || e.cause == killed) {
		err = p.render(ctx, frame, job) // once may be chance
	}
	if err != nil {
		return nil, job.failed(err)
	}
	return job.set()
}

// render converses with a child of its own: engines keep state, and what one
// tenant did to it must not reach the next.
func (p *Pool) render(ctx context.Context, frame []byte, job *directoryJob) error {
	return p.withNew(ctx, func(c *child) error {
		asking, cancel := context.WithTimeout(ctx, job.deadline) // of others; its end is not ctx's
		defer cancel()
		w := watch{job.deadline, job.memory, p.closing}
		return c.guard(ctx, w, func() error {
			if _, err := c.in.Write(frame); err != nil {
				return err
			}
			return job.converse(asking, c)
		})
	})
}

// directoryJob is one request for a directory and what came of it so far.
type directoryJob struct {
	directory Directory
	request   wire.Directory
	deadline  time.Duration
	memory    int64
	answers   *answers

	objects []Object
	size    int  // of objects, in bytes of JSON
	values  int  // in objects
	tokens  bool // what arrived last may hold some
	notes   []Note
	done    *wire.Done
	wrong   error // found while objects arrived
}

func (p *Pool) newDirectoryJob(ctx context.Context, d Directory) (*directoryJob, error) {
	j := &directoryJob{directory: d, deadline: p.config.DirectoryDeadline, memory: p.config.MaxDirectoryMemory}
	if at, ok := ctx.Deadline(); ok {
		j.deadline = min(j.deadline, max(time.Until(at), 0)+time.Second) // ctx ends first, and says so
	}
	kinds := []Kind{"", Auto, Kustomize, Helm, Jsonnet, Plain}
	switch {
	case d.Files == nil:
		return nil, j.fault(SourceFailed, d.Path, "has no files to render")
	case !fs.ValidPath(d.Path) || strings.HasPrefix(d.Path+"/", wire.RemotePrefix):
		return nil, j.fault(OutsideRefused, d.Path, "is no path within the checkout")
	case !slices.Contains(kinds, d.Kind):
		return nil, j.fault(NotRenderable, d.Path, "cannot be rendered as %.40q", d.Kind)
	}
	j.request = wire.Directory{
		Path: d.Path, Kind: string(d.Kind), Remote: d.Remote != nil,
		Helm:    wire.HelmOptions(d.Helm),
		Jsonnet: wire.JsonnetOptions(d.Jsonnet),
	}
	return j, nil
}

func (j *directoryJob) fault(reason DirectoryReason, file, format string, args ...any) *DirectoryError {
	return &DirectoryError{File: file, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func (j *directoryJob) wireRequest() wire.Request {
	return wire.Request{
		Limits:    wire.Limits{Time: 2 * j.deadline, Memory: j.memory / 4 * 3},
		Directory: &j.request,
	}
}

// converse answers the child until it is done.
func (j *directoryJob) converse(ctx context.Context, c *child) error {
	j.objects, j.size, j.values, j.notes, j.done, j.wrong = nil, 0, 0, nil, nil, nil
	j.answers = newAnswers(j.directory)
	out := bufio.NewWriterSize(c.in, 64<<10)
	for j.done == nil && j.wrong == nil {
		var step wire.Step
		if err := wire.Read(c.frames, &step); err != nil {
			return err
		}
		if step.Ask != nil {
			if err := j.answers.serve(ctx, *step.Ask, out); err != nil {
				return err
			}
			continue
		}
		if err := j.take(step); err != nil {
			return err
		}
	}
	return nil
}

// take keeps a part of the result, within bounds.
func (j *directoryJob) take(step wire.Step) error {
	for _, n := range step.Notes {
		if n.File != "" && !fs.ValidPath(n.File) || n.Line < 0 || !believableText(n.Message) {
			return wire.ErrMalformed
		}
		if len(j.notes) < wire.MaxNotes {
			j.notes = append(j.notes, Note{j.answers.name(n.File), n.Line, n.Message})
		}
	}
	for _, o := range step.Objects {
		if j.size += len(o.Content); j.size > wire.MaxSet && j.wrong == nil {
			j.wrong = j.fault(LimitExceeded, j.request.Path, "renders to more than %d MiB", wire.MaxSet>>20)
		}
		if j.wrong == nil {
			j.wrong = j.object(o)
		}
	}
	if step.Done != nil {
		j.done = step.Done
	}
	if len(step.Notes) == 0 && len(step.Objects) == 0 && step.Done == nil {
		return wire.ErrMalformed
	}
	return nil
}

// failed is the error of a conversation that did not end.
func (j *directoryJob) failed(err error) error {
	if d, ok := j.died(err); ok {
		return d
	}
	return unavailable("rendering a directory", err)
}

// set is the result of a conversation that ended.
func (j *directoryJob) set() (*Set, error) {
	if j.wrong != nil {
		return nil, j.wrong
	}
	if f := j.done.Fault; f != nil {
		err := directoryError(f, j.answers.failure)
		if d := (*DirectoryError)(nil); errors.As(err, &d) {
			d.File = j.answers.name(d.File)
		}
		return nil, err
	}
	s := &Set{Kind: Kind(j.done.Kind), Objects: j.objects, Notes: j.notes}
	if err := s.override(j.directory); err != nil {
		return nil, err
	}
	if err := s.unique(); err != nil {
		return nil, err
	}
	s.sort()
	return s, nil
}
