//go:build unix

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fuin.dev/controller/kubetest"
)

// A canaryRun is a machine on which fuin is run over secrets: all directories
// that a program can write to are its own, and each program that fuin starts
// notes its arguments and environment. inputs, which holds values and private
// keys in plain, is no part of what must not show them.
type canaryRun struct {
	t                *testing.T
	root, inputs     string
	work, shm, notes string
	env              []string
}

// canaryEditor is an editor: it writes a value.
const canaryEditor = `sed "s/password:.*/password: ` + canary + `/" "$1" >"$1~" && cp "$1~" "$1"`

func newCanaryRun(t *testing.T) *canaryRun {
	t.Helper()
	r := &canaryRun{t: t, root: t.TempDir(), inputs: t.TempDir()}
	r.shm = filepath.Join(r.root, "shm")
	if isInMemory("/dev/shm") {
		var err error
		if r.shm, err = os.MkdirTemp("/dev/shm", "fuin-test-*"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(r.shm) })
	}
	r.work, r.notes = filepath.Join(r.root, "work"), filepath.Join(r.root, "notes")
	for _, dir := range []string{"bin", "home", "tmp", "state", "work", "shm"} {
		if err := os.MkdirAll(filepath.Join(r.root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeKeys(r.inputs); err != nil {
		t.Fatal(err)
	}
	writeAllOf(t, r.input("value"), canary)
	r.env = append(os.Environ(), "HOME="+r.in("home"), "TMPDIR="+r.in("tmp"), "XDG_STATE_HOME="+r.in("state"), "XDG_RUNTIME_DIR="+r.shm,
		"XDG_CONFIG_HOME="+r.in("home"), "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
		"KUBECONFIG=", "SOPS_AGE_KEY_FILE="+r.input("classic.txt"), "PATH="+r.in("bin")+":"+os.Getenv("PATH"),
		"VISUAL=", "EDITOR="+r.program("editor", canaryEditor))
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal("git is not installed: these tests need it")
	}
	r.program("git", "exec "+git+` "$@"`)
	return r
}

func (r *canaryRun) in(name string) string { return filepath.Join(r.root, name) }

func (r *canaryRun) input(name string) string { return filepath.Join(r.inputs, name) }

// program is one that notes what it was given. What it does stands in inputs,
// since it may be about the value.
func (r *canaryRun) program(name, does string) string {
	r.t.Helper()
	path := r.in("bin/" + name)
	writeProgram(r.t, r.input("does-"+name), "#!/bin/sh\n"+does+"\n")
	writeProgram(r.t, path, "#!/bin/sh\n{ echo "+name+` "$@"; env; } >>`+r.notes+"\nexec "+r.input("does-"+name)+` "$@"`+"\n")
	return path
}

func writeProgram(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
}

// command is a fuin that is to run.
func (r *canaryRun) command(args ...string) *exec.Cmd {
	cmd := exec.Command("fuin", args...)
	cmd.Dir, cmd.Env = r.work, r.env
	return cmd
}

// run runs fuin to its end, and looks for the value in what it says and leaves.
func (r *canaryRun) run(code int, stdin string, args ...string) {
	r.t.Helper()
	cmd := r.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		r.t.Fatalf("fuin %s: %v, want code %d: %s", strings.Join(args, " "), err, code, said.String())
	}
	what := "fuin " + strings.Join(args, " ")
	r.clean(what+" says", said.Bytes())
	r.cleanFiles(what)
}

// canaryShapes are those in which the value would be found.
func canaryShapes() map[string][]byte {
	out := map[string][]byte{"plain": []byte(canary), "capitals": []byte(strings.ToUpper(canary)), "hex": []byte(hex.EncodeToString([]byte(canary)))}
	for shift := range 3 { // by what stands before it in the text that was encoded
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + canary))
		out[fmt.Sprintf("base64, shifted by %d", shift)] = []byte(encoded[4 : len(encoded)-4])
	}
	return out
}

func (r *canaryRun) clean(where string, data []byte) {
	r.t.Helper()
	for shape, value := range canaryShapes() {
		if bytes.Contains(data, value) {
			at := max(bytes.Index(data, value)-200, 0)
			r.t.Errorf("%s the value (%s):\n%.500s", where, shape, data[at:])
		}
	}
}

// cleanFiles looks into every file, and what it is called, and wants no draft
// left.
func (r *canaryRun) cleanFiles(what string) {
	r.t.Helper()
	for _, root := range []string{r.root, r.shm} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case strings.HasPrefix(d.Name(), privatePrefix) || strings.HasPrefix(d.Name(), "fuin-merge-"):
				r.t.Errorf("%s leaves %s", what, path)
			case d.Type().IsRegular():
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				r.clean(what+": "+path+" holds", append([]byte(path), data...))
			}
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// sealed makes a SealedSecret of the value, and of one that is none.
func (r *canaryRun) sealed(file, value string) {
	r.t.Helper()
	plain := r.input("plain.yaml")
	writeAllOf(r.t, plain, "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData:\n  user: shop\n  password: "+value+"\n")
	r.run(exitOK, "", "seal", "-r", r.input("hybrid.pub"), "--out", file, plain)
}

