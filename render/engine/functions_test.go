package engine_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/sprig/v3"
)

// What sprig 3.3.0 has, as its source says. A new function fails the test
// until somebody has looked at what it reads.
const (
	removed = `env expandenv getHostByName`
	random  = `
		ago bcrypt date dateInZone date_in_zone durationRound encryptAES genCA genCAWithKey genPrivateKey
		genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey htmlDate htmlDateInZone
		htpasswd keys now randAlpha randAlphaNum randAscii randBytes randInt randNumeric shuffle uuidv4 values`
	repeatable = `
		abbrev abbrevboth add add1 add1f addf adler32sum all any append atoi b32dec b32enc b64dec b64enc base biggest
		buildCustomCert camelcase cat ceil chunk clean coalesce compact concat contains dateModify date_modify
		decryptAES deepCopy deepEqual default derivePassword dict dig dir div divf duration empty ext fail first
		float64 floor fromJson get has hasKey hasPrefix hasSuffix hello indent initial initials int int64 isAbs join
		kebabcase kindIs kindOf last list lower max maxf merge mergeOverwrite min minf mod mul mulf mustAppend
		mustChunk mustCompact mustDateModify mustDeepCopy mustFirst mustFromJson mustHas mustInitial mustLast
		mustMerge mustMergeOverwrite mustPrepend mustPush mustRegexFind mustRegexFindAll mustRegexMatch
		mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit mustRest mustReverse mustSlice mustToDate
		mustToJson mustToPrettyJson mustToRawJson mustUniq mustWithout must_date_modify nindent nospace omit osBase
		osClean osDir osExt osIsAbs pick pluck plural prepend push quote regexFind regexFindAll regexMatch
		regexQuoteMeta regexReplaceAll regexReplaceAllLiteral regexSplit repeat replace rest reverse round semver
		semverCompare seq set sha1sum sha256sum sha512sum slice snakecase sortAlpha split splitList splitn squote sub
		subf substr swapcase ternary title toDate toDecimal toJson toPrettyJson toRawJson toString toStrings trim
		trimAll trimPrefix trimSuffix trimall trunc tuple typeIs typeIsLike typeOf uniq unixEpoch unset until
		untilStep untitle upper urlJoin urlParse without wrap wrapWith`
)

func TestEveryFunctionIsKnown(t *testing.T) {
	have := slices.Sorted(maps.Keys(sprig.GenericFuncMap()))
	known := slices.Sorted(slices.Values(strings.Fields(removed + " " + random + " " + repeatable)))
	for _, name := range have {
		if !slices.Contains(known, name) {
			t.Errorf("sprig's %s is new: does its result differ from run to run?", name)
		}
	}
	if len(known) != len(have) {
		t.Errorf("%d functions are known, sprig has %d", len(known), len(have))
	}
	for name, want := range classes() {
		if got := run(t, "{{ if false }}{{ "+name+" }}{{ end }}")[0]; got.Failure != nil || got.Random != want {
			t.Errorf("%s: random %v, failure %v; want %v", name, got.Random, got.Failure, want)
		}
	}
}

func classes() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(random) {
		m[name] = true
	}
	for _, name := range strings.Fields(repeatable) {
		m[name] = false
	}
	return m
}

func TestRandomIsFoundWhereverItStands(t *testing.T) {
	for _, text := range []string{
		`{{ uuidv4 }}`,
		`{{ .pw | default uuidv4 }}`,
		`{{ 10 | randAlphaNum }}`,
		`{{ $x := uuidv4 }}`,
		`{{ $x := 1 }}{{ $x = randInt 1 9 }}`,
		`{{ printf "%s" (quote (uuidv4)) }}`,
		`{{ (now).Unix }}`,
		`{{ now.Unix }}`,
		`{{ if uuidv4 }}{{ end }}`,
		`{{ if .x }}{{ else if uuidv4 }}{{ end }}`,
		`{{ if .x }}{{ else }}{{ uuidv4 }}{{ end }}`,
		`{{ range list uuidv4 }}{{ end }}`,
		`{{ range list }}{{ uuidv4 }}{{ end }}`,
		`{{ range list }}{{ else }}{{ uuidv4 }}{{ end }}`,
		`{{ with .x }}{{ else with uuidv4 }}{{ end }}`,
		`{{ define "a" }}{{ uuidv4 }}{{ end }}`,
		`{{ define "a" }}{{ . }}{{ end }}{{ template "a" uuidv4 }}`,
		`{{ block "a" . }}{{ uuidv4 }}{{ end }}`,
		`{{ if false }}{{ uuidv4 }}{{ end }}`,
	} {
		if got := run(t, text)[0]; !got.Random || got.Failure != nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
	for _, text := range []string{
		``, `uuidv4`, `{{ "uuidv4" }}`, `{{ .uuidv4 }}`, `{{ $uuidv4 := 1 }}`, `{{/* uuidv4 */}}`,
		`{{ define "uuidv4" }}{{ end }}{{ template "uuidv4" }}`, `{{ range list }}{{ break }}{{ end }}`,
	} {
		if got := run(t, text)[0]; got.Random || got.Failure != nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
