package reference_test

import (
	"strings"
	"testing"

	"fuin.dev/render/reference"

	"github.com/google/go-cmp/cmp"
)

func lit(offset int, text string) reference.Part { return reference.Part{Text: text, Offset: offset} }

func ref(offset int, r reference.Reference) reference.Part {
	return reference.Part{Reference: &r, Offset: offset}
}

func TestParse(t *testing.T) {
	ab := reference.Reference{Path: "a/b", Pointer: "/c"}
	for text, want := range map[string][]reference.Part{
		"":                                                  nil,
		"no reference":                                      {lit(0, "no reference")},
		"ref+vault://a/b#/c":                                {ref(0, ab)},
		"ref+vault://a/b#/c+":                               {ref(0, ab)},
		"ref+vault://a/b#/c+ ":                              {ref(0, ab), lit(19, " ")},
		"x ref+vault://a/b#/c+":                             {lit(0, "x "), ref(2, ab)},
		"ref+vault://a/b#/c+ref+vault://a/b#/c+":            {ref(0, ab), ref(19, ab)},
		"ref+vault://a/b#/c++":                              {ref(0, ab), lit(19, "+")},
		"é ref+vault://a/b#/c+\nx":                          {lit(0, "é "), ref(3, ab), lit(22, "\nx")},
		"{ref+vault://a/b#/c+}":                             {lit(0, "{"), ref(1, ab), lit(20, "}")},
		"ref++vault://a/b":                                  {lit(0, "ref+vault://a/b")},
		"a ref+++vault:// b":                                {lit(0, "a ref++vault:// b")},
		"ref++vault://x ref+vault://a/b#/c+":                {lit(0, "ref+vault://x "), ref(15, ab)},
		"ref+ref+vault://a/b#/c+":                           {lit(0, "ref+"), ref(4, ab)},
		"Ref+vault://a ref+file://b ref+ vault://":          {lit(0, "Ref+vault://a ref+file://b ref+ vault://")},
		"ref+vault://a/b":                                   {ref(0, reference.Reference{Path: "a/b"})},
		"ref+vault://a/data/b%20c/d%2Be#/f%2Bg/~1~0/0":      {ref(0, reference.Reference{Path: "a/data/b c/d+e", Pointer: "/f+g/~1~0/0"})},
		"ref+vault://a/é#/é%25":                             {ref(0, reference.Reference{Path: "a/é", Pointer: "/é%"})},
		"ref+vault://a/b?version=7&engine=kv2#/c":           {ref(0, reference.Reference{Path: "a/b", Pointer: "/c", Version: 7, Engine: "kv2"})},
		"ref+vault://a/b?decode=base64&optional=true#/c":    {ref(0, reference.Reference{Path: "a/b", Pointer: "/c", Decode: true, Optional: true})},
		"ref+vault://database/creds/app#/password":          {ref(0, reference.Reference{Path: "database/creds/app", Pointer: "/password"})},
		"ref+vault://pki/issue/web?common_name=a.b&ttl=24h": {ref(0, reference.Reference{Path: "pki/issue/web", Parameters: map[string]string{"common_name": "a.b", "ttl": "24h"}})},
		"ref+vault://pki/issue/web?alt_names=*.a,b%26c#/certificate": {ref(0, reference.Reference{Path: "pki/issue/web", Pointer: "/certificate",
			Parameters: map[string]string{"alt_names": "*.a,b&c"}})},
	} {
		got, err := reference.Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
		if len(reference.Of(want)) > 0 && !reference.Contains(text) {
			t.Errorf("%q is said to hold no reference", text)
		}
	}
}

