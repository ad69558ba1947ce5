package engine

import (
	"regexp"
	"strconv"
	"strings"
	"text/template/parse"

	"fuin.dev/render/wire"
)

// failure reduces an error of Helm's engine. It is text, and can quote any
// value: what leaves is where it happened, by the name of a template that
// exists, and words that stand in the templates.
func (c *helmChart) failure(err error) error {
	said := err.Error()
	text, parsing := strings.CutPrefix(said, "parse error at (")
	text, stopped := strings.CutPrefix(text, "execution error at (")
	text = strings.TrimPrefix(text, "template: ")
	t, line, rest, ok := c.locate(text)
	if !ok {
		return blame(wire.EngineFailed, c.origin(c.Chart).file, 0, "does not render: %s", c.because(said))
	}
	switch {
	case parsing:
		return c.parseFailure(t, line, rest)
	case stopped:
		return c.stop(t, line, rest)
	case strings.Contains(said, "nested reference name"), strings.Contains(said, "exceeded maximum template depth"):
		return blame(wire.Cycle, t.file, line, "includes itself without end%s", t.within())
	}
	return blame(wire.EngineFailed, t.file, line, "fails%s%s: %s", t.within(), c.innermost(said, t), c.because(said))
}

// locate takes apart what begins with TEMPLATE:LINE, if there are such a
// template and line.
func (c *helmChart) locate(text string) (t chartTemplate, line int, rest string, ok bool) {
	longest := ""
	for name := range c.templates {
		if len(name) > len(longest) && strings.HasPrefix(text, name+":") {
			longest = name
		}
	}
	if longest == "" {
		return chartTemplate{}, 0, "", false
	}
	t, rest = c.templates[longest], text[len(longest)+1:]
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 1 {
		return t, 0, rest, true
	}
	line, err := strconv.Atoi(rest[:end])
	if err != nil || line > 1+strings.Count(t.text, "\n") {
		line = 0
	}
	return t, line, rest[end:], true
}

// parseFailure is of a template that is none.
func (c *helmChart) parseFailure(t chartTemplate, line int, rest string) error {
	if m := noFunction.FindStringSubmatch(rest); m != nil && strings.Contains(t.text, m[1]) {
		f := blame(wire.Malformed, t.file, line, "calls %s, a function that does not exist here%s", m[1], t.within())
		if foreign[m[1]] {
			f = f.advise("a chart sees no environment: give it a value")
		}
		return f
	}
	return blame(wire.Malformed, t.file, line, "is not a template: it does not parse%s", t.within())
}

var noFunction = regexp.MustCompile(`function "(\w{1,64})" not defined$`)

// stop is of a template that calls required or fail. The text is shown if it
// is a literal of a template.
func (c *helmChart) stop(t chartTemplate, line int, rest string) error {
	_, text, _ := strings.Cut(rest, "): ")
	f := blame(wire.NotRenderable, t.file, line, "refuses what it is given, by fail or required%s", t.within()).
		advise("the template says what it wants")
	for name := range c.templates {
		for node := range c.nodesOf(name) {
			if says(node, text) {
				return blame(wire.NotRenderable, t.file, line, "refuses what it is given%s: %s", t.within(), abridge(text)).
					advise("give the chart that value: spec.helm.values, or a values file")
			}
		}
	}
	return f
}

// says reports whether a node is a call of fail or required with that text.
func says(node parse.Node, text string) bool {
	call, ok := node.(*parse.CommandNode)
	if !ok || len(call.Args) < 2 {
		return false
	}
	function, ok := call.Args[0].(*parse.IdentifierNode)
	literal, isText := call.Args[1].(*parse.StringNode)
	return ok && isText && literal.Text == text && (function.Ident == "fail" || function.Ident == "required")
}

// innermost tells where an include ended up, if that is another template.
func (c *helmChart) innermost(said string, outer chartTemplate) string {
	lines := strings.Split(said, "\n")
	for i := len(lines) - 1; i > 0; i-- {
		t, line, _, ok := c.locate(lines[i])
		if ok && line > 0 && t.origin != outer.origin {
			where := t.file
			if t.inner != "" {
				where = t.inner
			}
			return " in " + abridge(where) + ", line " + strconv.Itoa(line)
		}
	}
	return ""
}

var (
	unsetPath  = regexp.MustCompile(`at <([$.\w]{1,200})>:?\s+nil pointer evaluating`)
	noTemplate = regexp.MustCompile(`no template \\*"([\w./-]{1,200})\\*" associated`)
	failedCall = regexp.MustCompile(`error calling (\w{1,64}): `)
)

// because says why a template failed, as far as words of the templates can.
func (c *helmChart) because(said string) string {
	if name, ok := c.literal(unsetPath, said); ok {
		return "there is nothing at " + abridge(name) + ", or above it"
	}
	if name, ok := c.literal(noTemplate, said); ok {
		return "no template is named " + strconv.Quote(name)
	}
	if name, ok := c.literal(failedCall, said); ok {
		return name + " does not take what it is given"
	}
	return "a value is not what it expects"
}

// literal finds the last word that a pattern finds, if a template holds it.
func (c *helmChart) literal(pattern *regexp.Regexp, said string) (string, bool) {
	all := pattern.FindAllStringSubmatch(said, -1)
	if len(all) == 0 {
		return "", false
	}
	word := all[len(all)-1][1]
	for _, t := range c.templates {
		if strings.Contains(t.text, word) {
			return word, true
		}
	}
	return "", false
}
