package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"fuin.dev/check"
)

// print writes findings in the format asked for.
func (f *checkFlags) print(u *ui, c *checkRun, findings []check.Finding) error {
	var out bytes.Buffer
	var err error
	switch format := f.output.format.value; format {
	case "text":
		printFindings(&out, c, findings)
	case "sarif":
		err = printSARIF(&out, findings)
	case "junit":
		err = printJUnit(&out, findings)
	case "github":
		printAnnotations(&out, findings)
	default:
		if findings == nil {
			findings = []check.Finding{}
		}
		err = encode(&out, format, map[string]any{"findings": findings})
	}
	if err != nil {
		return err
	}
	return f.output.write(u, out.Bytes(), modePublic)
}

// dots stand for a value, whatever its length.
const dots = "········"

// printFindings writes for people: where, what, the line with dots in place of
// the value and a caret below them, and the hint where it changes.
func printFindings(out *bytes.Buffer, c *checkRun, findings []check.Finding) {
	for i, found := range findings {
		fmt.Fprintln(out, position80(c, found))
		for _, line := range wrap(says(found), helpWidth-2) {
			fmt.Fprintln(out, "  "+printable(line))
		}
		if check.IsPlaintext(found.Rule) {
			excerpt(out, found)
		}
		if last := i == len(findings)-1; last || findings[i+1].Hint != found.Hint || findings[i+1].File != found.File {
			for j, line := range wrap(found.Hint, helpWidth-8) {
				fmt.Fprintln(out, map[bool]string{true: "  hint: ", false: "        "}[j == 0]+printable(line))
			}
		}
		if i < len(findings)-1 {
			fmt.Fprintln(out)
		}
	}
}

// position80 is FILE:LINE:COLUMN: RULE, which editors know how to jump to.
func position80(c *checkRun, f check.Finding) string {
	at := printable(c.shown(f.File)) + ":" + strconv.Itoa(f.Line)
	if f.Column > 0 {
		at += ":" + strconv.Itoa(f.Column)
	}
	at += ": " + f.Rule
	if f.Severity == check.Advice {
		at += " (advice)"
	}
	if f.Commit != "" {
		at += " in commit " + f.Commit[:min(len(f.Commit), 12)]
	}
	return at
}

// says is the message with the object it is about.
func says(f check.Finding) string {
	if f.Object == "" {
		return f.Message
	}
	return f.Object + ": " + f.Message
}

// excerpt shows where a value stands. It is made of the key alone: what else
// stands on the line may be a value, too.
func excerpt(out *bytes.Buffer, f check.Finding) {
	key := shorten(f.Key, helpWidth/2)
	if key != "" {
		key += ": "
	}
	number := strconv.Itoa(f.Line)
	fmt.Fprintf(out, "  %s | %s%s\n", number, key, dots)
	fmt.Fprintf(out, "  %s | %s%s\n", strings.Repeat(" ", len(number)), strings.Repeat(" ", len([]rune(key))), "^")
}