// Each refusal says what is wrong at which byte, and quotes nothing: what was
// parsed may be a secret with a slip of the pen.
func TestRefusals(t *testing.T) {
	const canary = "hunter2canary"
	long := "ref+vault://a/" + strings.Repeat("b", reference.MaxLength)
	many := strings.Repeat("ref+vault://a/b+", reference.MaxReferences+1)
	for text, want := range map[string]struct {
		at      int
		message string
		hint    string
	}{
		"ref+vault://a/hunter2canary b":                {0, "no + at its end before a space", "end it with a +"},
		"ref+vault://a/hunter2canary\n":                {0, "before a line break", "end it with a +"},
		"x ref+vault://a/hunter2canary":                {2, "is not the whole value", "end it with a +"},
		"ref+vault://a/b{{ .hunter2canary }}+":         {0, "before a brace", "cannot be computed"},
		"ref+vault://a/b\"hunter2canary\"":             {0, "before a quote", ""},
		"ref+vault://a/b\\hunter2canary":               {0, "may only stand in it as %XX", ""},
		"ref+vault://a/b\x00hunter2canary":             {0, "before a control character", ""},
		"ref+vault://a/b\xffhunter2canary":             {0, "before what is not UTF-8", ""},
		"ref+vault://a/b\u202ehunter2canary":           {0, "before a control character", ""},
		"ref+vault://a/hunter2canary%0a":               {14, "encoded control character", ""},
		"ref+vault://a/hunter2canary%ff":               {14, "not UTF-8", ""},
		"ref+vault://a/hunter2canary%2":                {27, "percent sign without", "%25"},
		"ref+vault://a/hunter2canary%+":                {27, "percent sign without", "%25"},
		"ref+vault://a/hunter2canary%zz":               {27, "percent sign without", "%25"},
		"ref+vault://":                                 {12, "empty segment", ""},
		"ref+vault://hunter2canary":                    {12, "a mount only", "MOUNT/PATH"},
		"ref+vault://sys/hunter2canary":                {12, "Vault's own", "mount of an engine"},
		"ref+vault://auth/token/hunter2canary":         {12, "Vault's own", ""},
		"ref+vault://%63ubbyhole/hunter2canary":        {12, "Vault's own", ""},
		"ref+vault:///hunter2canary/b":                 {12, "empty segment", ""},
		"ref+vault://hunter2canary//b":                 {26, "empty segment", ""},
		"ref+vault://hunter2canary/b/":                 {28, "empty segment", "without a slash"},
		"ref+vault://hunter2canary/./b":                {26, "a segment . or ..", ""},
		"ref+vault://hunter2canary/../b":               {26, "a segment . or ..", ""},
		"ref+vault://hunter2canary/%2e%2E/b":           {26, "a segment . or ..", ""},
		"ref+vault://hunter2canary/a%2fb":              {26, "encoded slash", ""},
		"ref+vault://hunter2canary/a%2Fb":              {26, "encoded slash", ""},
		"ref+vault://hunter2canary/a%5cb":              {26, "encoded slash or backslash", ""},
		"ref+vault://hunter2canary/a%252fb":            {26, "encoded percent", ""},
		"ref+vault://a/b#hunter2canary":                {16, "begin with a slash", "#/KEY"},
		"ref+vault://a/b#":                             {16, "begin with a slash", ""},
		"ref+vault://a/b#/":                            {16, "is empty", ""},
		"ref+vault://a/b#/hunter2canary//c":            {16, "is empty", ""},
		"ref+vault://a/b#/hunter2canary~2":             {16, "tilde", "~1"},
		"ref+vault://a/b#/hunter2canary~":              {16, "tilde", ""},
		"ref+vault://a/b#/c%00hunter2canary":           {16, "encoded control", ""},
		"ref+vault://a/b?":                             {16, "an empty option", ""},
		"ref+vault://a/b?version=1&":                   {26, "an empty option", ""},
		"ref+vault://a/b?hunter2canary=1":              {16, "an unknown option", "options are"},
		"ref+vault://a/b?version":                      {16, "option version", ""},
		"ref+vault://a/b?version=hunter2canary":        {16, "option version", ""},
		"ref+vault://a/b?version=0":                    {16, "option version", ""},
		"ref+vault://a/b?version=-1":                   {16, "option version", ""},
		"ref+vault://a/b?version=01":                   {16, "option version", ""},
		"ref+vault://a/b?version=4294967297":           {16, "option version", ""},
		"ref+vault://a/b?version=1&version=1":          {26, "option version stands twice", "keep one"},
		"ref+vault://a/b?decode=hunter2canary#/c":      {16, "option decode", ""},
		"ref+vault://a/b?decode=base64":                {12, "without a key", "name the key"},
		"ref+vault://a/b?optional=false":               {16, "option optional", ""},
		"ref+vault://a/b?engine=hunter2canary":         {16, "option engine", ""},
		"ref+vault://a/b?engine=kv1&version=2":         {12, "no versions", ""},
		"ref+vault://a/b?common_name=hunter2canary":    {12, "issues no certificate", "issue/ROLE"},
		"ref+vault://a/issue/b?ttl=1h&version=1":       {12, "parameters of a certificate", ""},
		"ref+vault://a/issue/b?ttl=%0ahunter2canary":   {22, "encoded control", ""},
		"ref+vault://a/b?address=https://evil":         {16, "a server or a log-in", "VaultConnection"},
		"ref+vault://a/b?token=hunter2canary":          {16, "a server or a log-in", ""},
		"ref+vault://a/b?token_file=hunter2canary":     {16, "a server or a log-in", ""},
		"ref+vault://a/b?auth_method=hunter2canary":    {16, "a server or a log-in", ""},
		"ref+vault://a/b?role_id=hunter2canary":        {16, "a server or a log-in", ""},
		"ref+vault://a/b?secret_id=hunter2canary":      {16, "a server or a log-in", ""},
		"ref+vault://a/b?version=1&namespace=hunter2c": {26, "a server or a log-in", ""},
		"ref+vault://a/b+ ref+vault://a/../hunter2c+":  {31, "a segment . or ..", ""},
		long: {0, "longer than 2048 bytes", ""},
		many: {len(many) - 16, "more than 256 references", "several keys"},
	} {
		got, err := reference.Parse(text)
		e, ok := err.(*reference.Error) //nolint:errorlint // it is returned as it is
		if !ok || got != nil {
			t.Errorf("%.80q: got %v, %v", text, got, err)
			continue
		}
		if e.Offset != want.at || !strings.Contains(e.Message, want.message) || !strings.Contains(e.Hint(), want.hint) {
			t.Errorf("%.80q: at %d: %s (%s)", text, e.Offset, e.Message, e.Hint())
		}
		if all := e.Error() + e.Hint(); strings.Contains(all, canary) || strings.Contains(all, "evil") {
			t.Errorf("%.80q: the error quotes it: %s", text, all)
		}
		if !reference.Contains(text) {
			t.Errorf("%.80q is said to hold no reference", text)
		}
	}
}

