package render_test

import (
	"bytes"
	"testing"

	"fuin.dev/render"
)

func bench(b *testing.B, templates texts, inputs values) {
	pool := open(b, render.Config{})
	works(b, pool)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pool.Templates(b.Context(), templates, inputs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(pool.Stats().Resident)/float64(pool.Stats().Children)/(1<<20), "MiB/child")
}

func BenchmarkTemplate(b *testing.B) {
	bench(b, texts{"url": "postgres://{{ .user }}:{{ .pw | urlquery }}@db/app"}, values{"user": []byte("app"), "pw": []byte("hunter2")})
}

func BenchmarkTenTemplates(b *testing.B) {
	templates := texts{}
	for _, key := range "abcdefghij" {
		templates[string(key)] = "{{ .pw | b64enc }}"
	}
	bench(b, templates, secret)
}

func BenchmarkMebibyte(b *testing.B) {
	bench(b, texts{"k": "{{ .v }}"}, values{"v": bytes.Repeat([]byte("x"), 1<<20)})
}

func BenchmarkParallel(b *testing.B) {
	pool := open(b, render.Config{})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			works(b, pool)
		}
	})
}

// BenchmarkColdStart is a child's start, one request and its end.
func BenchmarkColdStart(b *testing.B) {
	for b.Loop() {
		pool := render.NewPool(render.Config{Path: child})
		works(b, pool)
		pool.Close()
	}
}
