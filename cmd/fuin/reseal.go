package main

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// resealFlags are those of fuin reseal.
type resealFlags struct {
	keys     recipientFlags
	identity identityFlags
	cluster  bool
	context  string
	service  string
}

func newReseal(u *ui) *cobra.Command {
	var f resealFlags
	cmd := &cobra.Command{
		Use:   "reseal PATH...",
		Short: "Seal the values of files to the newest keys, in place",
		Long: `Seal the values of SealedSecrets again, to the newest keys, and write each file
in place: values and the annotation fuin.dev/key change, and every other byte
stays. What is sealed to these keys already is left alone: a run that was
interrupted is run again.

  -i FILE      opens them with a private key, offline, and seals them to the
               keys of the path, as fuin seal does, and to no others
  --cluster    has the controller of the cluster do it, many at a time: no plain
               value leaves it. It takes the right to create services/proxy. A
               value that others can open, too, it refuses: those would lose it

A value keeps its encoding: RSA does not become age.`,
		Example: `  fuin reseal --cluster overlays/staging
  fuin reseal -i recovery.txt overlays
  fuin reseal -i old.txt -r keys/staging.txt sealed.yaml`,
		Args: f.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), u, args)
		},
	}
	f.keys.add(cmd)
	f.identity.add(cmd)
	cmd.Flags().BoolVar(&f.cluster, "cluster", false, "have the cluster's controller reseal")
	cmd.Flags().StringVar(&f.context, "context", "", "`CONTEXT` of the kubeconfig, for --cluster; the default is that of the cluster in .fuin.yaml, else the current one")
	cmd.Flags().StringVar(&f.service, "service", "fuin-controller", "`SERVICE` of the controller, for --cluster")
	return cmd
}

func (f *resealFlags) check(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return misuse(helpHint(cmd), "a file or directory to reseal is missing")
	case slices.Contains(args, "-"):
		return misuse("name files", "standard input cannot be written in place")
	case f.cluster && cmd.Flags().Changed("identity"):
		return misuse("give one of them", "--cluster and -i exclude each other")
	case f.cluster && (cmd.Flags().Changed("cert") || cmd.Flags().Changed("recipient")):
		return misuse("leave it out", "--cluster seals to the keys of the cluster, and a key was named")
	case f.cluster && !dnsName().MatchString(f.service):
		return misuse("give the name of a Service", "--service %.80q is no name", f.service)
	}
	return nil
}

func (f *resealFlags) run(ctx context.Context, u *ui, args []string) error {
	if err := oneStdin(slices.Concat(f.keys.recipients, f.identity.files, []string{f.keys.cert})...); err != nil {
		return err
	}
	inputs, err := u.inputs(args)
	if err != nil {
		return err
	}
	var reseal resealing
	if f.cluster {
		reseal, err = f.byCluster(ctx, u, inputs)
	} else {
		reseal, err = f.byIdentity(ctx, u, args)
	}
	if err != nil {
		return err
	}
	b := batch{verb: "resealing", want: kindSealedSecret, inputs: inputs}
	var s resealed
	b.do = func(ctx context.Context, in input, data []byte) (seal.Result, error) {
		result, err := reseal(ctx, u, in, data)
		if err == nil && !bytes.Equal(data, result.Out) {
			err = rewriteFile(in.path, result.Out)
		}
		if err == nil {
			s.add(data, result)
		}
		result.Out = nil // a large tree need not stay in memory
		return result, err
	}
	_, err = b.run(ctx, u)
	s.tell(u)
	return err
}

// A resealing makes a file anew.
type resealing func(ctx context.Context, u *ui, in input, data []byte) (seal.Result, error)

// byIdentity opens with private keys and seals to the keys of the path.
func (f *resealFlags) byIdentity(ctx context.Context, u *ui, args []string) (resealing, error) {
	if len(f.identity.files) == 0 {
		return nil, misuse("name a file of private keys: -i FILE, or have the cluster do it: --cluster", "no key to open with")
	}
	ids, err := f.identity.load(ctx, u)
	if err != nil {
		return nil, err
	}
	plans, err := f.keys.planner(ctx, u)
	if err != nil {
		return nil, err
	}
	if err := plans.ready(args...); err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ *ui, in input, data []byte) (seal.Result, error) {
		plan, err := plans.at(in.path)
		if err != nil {
			return seal.Result{}, err
		}
		to, err := seal.NewResealer(plan.sealer.Recipients()...)
		if err != nil {
			return seal.Result{}, err
		}
		opener := seal.Opener{Identities: ids, Final: plan.finalIn("")}
		return opener.Reseal(ctx, data, to, seal.ResealOptions{Whole: true})
	}, nil
}

// resealed is the summary of a run.
type resealed struct {
	sync.Mutex
	files, objects, current int
}

func (s *resealed) add(before []byte, result seal.Result) {
	s.Lock()
	defer s.Unlock()
	s.current += len(result.Current)
	if done := len(result.Objects) - len(result.Current); done > 0 && !bytes.Equal(before, result.Out) {
		s.objects += done
		s.files++
	}
}

func (s *resealed) tell(u *ui) {
	if s.objects > 0 {
		u.note("resealed %s in %s", plural(s.objects, "SealedSecret"), plural(s.files, "file"))
	}
	if s.current > 0 {
		u.note("%s had the newest keys already", plural(s.current, "SealedSecret"))
	}
}
