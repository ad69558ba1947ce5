package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestPipelines runs what docs/ci.md and action.yml have pipelines run, in a
// clone of one commit, without a cluster: it passes a sealed repository, and
// refuses one with a secret in it.
func TestPipelines(t *testing.T) {
	buildSandbox(t)
	snippets := pipelines(t)
	for name, commands := range snippets {
		t.Run(name, func(t *testing.T) {
			if len(commands) == 0 {
				t.Fatal("no command was found")
			}
			for _, leaks := range []bool{false, true} {
				p := newPipeline(t, leaks)
				code, said := p.run(t, commands)
				if leaks != (code == exitFindings) || !leaks && code != exitOK {
					t.Errorf("leaks: %t: exit code %d:\n%s", leaks, code, said)
				}
				if strings.Contains(said, "correct-horse") {
					t.Errorf("a value is said:\n%s", said)
				}
			}
		})
	}
}

// pipelines are the commands of each snippet, by the heading above it.
func pipelines(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{"action.yml": commandsOf(t, contentOf(t, "../../action.yml"))}
	_, text, found := strings.Cut(contentOf(t, "../../docs/ci.md"), "\n## In a pipeline\n")
	if !found {
		t.Fatal("docs/ci.md has no part on pipelines")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	for part := range strings.SplitSeq("\n"+text, "\n### ") {
		heading, rest, _ := strings.Cut(part, "\n")
		for _, block := range codeBlock.FindAllStringSubmatch(rest, -1) {
			if commands := commandsOf(t, block[2]); len(commands) > 0 {
				out[heading] = append(out[heading], commands...)
			}
		}
	}
	if len(out) < 6 {
		t.Fatalf("only %d snippets were found", len(out))
	}
	return out
}

// commandsOf lists the commands of a snippet but those that install fuin.
func commandsOf(t *testing.T, snippet string) (commands []string) {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(snippet), &document); err != nil {
		t.Fatal(err)
	}
	var walk func(n *yaml.Node, command bool)
	walk = func(n *yaml.Node, command bool) {
		switch {
		case n.Kind == yaml.ScalarNode && command:
			for line := range strings.Lines(n.Value) {
				if line = strings.TrimSpace(line); !strings.HasPrefix(line, "go install ") {
					commands = append(commands, line)
				}
			}
		case n.Kind == yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				key := n.Content[i].Value
				walk(n.Content[i+1], key == "run" || key == "script")
			}
		default:
			for _, item := range n.Content {
				walk(item, command)
			}
		}
	}
	walk(&document, false)
	return commands
}

// A pipeline is a clone of one commit, as pipelines make it.
type pipeline struct {
	dir string
	env []string
}

func newPipeline(t *testing.T, leaks bool) *pipeline {
	t.Helper()
	home := t.TempDir()
	p := &pipeline{dir: filepath.Join(home, "origin"), env: append(os.Environ(), "HOME="+home, "GIT_CONFIG_NOSYSTEM=1",
		"KUBECONFIG="+filepath.Join(home, "none"), "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com", "ARGUMENTS=")}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: correct-horse-battery}\n"
	p.must(t, "git init -q && git config uploadpack.allowAnySHA1InWant true")
	p.must(t, "echo '# shop' > README.md && git add . && git commit -q -m start")
	base := strings.TrimSpace(p.must(t, "git rev-parse HEAD"))
	if err := os.WriteFile(filepath.Join(p.dir, "secret.yaml"), []byte(secret), 0o644); err != nil { //nolint:gosec // a manifest
		t.Fatal(err)
	}
	if !leaks {
		p.must(t, "fuin keys generate --out ../identity.txt 2>../said && sed -n 's/^public key: //p' ../said > ../recipient.txt")
		p.must(t, "fuin seal -r ../recipient.txt --in-place secret.yaml")
	}
	p.must(t, "git add . && git commit -q -m change && git clone -q --depth=1 file://"+p.dir+" ../clone")
	p.dir = filepath.Join(home, "clone")
	p.env = append(p.env, "BASE="+base, "CI_MERGE_REQUEST_DIFF_BASE_SHA="+base, "CI_COMMIT_SHA="+base)
	return p
}

func (p *pipeline) must(t *testing.T, line string) string {
	t.Helper()
	code, said := p.run(t, []string{line})
	if code != exitOK {
		t.Fatalf("%s\n%s", line, said)
	}
	return said
}

// run runs commands as a pipeline does: up to the first that fails.
func (p *pipeline) run(t *testing.T, commands []string) (int, string) {
	t.Helper()
	var said bytes.Buffer
	for _, line := range commands {
		fmt.Fprintf(&said, "$ %s\n", line)
		if len(commands) == 1 {
			said.Reset()
		}
		cmd := exec.Command("bash", "-c", line) //nolint:gosec // of our own pages
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, &said, &said
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			return code, said.String()
		}
	}
	return exitOK, said.String()
}

// TestPreCommitProgram has the real pre-commit program run the hook, before a
// commit and before a push.
func TestPreCommitProgram(t *testing.T) {
	if _, err := exec.LookPath("pre-commit"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("there is no program pre-commit: install it, on Debian with apt-get install pre-commit")
	}
	buildSandbox(t)
	p := newPipeline(t, false)
	hooks := hooksFor(t, contentOf(t, "../../.pre-commit-hooks.yaml"))
	p.must(t, "mkdir ../fuin && cd ../fuin && git init -q && printf '%s' '"+strings.ReplaceAll(hooks, "'", `'\''`)+"' > .pre-commit-hooks.yaml && git add . && git commit -q -m hooks")
	p.must(t, "printf 'repos:\n- repo: %s\n  rev: %s\n  hooks: [{id: fuin-check-system}]\n' ../fuin $(git -C ../fuin rev-parse HEAD) > .pre-commit-config.yaml")
	p.must(t, "git fetch -q --unshallow && git init -q --bare ../remote && git remote add to ../remote && git add . && git commit -q -m hooks && git push -q to HEAD")
	p.must(t, "pre-commit install && pre-commit install --hook-type pre-push")

	p.must(t, "echo text >> README.md && git commit -q -a -m text && git push -q to HEAD")
	secret := "printf 'kind: Secret\napiVersion: v1\nmetadata: {name: x, namespace: shop}\nstringData: {password: correct-horse-battery}\n' > x.yaml && git add x.yaml && "
	for _, tt := range []struct{ what, line string }{
		{"a commit", secret + "git commit -q -m x"},
		{"a push of a commit made without the hook", secret + "git commit -q --no-verify -m x && git push -q to HEAD"},
		{"a push to an empty repository", "git init -q --bare ../new && git remote add new ../new && git push -q new HEAD:refs/heads/first"},
	} {
		code, said := p.run(t, []string{tt.line})
		if code == exitOK || !strings.Contains(said, "x.yaml:4:") || strings.Contains(said, "correct-horse") {
			t.Errorf("%s: exit code %d:\n%s", tt.what, code, said)
		}
	}
}

// hooksFor writes the stages as the installed program calls them: until version
// 3.2 it knew other names, and the hooks ask for that version.
func hooksFor(t *testing.T, hooks string) string {
	t.Helper()
	version, err := exec.Command("pre-commit", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(version), "pre-commit %d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	if major > 3 || major == 3 && minor >= 2 {
		return hooks
	}
	return strings.NewReplacer("[pre-commit, pre-push, manual]", "[commit, push, manual]", "  minimum_pre_commit_version: 3.2.0\n", "").Replace(hooks)
}
