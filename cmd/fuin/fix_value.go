package main

import (
	"context"

	"fuin.dev/seal"
)

// tokenJob makes a token of a value of a chart, as fuin seal --field does; of a
// text of which the value is a part only if the chart shows that it can be.
func (f *fixRun) tokenJob(name string, field valueField) func(context.Context, *repair) error {
	return func(ctx context.Context, r *repair) error {
		if field.why != nil {
			return field.why
		}
		r.mustProve = field.isPart
		plan, data, err := f.planned(ctx, r, name)
		if err != nil {
			return err
		}
		o := seal.FieldOptions{}
		o.Namespace, o.Scope = plan.tokenPlace("", "")
		if o.Namespace == "" && o.Scope != seal.ClusterWide {
			return fail("fuin seal "+f.c.shown(name)+" --field "+quoteForShell(field.String())+" -n NAMESPACE; or give the rule for the path a namespace",
				"its rule names no namespace, to which a token is bound")
		}
		result, err := plan.sealer.Field(data, field.Field, o)
		switch {
		case err != nil:
			return err
		case len(result.Objects) == 0:
			return errRepaired
		}
		f.take(r, name, result)
		r.field, r.what = field.String(), "a token, bound to namespace "+o.Namespace
		if o.Scope == seal.ClusterWide {
			r.what = "a token, bound to the cluster"
		}
		return nil
	}
}

// templateJob seals what a SealedSecret's template holds in plain.
func (f *fixRun) templateJob(name string, target seal.Target) func(context.Context, *repair) error {
	return func(ctx context.Context, r *repair) error {
		plan, data, err := f.planned(ctx, r, name)
		if err != nil {
			return err
		}
		target.Final = plan.finalIn("")
		result, err := plan.sealer.Enclose(data, target)
		if err != nil {
			return err
		}
		f.take(r, name, result)
		r.what = "moved from the template to the sealed values"
		return nil
	}
}