func TestCanonicalForm(t *testing.T) {
	for text, want := range map[string]string{
		"ref+vault://a/b": "ref+vault://a/b+",
		"ref+vault://a/b?optional=true&version=2&engine=kv2":  "ref+vault://a/b?engine=kv2&version=2&optional=true+",
		"ref+vault://%61/b%20c?decode=base64#/%7E0d%2b":       "ref+vault://a/b%20c?decode=base64#/~0d%2B+",
		"ref+vault://a/issue/b?ttl=1h&common_name=a%3Db&%74=": "",
		"ref+vault://a/issue/b?ttl=1h&common_name=a%3Db":      "ref+vault://a/issue/b?common_name=a%3Db&ttl=1h+",
	} {
		parts, err := reference.Parse(text)
		if want == "" {
			if err == nil {
				t.Errorf("%q reads as %v", text, parts)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := parts[0].Reference.String(); got != want {
			t.Errorf("%q is written as %q, want %q", text, got, want)
		}
	}
}

func TestPointers(t *testing.T) {
	keys := []string{"a/b", "c~d", "~1", "0"}
	r := reference.Reference{Pointer: reference.PointerTo(keys...)}
	if diff := cmp.Diff(keys, r.Keys()); diff != "" || r.Pointer != "/a~1b/c~0d/~01/0" {
		t.Errorf("%s: %s", r.Pointer, diff)
	}
	if got := (reference.Reference{}).Keys(); got != nil {
		t.Errorf("the whole object has keys %v", got)
	}
}

// What parses is written in one form, which reads as the same, alone and in
// other text, and leads nowhere else.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"ref+vault://a/b#/c", "x ref+vault://a/b?version=1&decode=base64&optional=true&engine=kv2#/c/~1d+ y", "ref++vault://a",
		"ref+vault://a/b%20c%2B#/%25+ref+vault://a/../b+", "ref+vault://pki/issue/r?common_name=*.a&ttl=1h+", "ref+vault://a/b?token=x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := reference.Parse(text)
		if err != nil {
			if parts != nil {
				t.Fatal("parts beside an error")
			}
			return
		}
		if len(reference.Of(parts)) > 0 && !reference.Contains(text) {
			t.Fatal("Contains does not see it")
		}
		for _, p := range parts {
			if p.Reference == nil {
				continue
			}
			r := *p.Reference
			for s := range strings.SplitSeq(r.Path, "/") {
				if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "\\%\x00\n") {
					t.Fatalf("a segment of %q", r.Path)
				}
			}
			again, err := reference.Parse("{" + r.String() + "}")
			if err != nil {
				t.Fatalf("%q, written as %q: %v", text, r.String(), err)
			}
			want := []reference.Part{lit(0, "{"), ref(1, r), lit(1+len(r.String()), "}")}
			if diff := cmp.Diff(want, again); diff != "" {
				t.Fatalf("%q, written as %q: %s", text, r.String(), diff)
			}
		}
	})
}
