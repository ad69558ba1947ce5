package render_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"sync"
	"testing"

	"github.com/bitnami-labs/sealed-secrets/pkg/apis/sealedsecrets/v1alpha1"
	"github.com/bitnami-labs/sealed-secrets/pkg/crypto"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

var peerKey = sync.OnceValues(func() (*rsa.PrivateKey, error) {
	return rsa.GenerateKey(rand.Reader, 2048)
})

// peer lets Sealed Secrets itself open the inputs and run the templates.
func peer(t *testing.T, templates texts, inputs values) (values, error) {
	t.Helper()
	key, err := peerKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &v1alpha1.SealedSecret{}
	s.Namespace, s.Name = "ns", "name"
	s.Spec.Template.Data = templates
	s.Spec.EncryptedData = map[string]string{}
	for name, value := range inputs {
		sealed, err := crypto.HybridEncrypt(rand.Reader, &key.PublicKey, value, []byte("ns/name"))
		if err != nil {
			t.Fatal(err)
		}
		s.Spec.EncryptedData[name] = base64.StdEncoding.EncodeToString(sealed)
	}
	secret, err := s.Unseal(serializer.CodecFactory{}, map[string]*rsa.PrivateKey{"": key})
	if err != nil {
		return nil, err
	}
	return secret.Data, nil
}

var peerInputs = values{
	"pw":        []byte(`p"w<&>'\n`),
	"user":      []byte("alice"),
	"binary":    {0xff, 0x00, 0xfe, '\r', '\n'},
	"empty":     {},
	"tls.crt":   []byte("-----BEGIN X-----\nabc\n-----END X-----\n"),
	"json":      []byte(`{"b": [1, 2.5, "x"], "a": {"n": null}}`),
	"unixtime":  []byte("1700000000"),
	"not-ident": []byte("dash"),
	"template":  []byte("{{ .pw }}"),
}

