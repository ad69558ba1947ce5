package vault

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What the references of one Secret may lead to, in bytes: what is there, and what
// of it they name. A Secret holds a mebibyte.
const (
	maxObjects = 4 << 20
	maxValues  = 2 << 20
)

// tooMuch is the failure of a Secret whose references lead to more.
func tooMuch(bytes int) *Failure {
	return &Failure{
		Reason: InvalidValue, Again: true, common: true,
		Message: fmt.Sprintf("its references lead to more than %d MiB: divide it into several Secrets", bytes>>20),
	}
}

// compose makes the answer of what was read. If something failed, it is the first
// by its index.
func compose(q Request, via []*connection, objects []object, errs []error) (Answer, error) {
	answer := Answer{Values: valuesIn(q, objects, errs)}
	for i, err := range errs {
		var f *Failure
		if errors.As(err, &f) {
			f = f.about(q.References[i].Path)
			f.Connection = via[i].name
			return Answer{}, f
		}
		if err != nil {
			return Answer{}, err
		}
		answer.Ends = earlier(answer.Ends, objects[i].ends)
	}
	for _, c := range distinct(via) {
		if !c.current() {
			return Answer{}, c.fault(NoConnection, "the VaultConnection was changed meanwhile")
		}
		answer.Next = earlier(answer.Next, c.passes.of(q.Namespace, c.interval))
	}
	return answer, nil
}

// valuesIn takes the values out of what was read, and notes those that failed.
// An object is decoded once for all who refer to it, and one at a time.
func valuesIn(q Request, objects []object, errs []error) []Value {
	all := make([]Value, len(objects))
	var inside tree
	size := 0
	for n, i := range together(objects) {
		if errs[i] != nil {
			continue
		}
		if o := objects[i]; n == 0 || inside.of != o.from {
			inside = o.decoded()
		}
		value, f := objects[i].value(inside, q.References[i])
		if size += len(value.Bytes); size > maxValues {
			f = tooMuch(maxValues)
		}
		if f != nil {
			errs[i] = f
			continue
		}
		all[i] = value
	}
	return all
}

// together lists the indexes of objects so that the same ones follow each other.
func together(objects []object) []int {
	all := make([]int, len(objects))
	for i := range all {
		all[i] = i
	}
	slices.SortStableFunc(all, func(a, b int) int {
		x, y := objects[a].from, objects[b].from
		return cmp.Or(cmp.Compare(x.via, y.via), cmp.Compare(x.what, y.what))
	})
	return all
}

// earlier is the earlier of two times of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