func (r *canaryRun) git(args ...string) {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = r.work, r.env
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// TestNoVerbShowsAValue: neither output, nor arguments and environment of the
// programs that are started, nor any file afterwards holds a value in plain,
// whether a verb succeeds or fails.
func TestNoVerbShowsAValue(t *testing.T) {
	r := newCanaryRun(t)
	key, identity := r.input("hybrid.pub"), r.input("hybrid.txt")
	r.git("init", "-q")
	r.sealed("db.yaml", canary)
	r.sealed("other.yaml", "another")
	r.git("add", ".")
	r.git("commit", "-qm", "first")

	r.run(exitOK, canary, "set", "-r", key, "db.yaml", "fresh")
	r.run(exitOK, "", "set", "-r", key, "--from-file", r.input("value"), "db.yaml", "again")
	r.run(exitError, canary, "set", "-r", identity, "db.yaml", "wrong")
	r.run(exitOK, "", "edit", "-r", key, "other.yaml")
	r.run(exitOK, "", "edit", "-r", key, "-i", identity, "other.yaml")
	r.program("editor", `printf 'spec: [`+canary+`' > "$1"`)
	r.run(exitError, "", "edit", "-r", key, "-i", identity, "other.yaml")
	r.program("editor", `echo "`+canary+`" >&2; printf '`+canary+`' > "$1~"; false`)
	fails := r.command("edit", "-r", key, "-i", identity, "other.yaml")
	if err := fails.Run(); err == nil {
		t.Error("an editor that fails is no error")
	}
	r.cleanFiles("fuin edit whose editor fails")

	for _, args := range [][]string{
		{"diff"},
		{"diff", "-i", identity, "-o", "json"},
		{"diff", "-i", identity, "-o", "markdown", "HEAD"},
		{"textconv", "db.yaml"},
		{"inspect", "db.yaml"},
		{"unset", "db.yaml", "fresh"},
		{"reseal", "-i", identity, "-r", r.input("second.pub"), "db.yaml"},
		{"check", "db.yaml"},
	} {
		r.run(exitOK, "", args...)
	}
	r.run(exitUnreachable, "", "reseal", "-i", r.input("other.txt"), "-r", key, "db.yaml")
	r.run(exitFindings, "", "check", r.input("plain.yaml"))
	r.run(exitFindings, "", "diff", "--exit-code", "-i", identity)
	testCanaryMerging(r)
	testCanaryFilter(r)
	for _, program := range []string{"git -C ", "editor /"} {
		if !strings.Contains(readAllOf(t, r.notes), program) {
			t.Errorf("no notes of %s", program)
		}
	}
}

// testCanaryMerging merges values that both sides rewrote, and lines.
func testCanaryMerging(r *canaryRun) {
	for _, side := range []string{"base.yaml", "ours.yaml", "theirs.yaml"} {
		r.sealed(side, canary)
	}
	r.run(exitError, "", "merge-driver", "base.yaml", "ours.yaml", "theirs.yaml", "db.yaml")
	for side, text := range map[string]string{"base": "a: 1\n", "ours": "a: 2\n", "theirs": "a: 3\n"} {
		writeAllOf(r.t, filepath.Join(r.work, side), text)
	}
	r.run(exitError, "", "merge-driver", "base", "ours", "theirs", "values.yaml")
}

// testCanaryFilter seals what comes from a pipe, and refuses it.
func testCanaryFilter(r *canaryRun) {
	key := r.input("hybrid.pub")
	secret := readAllOf(r.t, r.input("plain.yaml"))
	list := "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {spec: {" + canary + "x: [a]}}\nitems: []\n"
	r.run(exitOK, secret, "filter", "-r", key)
	r.run(exitOK, secret, "filter", "-r", key)
	r.run(exitError, strings.Replace(secret, "password: ", "password: [", 1), "filter", "-r", key)
	r.run(exitError, secret+"---\nkind: ["+canary, "filter")
	r.run(exitUsage, strings.Replace(list, canary+"x", "x", 1), "filter")
	r.run(exitOK, canary, "seal", "-r", key, "-n", "shop", "--token", "--out", "token")
	values := filepath.Join(r.work, "values.yaml")
	writeAllOf(r.t, values, "auth:\n  password: x\n")
	r.run(exitOK, canary, "seal", "-r", key, "-n", "shop", "--field", "auth.password", "--in-place", values)
}

// TestMigrationShowsNoValue: what sops decrypts goes through a pipe.
func TestMigrationShowsNoValue(t *testing.T) {
	sops := filepath.Join(kubetest.Require(t, "sops"), "sops")
	r := newCanaryRun(t)
	program := r.program("sops", "exec "+sops+` "$@"`)
	encrypted := filepath.Join(r.work, "secret.yaml")
	r.t.Setenv("SOPS_AGE_KEY_FILE", r.input("classic.txt"))
	s := &sopsTree{dir: r.work, sops: sops}
	for line := range strings.Lines(readAllOf(t, r.input("classic.pub"))) {
		if strings.HasPrefix(line, "age1") {
			s.recipient = strings.TrimSpace(line)
		}
	}
	s.encrypt(t, "secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData:\n  password: "+canary+"\n")
	before := readAllOf(t, encrypted)
	r.run(exitOK, "", "migrate", "sops", "--sops", program, "-r", r.input("hybrid.pub"), "secret.yaml")
	writeAllOf(t, encrypted, strings.Replace(before, "AES256_GCM,data:", "AES256_GCM,data:AA", 1))
	r.run(exitUnreachable, "", "migrate", "sops", "--sops", program, "-r", r.input("hybrid.pub"), "secret.yaml")
	writeAllOf(t, encrypted, before)
	r.run(exitOK, "", "migrate", "sops", "--sops", program, "-r", r.input("hybrid.pub"), "--in-place", "secret.yaml")
	r.program("sops", "echo '"+canary+"' >&2; false")
	writeAllOf(t, encrypted, before)
	r.run(exitUnreachable, "", "migrate", "sops", "--sops", program, "-r", r.input("hybrid.pub"), "secret.yaml")
	if !strings.Contains(readAllOf(t, r.notes), "sops --decrypt") {
		t.Error("sops was not run")
	}
}

// TestKilledVerbsLeaveNoValue: whoever is killed while a value is in memory
// leaves none in a file.
func TestKilledVerbsLeaveNoValue(t *testing.T) {
	r := newCanaryRun(t)
	key, identity := r.input("hybrid.pub"), r.input("hybrid.txt")
	r.git("init", "-q")
	r.sealed("db.yaml", canary)
	r.git("add", ".")
	r.git("commit", "-qm", "first")
	r.run(exitOK, canary, "set", "-r", key, "db.yaml", "password")
	secret := readAllOf(t, r.input("plain.yaml"))
	git, _ := exec.LookPath("git")
	for name, args := range map[string][]string{
		"set":          {"set", "-r", key, "db.yaml", "fresh"},
		"filter":       {"filter", "-r", key},
		"seal":         {"seal", "-r", key, "--out", "new.yaml", "-"},
		"seal --token": {"seal", "-r", key, "-n", "shop", "--token"},
	} {
		r.killReading(name, strings.Repeat("# "+canary+"\n", 1<<14)+secret, args)
	}
	r.program("git", "if [ -e "+r.input("wait")+" ]; then touch "+r.in("waits")+"; read line <"+r.input("fifo")+"; fi; exec "+git+` "$@"`)
	if err := syscall.Mkfifo(r.input("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	writeAllOf(t, r.input("wait"), "")
	r.killWaiting([]string{"diff", "-i", identity})
	r.killResealing(200)
}

// killReading kills a run that has read all of a value but its end.
func (r *canaryRun) killReading(name, text string, args []string) {
	r.t.Helper()
	cmd := r.command(args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	defer stdin.Close()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	_, wrote := stdin.Write([]byte(text)) // more than a pipe holds: most of it was read
	killed := cmd.Process.Kill()
	_ = cmd.Wait()
	if wrote != nil || killed != nil {
		r.t.Fatalf("%s: %v, %v: %s", name, wrote, killed, said.String())
	}
	r.clean("fuin "+name+", killed, says", said.Bytes())
	r.cleanFiles("fuin " + name + ", killed,")
}

// killWaiting kills a run that waits for git.
func (r *canaryRun) killWaiting(args []string) {
	r.t.Helper()
	said, err := os.Create(r.in("said")) // no pipe: git outlives the run
	if err != nil {
		r.t.Fatal(err)
	}
	defer said.Close()
	cmd := r.command(args...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if os.Remove(r.in("waits")) == nil {
			break
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("fuin %s starts no git: %s", strings.Join(args, " "), readAllOf(r.t, r.in("said")))
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	_ = cmd.Wait()
	release, err := os.OpenFile(r.input("fifo"), os.O_RDWR, 0) // so that git ends
	if err != nil {
		r.t.Fatal(err)
	}
	defer release.Close()
	if _, err := release.WriteString("\n"); err != nil {
		r.t.Fatal(err)
	}
	r.cleanFiles("fuin " + strings.Join(args, " ") + ", killed,")
}

// killResealing kills a run that has resealed some of so many files.
func (r *canaryRun) killResealing(files int) {
	r.t.Helper()
	before := readAllOf(r.t, filepath.Join(r.work, "db.yaml"))
	tree := filepath.Join(r.work, "tree")
	if err := os.Mkdir(tree, 0o700); err != nil {
		r.t.Fatal(err)
	}
	path := func(i int) string { return filepath.Join(tree, fmt.Sprintf("%03d.yaml", i)) }
	for i := range files {
		writeAllOf(r.t, path(i), before)
	}
	cmd := r.command("reseal", "-i", r.input("hybrid.txt"), "-r", r.input("second.pub"), "tree")
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); readAllOf(r.t, path(0)) == before; {
		if time.Now().After(deadline) {
			r.t.Fatal("nothing was resealed within a minute")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		r.t.Error("it had ended before it was killed")
	}
	r.cleanFiles("fuin reseal, killed,")
}
