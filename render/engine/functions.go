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
		if defined.Tree != nil && calls(defined.Root, random) {
			return true
		}
	}
	return false
}

// calls reports whether a function of names is called anywhere below node.
func calls(node parse.Node, names map[string]bool) bool {
	switch n := node.(type) {
	case *parse.IdentifierNode:
		return names[n.Ident]
	case *parse.ListNode:
		return n != nil && anyCalls(n.Nodes, names)
	case *parse.CommandNode:
		return anyCalls(n.Args, names)
	case *parse.PipeNode:
		return n != nil && anyCalls(n.Cmds, names)
	case *parse.ChainNode:
		return calls(n.Node, names)
	case *parse.ActionNode:
		return calls(n.Pipe, names)
	case *parse.TemplateNode:
		return calls(n.Pipe, names)
	case *parse.IfNode:
		return branchCalls(&n.BranchNode, names)
	case *parse.RangeNode:
		return branchCalls(&n.BranchNode, names)
	case *parse.WithNode:
		return branchCalls(&n.BranchNode, names)
	}
	return false
}

func branchCalls(n *parse.BranchNode, names map[string]bool) bool {
	return calls(n.Pipe, names) || calls(n.List, names) || calls(n.ElseList, names)
}

func anyCalls[N parse.Node](nodes []N, names map[string]bool) bool {
	for _, n := range nodes {
		if calls(n, names) {
			return true
		}
	}
	return false
}
