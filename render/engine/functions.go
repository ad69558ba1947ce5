package engine

import (
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/Masterminds/sprig/v3"
)

// functions are what a template may call: sprig's, without those that tell
// about the machine. To a template these three are undefined.
var functions = withoutMachine(sprig.GenericFuncMap())

func withoutMachine(m template.FuncMap) template.FuncMap {
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(m, name)
	}
	return m
}

// namedIn returns the functions whose names stand in the text, all that it
// can call: taking over all 200 costs ten times as much as a usual template.
func namedIn(text string) template.FuncMap {
	named := template.FuncMap{}
	for word := range strings.FieldsFuncSeq(text, notInName) {
		if f := functions[word]; f != nil {
			named[word] = f
		}
	}
	return named
}

func notInName(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// random names the functions whose result can differ from run to run, from
// the source of sprig 3.3.0.
var random = set(
	"randAlpha", "randAlphaNum", "randAscii", "randBytes", "randInt", "randNumeric", "shuffle", "uuidv4",
	"bcrypt", "encryptAES", "htpasswd", // a random salt or nonce
	"genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert", "genSelfSignedCertWithKey",
	"genSignedCert", "genSignedCertWithKey",
	"ago", "durationRound", "now",
	// These take the present for anything but a time or a number, and every
	// input is a string.
	"date", "dateInZone", "date_in_zone", "htmlDate", "htmlDateInZone",
	"keys", "values", // in the order of a Go map
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}

// callsRandom reports whether the template, or one that it defines, calls a
// function of random. It reads the text only: a call that is never reached
// counts too.
func callsRandom(t *template.Template) bool {
	for _, defined := range t.Templates() {
		if defined.Tree != nil && !visit(defined.Root, isRepeatable) {
			return true
		}
	}
	return false
}

// isRepeatable reports whether a node calls none of random itself.
func isRepeatable(node parse.Node) bool {
	id, ok := node.(*parse.IdentifierNode)
	return !ok || !random[id.Ident]
}

// visit calls yield for a node and all below it, until that returns false,
// which it then returns, too.
func visit(node parse.Node, yield func(parse.Node) bool) bool {
	switch n := node.(type) {
	case *parse.ListNode:
		return n == nil || yield(n) && visitAll(n.Nodes, yield)
	case *parse.PipeNode:
		return n == nil || yield(n) && visitAll(n.Cmds, yield)
	case *parse.CommandNode:
		return yield(n) && visitAll(n.Args, yield)
	case *parse.ChainNode:
		return yield(n) && visit(n.Node, yield)
	case *parse.ActionNode:
		return yield(n) && visit(n.Pipe, yield)
	case *parse.TemplateNode:
		return yield(n) && visit(n.Pipe, yield)
	case *parse.IfNode:
		return yield(n) && visitBranch(&n.BranchNode, yield)
	case *parse.RangeNode:
		return yield(n) && visitBranch(&n.BranchNode, yield)
	case *parse.WithNode:
		return yield(n) && visitBranch(&n.BranchNode, yield)
	}
	return yield(node)
}

func visitBranch(n *parse.BranchNode, yield func(parse.Node) bool) bool {
	return visit(n.Pipe, yield) && visit(n.List, yield) && visit(n.ElseList, yield)
}

func visitAll[N parse.Node](nodes []N, yield func(parse.Node) bool) bool {
	for _, n := range nodes {
		if !visit(n, yield) {
			return false
		}
	}
	return true
}