// What templates make is what Sealed Secrets makes, to the byte; what fails
// there fails here.
func TestTemplatesAreThoseOfSealedSecrets(t *testing.T) {
	pool := open(t, renderConfig)
	for _, text := range []string{
		``, "plain\r\n\ttext ünïcode \x00", "\ufeffbom",
		`{{ .pw }}`, `{{ . }}`, `{{ .missing }}`, `{{ index . "missing" }}`, `{{ .missing.deeper }}`,
		`{{ index . "tls.crt" }}`, `{{ index . "not-ident" }}`, `{{ .not-ident }}`, `{{ .template }}`,
		`{{ .binary }}`, `{{ .binary | b64enc }}`, `{{ .empty }}|{{ if .empty }}y{{ else }}n{{ end }}`,
		`{{ .pw | quote }} {{ squote .pw }} {{ printf "%q %s %v %x" .pw .pw .pw .pw }}`,
		`{{ .pw | js }}{{ .pw | html }}{{ .pw | urlquery }}`,
		`{{ range $k, $v := . }}{{ $k }}={{ len $v }};{{ end }}`,
		`{{ range $i, $e := list 1 "a" nil 2.5 }}{{ $i }}{{ $e }}{{ else }}none{{ end }}`,
		`{{ range 3 }}{{ . }}{{ if eq . 1 }}{{ break }}{{ end }}{{ end }}{{ range list }}{{ else }}none{{ end }}`,
		`{{ define "a" }}[{{ . }}]{{ end }}{{ template "a" .pw }}{{ template "a" }}`,
		`{{ define "a" }}{{ if . }}{{ first . }}{{ template "a" rest . }}{{ end }}{{ end }}{{ template "a" list 1 2 3 }}`,
		`{{ block "b" .user }}hello {{ . }}{{ end }}`, `{{ define "only" }}x{{ end }}`, `{{ template "key" }}`, `{{ template "no" }}`,
		"a  {{- /* gone */ -}}  b", "{{- with $x := .user }}{{ $x }}{{ end -}}\n", "{{ `raw {{` }}",
		`{{ with .missing }}y{{ else with .user }}{{ . }}{{ end }}`,
		`{{ if and .user (not .missing) (or .empty .pw) }}yes{{ end }}`,
		`{{ .user | upper | repeat 3 | trunc 7 | nospace | title }}`,
		`{{ cat "a" .user | indent 4 | nindent 2 }}`,
		`{{ default "d" .empty }}{{ coalesce .empty .missing "c" }}{{ ternary "a" "b" (eq .user "alice") }}`,
		`{{ toJson . }}`, `{{ toPrettyJson . }}`, `{{ toRawJson .pw }}`, `{{ .json | fromJson | toJson }}`,
		`{{ (fromJson .json).b }} {{ dig "a" "n" "none" (fromJson .json) }} {{ get (fromJson .json) "zz" }}`,
		`{{ mustFromJson .pw }}`, `{{ fromJson .pw }}`, `{{ toYaml . }}`, `{{ include "a" . }}`, `{{ tpl .template . }}`,
		`{{ .user | sha1sum }} {{ .user | sha256sum }} {{ sha512sum .user }} {{ adler32sum .user }}`,
		`{{ b32enc .pw }} {{ b64dec "bm8=" }} {{ b64dec "!!" }} {{ b32dec "!" }}`,
		`{{ derivePassword 1 "long" .pw .user "example.com" }}`,
		`{{ regexReplaceAll "(a)(l)" .user "$2$1" }} {{ regexFindAll "[a-z]" .user -1 }} {{ mustRegexMatch "[" .user }}`,
		`{{ regexMatch "[" .user }}`, `{{ regexSplit "i" .user -1 }} {{ split "i" .user }} {{ (split "i" .user)._1 }}`,
		`{{ add 1 2 }} {{ sub 1 2 }} {{ mul 2 3 4 }} {{ div 7 2 }} {{ mod 7 2 }} {{ round 2.567 2 }} {{ addf 0.1 0.2 }} {{ max 1 3 2 }}`,
		`{{ div 1 0 }}`, `{{ seq 1 2 9 }} {{ until 4 }} {{ untilStep 9 0 -3 }} {{ int "0x10" }} {{ int64 .user }} {{ float64 "1e3" }}`,
		`{{ dict "a" 1 "b" (list 1 2) | toJson }} {{ $d := dict "k" "v" }}{{ set $d "x" 1 }}{{ unset $d "k" }}{{ hasKey $d "k" }}`,
		`{{ set . "pw" "x" }}`, `{{ keys . }}`, `{{ pick (dict "a" 1 "b" 2) "a" }} {{ omit (dict "a" 1 "b" 2) "a" }}`,
		`{{ merge (dict "a" 1) (dict "a" 2 "b" 3) }} {{ mergeOverwrite (dict "a" 1) (dict "a" 2 "b" 3) }}`,
		`{{ list 3 1 2 | sortAlpha }} {{ uniq (list 1 1 2) }} {{ without (list 1 2 3) 2 }} {{ chunk 2 (list 1 2 3) }} {{ slice (list 1 2 3) 1 2 }}`,
		`{{ join "," (list "a" "b") }} {{ has 1 (list 1) }} {{ concat (list 1) (list 2) }} {{ reverse (list 1 2) }} {{ pluck "a" (dict "a" 1) }}`,
		`{{ semver "1.2.3-beta+x" }} {{ (semver "1.2.3").Minor }} {{ semverCompare "^1.2" "1.3.0" }} {{ semver .pw }}`,
		`{{ toDate "2006-01-02" "2021-02-03" }} {{ toDate "2006-01-02" "2021-02-03" | unixEpoch }}`,
		`{{ dateInZone "2006-01-02 15:04 MST" (int64 .unixtime) "Asia/Tokyo" }} {{ date "2006-01-02T15:04:05Z07:00 MST" (int64 .unixtime) }}`,
		`{{ dateInZone "15:04 MST" (int64 .unixtime) "Europe/Berlin" }} {{ dateInZone "15:04 MST" (int64 .unixtime) "Nowhere/None" }}`,
		`{{ dateModify "-1.5h" (toDate "2006-01-02" "2021-02-03") }} {{ duration "95" }} {{ durationRound "2h10m5s" }} {{ htmlDate 0 }}`,
		`{{ urlParse "https://u:p@h:1/p?q#f" }} {{ urlJoin (dict "scheme" "http" "host" "h" "path" "/p") }} {{ urlParse "://" }}`,
		`{{ base "/a/b.c" }} {{ dir "/a/b" }} {{ ext "b.c" }} {{ clean "/a/../b" }} {{ isAbs "/a" }} {{ osBase "/a/b" }}`,
		`{{ typeOf . }} {{ kindOf .pw }} {{ typeIs "string" .pw }} {{ kindIs "map" . }} {{ deepEqual 1 1 }} {{ deepCopy (list 1) }}`,
		`{{ abbrev 5 "abcdefgh" }} {{ initials "a b" }} {{ snakecase "aB" }} {{ camelcase "a_b" }} {{ kebabcase "aB" }} {{ wrap 3 "ab cd" }} {{ swapcase "aB" }} {{ plural "a" "b" 2 }}`,
		`{{ fail .pw }}`, `{{ env "HOME" }}`, `{{ expandenv "$HOME" }}`, `{{ getHostByName "localhost" }}`,
		`{{ len .pw }} {{ slice .pw 1 2 }} {{ index .pw 0 }} {{ printf "%d" .pw }} {{ printf "%s" }} {{ print 1 2 "a" "b" }} {{ println }}`,
		`{{ nope }}`, `{{`, `{{ if }}`, `{{ end }}`, `{{ $x }}`, `{{ "a`, `{{ call .pw }}`, `{{ .pw.x }}`, `{{ lt .pw 1 }}`,
	} {
		t.Run(text, func(t *testing.T) {
			templates := texts{"key": text}
			want, wantErr := peer(t, templates, peerInputs)
			got, err := pool.Templates(t.Context(), templates, peerInputs)
			if (err != nil) != (wantErr != nil) {
				t.Fatalf("got %v, Sealed Secrets says %v", err, wantErr)
			}
			if err == nil && string(got[0].Value) != string(want["key"]) {
				t.Errorf("got  %q\nwant %q", got[0].Value, want["key"])
			}
		})
	}
}
