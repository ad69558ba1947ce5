package engine_test

import "testing"

func BenchmarkTemplate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		run(b, "postgres://{{ .user }}:{{ .pw | urlquery }}@db/app")
	}
}
