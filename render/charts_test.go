package render_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fuin.dev/render"
)

func TestChartsAndJsonnetRenderInTheSandbox(t *testing.T) {
	pool := open(t, render.Config{})
	chart := render.Directory{Files: repository(t, "chart"), Path: "shop"}
	chart.TargetNamespace = "production"
	chart.Helm = render.HelmOptions{ReleaseName: "web", Namespace: "production", ValuesFiles: []string{"values-production.yaml"}}
	program := render.Directory{Files: repository(t, "jsonnet"), Path: "environments/production"}
	program.Jsonnet.ExternalVariables = map[string]string{"tag": "1.2.3"}
	for _, tt := range []struct {
		directory render.Directory
		kind      render.Kind
		want      string
	}{
		{chart, render.Helm, "CustomResourceDefinition/coupons.shop.example.com SealedSecret/web-db " +
			"ConfigMap/host-shop-example-com ConfigMap/host-www-shop-example-com ConfigMap/web-config " +
			"PersistentVolumeClaim/web-uploads Service/web Topic/orders-placed Topic/orders-shipped " +
			"Deployment/web StatefulSet/web-cache"},
		{program, render.Jsonnet, "SealedSecret/web-session ConfigMap/host-0 ConfigMap/host-1 ConfigMap/web-settings Service/web Deployment/web"},
	} {
		first := ""
		for range 3 {
			set, err := pool.Directory(t.Context(), tt.directory)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range set.Objects {
				got = append(got, o.Kind()+"/"+o.Name())
			}
			if strings.Join(got, " ") != tt.want || set.Kind != tt.kind {
				t.Errorf("%s renders to\n%s, want\n%s", set.Kind, strings.Join(got, " "), tt.want)
			}
			all := fmt.Sprint(set.Objects)
			if first == "" {
				first = all
			}
			if all != first {
				t.Errorf("%s: the same files render to something else", set.Kind)
			}
		}
	}
}

// What never ends, grows or recurses ends the child, with an error that says
// so, and nothing else.
func TestHostileChartsAndPrograms(t *testing.T) {
	const loop = "{{ range until 1000000 }}{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}{{ end }}"
	const values = "loop: '{{ tpl .Values.loop . }}'\npw: " + canary + "\n"
	chart := func(template string) map[string]string {
		return map[string]string{
			"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n", "values.yaml": values, "templates/x.yaml": template,
		}
	}
	program := func(text string) map[string]string { return map[string]string{"main.jsonnet": text} }
	pool := open(t, render.Config{Size: 2, DirectoryDeadline: 2 * time.Second, MaxDirectoryMemory: 192 << 20})
	for name, files := range map[string]map[string]string{
		"a template that never ends":      chart(loop),
		"a template that grows":           chart(`{{ range until 1000000 }}{{ repeat 1000000 "x" }}{{ end }}`),
		"a template that asks for much":   chart(`{{ repeat 2000000000 "x" }}`),
		"a list that asks for much":       chart(`{{ until 2000000000 | len }}`),
		"tpl of itself":                   chart(`{{ tpl .Values.loop . }}`),
		"include of itself":               chart(`{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`),
		"template of itself":              chart(`{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`),
		"a program that never ends":       program("local f(n) = if n < 0 then n else f(n + 1) tailstrict; f(1)"),
		"a program that grows":            program("local f(s) = f(s + s) tailstrict; f('" + canary + "')"),
		"an array that asks for much":     program("std.length(std.join('', std.makeArray(2000000000, function(i) '" + canary + "')))"),
		"a program that recurses":         program("local f(n) = [f(n + 1)]; f(0)"),
		"a value that holds itself":       program("{a: self}"),
		"a program that nests brackets":   program(strings.Repeat("[", 1<<20)),
		"a program that nests arithmetic": program(strings.Repeat("-", 1<<20) + "1"),
		"a sort that never ends":          program("std.foldl(function(a, b) a + std.sort(std.range(0, 10000))[0], std.range(0, 1000000), 0)"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pool.Directory(t.Context(), render.Directory{Files: checkout(files), Path: "."})
			for tries := 0; errors.Is(err, render.ErrUnavailable) && tries < 5; tries++ { // a busy machine proves nothing
				_, err = pool.Directory(t.Context(), render.Directory{Files: checkout(files), Path: "."})
			}
			var d *render.DirectoryError
			if !errors.As(err, &d) {
				t.Fatalf("got %v", err)
			}
			if said := d.Error() + d.Hint(); strings.Contains(said, canary) {
				t.Errorf("the error quotes content: %s", said)
			}
			if d.Reason != render.LimitExceeded && d.Reason != render.Cycle {
				t.Errorf("%s: %s", d.Reason, d)
			}
		})
	}
}

// A symbolic link in a chart or beside a program leads nowhere else.
func TestChartsAndProgramsStayInTheCheckout(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret.txt"), []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "checkout")
	for name, text := range map[string]string{
		"chart/Chart.yaml":       "apiVersion: v2\nname: app\nversion: 1.0.0\n",
		"chart/templates/x.yaml": `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: {{ .Files.Get "secret.txt" | quote }}}`,
		"program/main.jsonnet":   "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: importstr 'secret.txt'}}",
	} {
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	pool := open(t, render.Config{})
	for _, path := range []string{"chart", "program"} {
		if err := os.Symlink("../../secret.txt", filepath.Join(root, path, "secret.txt")); err != nil {
			t.Fatal(err)
		}
		_, err := pool.Directory(t.Context(), render.Directory{Files: files.FS(), Path: path})
		refused(t, err, render.OutsideRefused, path+"/secret.txt: is a symbolic link, or a path, out of the checkout", "in the repository")
	}
}
