package main

import (
	"os"
	"path/filepath"
)

// A hookManager is a program that writes a repository's hooks itself, and would
// write over ours.
type hookManager struct {
	name  string
	files []string // of which one stands at the root of the repository
	into  string   // where its hooks are written down
	lines string
}

var hookManagers = []hookManager{
	{
		name: "pre-commit", files: []string{".pre-commit-config.yaml", ".pre-commit-config.yml"}, into: ".pre-commit-config.yaml",
		lines: `  - repo: local
    hooks:
      - id: fuin-check
        name: fuin check
        entry: ` + hookLine + `
        language: system
        pass_filenames: false
        always_run: true
`,
	},
	{
		name: "lefthook", files: []string{"lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml"}, into: "lefthook.yml",
		lines: `pre-commit:
  commands:
    fuin:
      run: ` + hookLine + `
`,
	},
	{name: "husky", files: []string{".husky"}, into: ".husky/pre-commit", lines: hookLine + "\n"},
}

// hookManagerOf finds the manager of a repository's hooks; nil if there is none.
func hookManagerOf(root string) *hookManager {
	for i, m := range hookManagers {
		for _, file := range m.files {
			if _, err := os.Lstat(filepath.Join(root, file)); err == nil {
				return &hookManagers[i]
			}
		}
	}
	return nil
}
