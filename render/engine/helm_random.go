package engine

import (
	"maps"
	"reflect"
	"text/template"
	"text/template/parse"

	"github.com/Masterminds/sprig/v3"
)

// rolling names the functions that give something else each time, so that
// each render changes what it stands in. It is random without those that only
// depend on the time when they are misused, or on the order of a map, which is
// settled here.
var rolling = func() map[string]bool {
	names := maps.Clone(random)
	for _, name := range []string{"date", "dateInZone", "date_in_zone", "htmlDate", "htmlDateInZone", "keys", "values"} {
		delete(names, name)
	}
	return names
}()

// randomCalls are the calls of rolling functions in the templates of a chart.
type randomCalls struct {
	found  []randomCall
	called map[string]bool // by function
}

type randomCall struct {
	function string
	origin
	line int
}

// randomCalls finds the first call of each function in each template.
func (c *helmChart) randomCalls() *randomCalls {
	calls := &randomCalls{called: map[string]bool{}}
	for _, name := range sortedKeys(c.templates) {
		t := c.templates[name]
		seen := map[string]bool{}
		for node := range c.nodesOf(name) {
			id, ok := node.(*parse.IdentifierNode)
			if !ok || !rolling[id.Ident] || seen[id.Ident] {
				continue
			}
			seen[id.Ident] = true
			calls.found = append(calls.found, randomCall{id.Ident, t.origin, lineAt([]byte(t.text), int(id.Pos))})
		}
	}
	return calls
}

// recorders stand in for the functions that were found, and remember which of
// them are called.
func (r *randomCalls) recorders() template.FuncMap {
	funcs, out := sprig.TxtFuncMap(), template.FuncMap{}
	for _, call := range r.found {
		if f := funcs[call.function]; f != nil {
			out[call.function] = recorder(f, func() { r.called[call.function] = true })
		}
	}
	return out
}

// recorder is a function like f that calls record first.
func recorder(f any, record func()) any {
	v := reflect.ValueOf(f)
	return reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value {
		record()
		if v.Type().IsVariadic() {
			return v.CallSlice(args)
		}
		return v.Call(args)
	}).Interface()
}

// note tells which templates change with each render.
func (r *randomCalls) note(to *rendition) {
	for _, call := range r.found {
		if r.called[call.function] {
			to.note(call.file, call.line, "calls %s%s: each render differs, and rolls or replaces what it stands in; "+
				"give the chart a value instead, or seal one into a Secret that it takes by name", call.function, call.within())
		}
	}
}

// sortedDictKeys is sprig's keys, in order.
func sortedDictKeys(dicts ...map[string]any) []string {
	var all []string
	for _, d := range dicts {
		all = append(all, sortedKeys(d)...)
	}
	return all
}

// sortedDictValues is sprig's values, in the order of their keys.
func sortedDictValues(dict map[string]any) []any {
	all := make([]any, 0, len(dict))
	for _, key := range sortedKeys(dict) {
		all = append(all, dict[key])
	}
	return all
}

// nodesOf are the nodes of a template and of those that it defines; none if it
// does not parse.
func (c *helmChart) nodesOf(name string) func(yield func(parse.Node) bool) {
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(c.templates[name].text, "", "", trees); err != nil {
		return func(func(parse.Node) bool) {}
	}
	return func(yield func(parse.Node) bool) {
		for _, defined := range sortedKeys(trees) {
			if root := trees[defined].Root; root != nil && !visit(root, yield) {
				return
			}
		}
	}
}
