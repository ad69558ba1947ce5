package check

import (
	"bytes"
	"strings"

	"fuin.dev/lazy"
)

// allowMark begins a comment that lets a finding pass.
const allowMark = "fuin:allow"

var allowReason = lazy.Regexp(`fuin:allow\s+reason=["']?[^\s"']`)

// allow leaves out what a comment allows: at the line of the finding or of what
// encloses it, or on the line above. One without a reason allows nothing.
func (f *file) allow() {
	if !bytes.Contains(f.data, []byte(allowMark)) {
		return
	}
	allowed := map[int]bool{}
	above := false
	eachLine(f.data, func(number int, line string) {
		text, comment, _ := cutComment(line)
		blank := strings.TrimSpace(text) == ""
		if above && !blank {
			allowed[number], above = true, false
		}
		if !strings.Contains(comment, allowMark) {
			return
		}
		if !allowReason().MatchString(comment) {
			f.add(Finding{Line: number, Column: len([]rune(text)) + 1, Rule: AllowWithoutReason, Message: "nothing is allowed without a reason"})
			return
		}
		allowed[number] = true
		above = blank
	})
	kept := f.found[:0]
	for _, found := range f.found {
		if !found.isAllowed(allowed) {
			kept = append(kept, found)
		}
	}
	f.found = kept
}

func (found Finding) isAllowed(lines map[int]bool) bool {
	if found.Rule == AllowWithoutReason {
		return false
	}
	for _, line := range append(found.within, found.Line) {
		if lines[line] {
			return true
		}
	}
	return false
}

// cutComment takes comments that begin with # or //.
func cutComment(line string) (text, comment string, ok bool) {
	at := strings.Index(line, allowMark)
	if at < 0 {
		return line, "", false
	}
	mark := max(strings.LastIndex(line[:at], "#"), strings.LastIndex(line[:at], "//"))
	if mark < 0 {
		return line, "", false
	}
	return line[:mark], line[mark:], true
}
