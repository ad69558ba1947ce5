package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An imageUse is one row of fuin status --image.
type imageUse struct {
	Namespace   string    `json:"namespace"`   // of the Environment
	Environment string    `json:"environment"` // its name
	Workload    string    `json:"workload"`    // KIND/NAME; "" where none was read
	Image       string    `json:"image"`       // that it has
	State       imageFate `json:"state"`
	Message     string    `json:"message"`
}

// An imageFate is how far an image came.
type imageFate string

// The fates.
const (
	imageRunning    imageFate = "Running"    // every pod has it
	imageRollingOut imageFate = "RollingOut" // the workload has it, not all pods do
	imageApplied    imageFate = "Applied"    // the Environment applied it; the workload was not read
	imageOther      imageFate = "Other"      // another version is there
)

type imageShape struct {
	Images []imageUse `json:"images"`
	Notes  []string   `json:"notes"`
}

func (f *statusFlags) runImage(ctx context.Context, u *ui, c *cluster, all []environment) error {
	wanted := parseImage(f.image)
	if wanted.name == "" {
		return misuse("name one as app:v1.2.3", "--image has no name")
	}
	shape := imageShape{Images: []imageUse{}, Notes: []string{}}
	for _, e := range all {
		if !e.mentions(wanted) {
			continue
		}
		uses, notes, err := c.imageUses(ctx, &e, wanted)
		if err != nil {
			return err
		}
		shape.Images = append(shape.Images, uses...)
		shape.Notes = append(shape.Notes, notes...)
	}
	if err := f.printImages(u, shape); err != nil {
		return err
	}
	return shape.finding(f.image)
}

// mentions spares the reading of workloads that have another image. Those that
// are held back are not among the applied ones.
func (e *environment) mentions(wanted image) bool {
	holds := slices.ContainsFunc(e.Status.Secrets.Failed, func(f secretFailure) bool { return len(f.Holds) > 0 })
	return holds || slices.ContainsFunc(e.Status.Images, func(s string) bool { return parseImage(s).named(wanted) }) || e.declares(wanted.name)
}

// declares reports whether the spec overrides an image of that name.
func (e *environment) declares(name string) bool {
	for _, i := range e.Spec.Images {
		if (image{name: i.Name}).named(image{name: name}) || (image{name: i.NewName}).named(image{name: name}) {
			return true
		}
	}
	return false
}

// imageUses are the rows of an Environment: a workload each that has the name,
// and one for what no workload was read of.
func (c *cluster) imageUses(ctx context.Context, e *environment, wanted image) ([]imageUse, []string, error) {
	found, unread, err := c.workloads(ctx, e)
	if err != nil {
		return nil, nil, err
	}
	var out []imageUse
	for _, w := range found {
		for _, s := range w.images() {
			if parseImage(s).named(wanted) {
				out = append(out, e.use(&w, s, wanted))
			}
		}
	}
	if len(out) == 0 {
		out = e.appliedUses(wanted)
	}
	var notes []string
	for _, kind := range slices.Sorted(maps.Keys(unread)) {
		notes = append(notes, clean(e.String()+": "+unread[kind]))
	}
	return out, notes, nil
}

// use is the row of a workload.
func (e *environment) use(w *workload, has string, wanted image) imageUse {
	row := imageUse{Namespace: e.Metadata.Namespace, Environment: e.Metadata.Name, Workload: clean(w.String()), Image: clean(has)}
	rolled, progress := w.rolled()
	row.Message = clean(progress)
	switch {
	case !parseImage(has).is(wanted):
		row.State, row.Message = imageOther, clean(e.stuck(w.String(), has, wanted))
	case rolled:
		row.State = imageRunning
	default:
		row.State = imageRollingOut
	}
	return row
}

// appliedUses are rows by what the Environment says that it applied.
func (e *environment) appliedUses(wanted image) []imageUse {
	out := []imageUse{}
	for _, s := range e.Status.Images {
		if !parseImage(s).named(wanted) {
			continue
		}
		row := imageUse{Namespace: e.Metadata.Namespace, Environment: e.Metadata.Name, Image: clean(s), State: imageApplied}
		if !parseImage(s).is(wanted) {
			row.State, row.Message = imageOther, clean(e.stuck("", s, wanted))
		}
		out = append(out, row)
	}
	if len(out) == 0 && e.declares(wanted.name) {
		out = append(out, imageUse{Namespace: e.Metadata.Namespace, Environment: e.Metadata.Name, State: imageOther, Message: clean(e.stuck("", "", wanted))})
	}
	return out
}

// stuck says why a workload has another version than the wanted one.
func (e *environment) stuck(workload, has string, wanted image) string {
	for _, f := range e.Status.Secrets.Failed {
		if workload != "" && slices.Contains(f.Holds, workload) {
			return fmt.Sprintf("held back until %s opens", f.Object)
		}
	}
	applied := slices.ContainsFunc(e.Status.Images, func(s string) bool { return parseImage(s).is(wanted) })
	at, message := e.state()
	switch {
	case applied && !slices.Contains(e.Status.Images, has):
		return "the environment applied it; was it changed in the cluster?"
	case applied:
		return "another workload of the environment has it"
	case at != stateReady:
		return strings.TrimSuffix(fmt.Sprintf("the environment is %s: %s", at, message), ": ")
	case e.wants(wanted):
		return "spec.images names it; no workload has an image of that name and version"
	}
	return "not in " + dash(shortRevision(e.Status.LastAppliedRevision)) + ", which is applied"
}

// wants reports whether spec.images names the version.
func (e *environment) wants(wanted image) bool {
	for _, i := range e.Spec.Images {
		for _, name := range []string{i.Name, i.NewName} {
			if (image{name, i.NewTag, i.Digest}).is(wanted) {
				return true
			}
		}
	}
	return false
}

func (f *statusFlags) printImages(u *ui, shape imageShape) error {
	if f.output.value != "text" {
		return encode(u.stdout, f.output.value, shape)
	}
	t := &table{now: u.now()}
	if len(shape.Images) > 0 {
		t.printImages(shape.Images)
	}
	if _, err := u.stdout.Write(t.Bytes()); err != nil {
		return err
	}
	for _, note := range shape.Notes {
		u.note("%s", note)
	}
	return nil
}

func (t *table) printImages(all []imageUse) {
	width := len("ENVIRONMENT")
	for _, i := range all {
		width = min(max(width, len(i.Namespace)+1+len(i.Environment)), 26)
	}
	const row = "%-*s %-26s %-14s %s"
	t.line(row, width, "ENVIRONMENT", "WORKLOAD", "VERSION", "STATE")
	for _, i := range all {
		version := "-"
		if i.Image != "" {
			version = parseImage(i.Image).version()
		}
		t.line(row, width, cut(i.Namespace+"/"+i.Environment, width), cut(dash(i.Workload), 26), cut(version, 14), i.State)
		if i.Message != "" && i.State != imageRunning {
			t.text(4, 3, i.Message)
		}
	}
}

// finding is that not all run it, or nobody does.
func (s imageShape) finding(name string) error {
	if len(s.Images) == 0 {
		return &fault{fmt.Errorf("no environment has an image %q", name), "fuin status -o json lists the images of each", exitFindings}
	}
	behind := 0
	for _, i := range s.Images {
		if i.State != imageRunning {
			behind++
		}
	}
	if behind == 0 {
		return nil
	}
	return &fault{fmt.Errorf("%q is not seen running in %d of %s", name, behind, plural(len(s.Images), "place")), "", exitFindings}
}
