package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// statusFlags are those of fuin status.
type statusFlags struct {
	at        environmentFlags
	output    choice
	watch     bool
	image     string
	unmanaged bool
}

func newStatus(u *ui) *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status [ENVIRONMENT]",
		Short: "Show environments: revisions, secrets, drift, history",
		Long: `Show environments, which the controller keeps as directories of repositories
say: what is applied since when, what is wrong, which secrets do not open and
which workloads wait for them, and the keys that seal in the cluster. Of a named
ENVIRONMENT, NAME or NAMESPACE/NAME, everything is shown: conditions, Secrets
that are stale as Vault could not be read, changes made in the cluster, and the
history with authors and signers.

  --image NAME:TAG   which environments run an image, and where it is stuck
  --unmanaged        what the environments' namespaces hold and no source does

The exit code is 0 if every environment is Ready or suspended, every workload
of --image runs it, and nothing is unmanaged; else it is 3. States are:

  Ready         as the source says
  Reconciling   at work
  Failed        not as the source says; the controller tries again
  Stalled       nothing helps but a change of what the message names
  Suspended     spec.suspend is set
  Deleting      its objects are being pruned
  Unknown       no controller has seen it`,
		Example: `  fuin status -A
  fuin status production/shop
  fuin status --image app:v1.2.3 -A
  fuin status --unmanaged -n production -o json`,
		Args:              atMostOne("an Environment"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return f.run(cmd.Context(), u, append(args, "")[0])
		},
	}
	addChoice(cmd, &f.output, "output", "o", "`FORMAT`: text, yaml or json; the default is text", "text", "text", "yaml", "json")
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on until interrupted: redraw on a terminal, else print a line for each change")
	cmd.Flags().StringVar(&f.image, "image", "", "tell where `NAME[:TAG]` runs; the end of a name will do, as in app for registry.example/team/app")
	cmd.Flags().BoolVar(&f.unmanaged, "unmanaged", false, "list objects that no source holds, with who changed them last")
	f.at.add(cmd)
	f.at.cluster.addFuin(cmd)
	return cmd
}

// atMostOne allows one argument.
func atMostOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return misuse(helpHint(cmd), "too many arguments: name %s or none", what)
		}
		return nil
	}
}

func (f *statusFlags) check() error {
	switch {
	case f.image != "" && f.unmanaged:
		return misuse("ask one after the other", "--image and --unmanaged were given")
	case f.watch && (f.image != "" || f.unmanaged):
		return misuse("leave --watch out", "--watch shows environments alone")
	case f.watch && f.output.value != "text":
		return misuse("leave -o out, or --watch", "--watch prints text alone")
	}
	return nil
}

func (f *statusFlags) run(ctx context.Context, u *ui, argument string) error {
	c, s, err := f.at.dial(argument)
	if err != nil {
		return err
	}
	if f.watch {
		return f.follow(ctx, u, c, s)
	}
	all, _, err := c.environments(ctx, s)
	if err != nil {
		return err
	}
	if err := s.needSome(c, all); err != nil {
		return err
	}
	switch {
	case f.image != "":
		return f.runImage(ctx, u, c, all)
	case f.unmanaged:
		return f.runUnmanaged(ctx, u, c, all)
	}
	return f.show(ctx, u, c, s, all)
}

// show prints what was asked for, and fails if it is not as it should be.
func (f *statusFlags) show(ctx context.Context, u *ui, c *cluster, s scope, all []environment) error {
	shape := statusShape{Environments: shapes(all, environment.shape), Keys: []listedKey{}, Notes: []string{}}
	if s.name == "" {
		shape.addKeys(ctx, c)
		shape.addEmpty(s)
	} else {
		shape.addStale(ctx, c, all)
	}
	if err := f.print(u, s, shape); err != nil {
		return err
	}
	return unready(shape.Environments)
}

// addKeys lists the cluster's keys. Who may not see them sees the rest.
func (s *statusShape) addKeys(ctx context.Context, c *cluster) {
	p, err := c.published(ctx)
	if err != nil {
		s.Notes = append(s.Notes, clean("the keys are not shown: "+err.Error()))
		return
	}
	s.Keys = p.list()
}

func (s *statusShape) addEmpty(in scope) {
	if len(s.Environments) > 0 {
		return
	}
	note := "there is no Environment"
	if in.namespace != "" {
		note = "there is no Environment in namespace " + in.namespace + "; -A looks into all"
	}
	s.Notes = append(s.Notes, note)
}

func (f *statusFlags) print(u *ui, s scope, shape statusShape) error {
	if f.output.value != "text" {
		return encode(u.stdout, f.output.value, shape)
	}
	t := &table{now: u.now()}
	t.printStatus(s, shape)
	if _, err := u.stdout.Write(t.Bytes()); err != nil {
		return err
	}
	for _, note := range shape.Notes {
		u.note("%s", note)
	}
	return nil
}

// printStatus writes one Environment at length, or several as a list.
func (t *table) printStatus(s scope, shape statusShape) {
	switch {
	case s.name != "":
		for _, e := range shape.Environments {
			t.printDetail(e)
		}
	case len(shape.Environments) > 0:
		t.printList(shape.Environments, shape.Keys)
	default:
		t.printRing(shape.Keys)
	}
}

// unready is the finding that some are not as they should be.
func unready(all []environmentShape) error {
	n := 0
	var one environmentShape
	for _, e := range all {
		if e.State != stateReady && e.State != stateSuspended {
			n, one = n+1, e
		}
	}
	switch n {
	case 0:
		return nil
	case 1:
		return &fault{fmt.Errorf("%s is %s", one.title(), one.State), "fuin status " + one.title() + " tells more", exitFindings}
	}
	return &fault{fmt.Errorf("%d of %s are not Ready", n, plural(len(all), "environment")), "fuin status NAMESPACE/NAME tells more", exitFindings}
}
