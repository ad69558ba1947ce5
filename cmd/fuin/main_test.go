package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fuin.dev/keys"
	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the actual output into testdata/*.txtar")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fuin": main, "asnobody": runAsNobody})
}

// TestScripts runs testdata/*.txtar, one behaviour of the command each.
func TestScripts(t *testing.T) {
	buildSandbox(t)
	web := newWeb(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "none"))
			if err := web.setup(env); err != nil {
				return err
			}
			return writeKeys(env.WorkDir)
		},
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return os.Getuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"repeat": repeat,
			"mode":   mode,
			"bytes":  writeBytes,
			"insert": insertText,
			"append": appendFile,
		},
	})
}

// buildSandbox puts fuin-render beside the fuin of the scripts.
func buildSandbox(t *testing.T) {
	t.Helper()
	fuin, err := exec.LookPath("fuin")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "build", "-o", filepath.Dir(fuin), "fuin.dev/cmd/fuin-render").CombinedOutput()
	if err != nil {
		t.Fatalf("building fuin-render: %v\n%s", err, out)
	}
}

// testKeys are made once: an RSA key takes long.
var testKeys = sync.OnceValues(func() (map[string][]byte, error) {
	now := time.Now()
	files := map[string][]byte{}
	for name, kind := range map[string]keys.Kind{"hybrid": keys.Hybrid, "second": keys.Hybrid, "other": keys.Hybrid, "classic": keys.X25519} {
		id, err := keys.Generate(kind, now, 0, "")
		if err != nil {
			return nil, err
		}
		files[name+".txt"], files[name+".pub"] = id.Marshal(), id.Recipient().Marshal()
	}
	for name, validFor := range map[string]time.Duration{"rsa": time.Hour, "rsa-other": time.Hour, "expired": -time.Hour} {
		id, err := keys.GenerateRSA(keys.MinRSABits, now, validFor, "")
		if err != nil {
			return nil, err
		}
		files[name+".key"], files[name+".pem"] = id.Marshal(), id.Recipient().Marshal()
	}
	return files, nil
})

func writeKeys(dir string) error {
	files, err := testKeys()
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// exits CODE COMMAND [ARG...] runs a command and checks its exit code. Before
// the command, -user runs it as nobody where the test runs as root.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE [-user] COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	if args[0] == "-user" {
		args = asNobody(ts, args[1:])
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[0], args[1:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// nobody is a user that owns nothing.
const nobody = 65534

// asNobody prefixes a command so that it runs without root's rights.
func asNobody(ts *testscript.TestScript, args []string) []string {
	if os.Getuid() != 0 {
		return args
	}
	fuin, err := exec.LookPath("fuin")
	ts.Check(err)
	for _, dir := range []string{filepath.Dir(fuin), ts.Getenv("WORK")} {
		for ; dir != os.TempDir() && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			ts.Check(os.Chmod(dir, 0o755))
		}
	}
	return append([]string{"asnobody"}, args...)
}

// runAsNobody is the command asnobody: it gives up root's rights and becomes
// the command in its arguments.
func runAsNobody() {
	path, err := exec.LookPath(os.Args[1])
	for _, step := range []func() error{
		func() error { return err },
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setgid(nobody) },
		func() error { return syscall.Setuid(nobody) },
		func() error { return syscall.Exec(path, os.Args[1:], os.Environ()) },
	} {
		if err := step(); err != nil {
			panic(err)
		}
	}
}

// repeat TEXT COUNT FILE writes a text many times.
func repeat(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[2]))
	ts.Check(err)
	for range n {
		_, err := f.WriteString(args[0])
		ts.Check(err)
	}
	ts.Check(f.Close())
}

// mode FILE PERM [UID] checks the permissions of a file, in octal.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
	if owner := fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid); len(args) > 2 && owner != args[2] {
		ts.Fatalf("%s belongs to %s, not %s", args[0], owner, args[2])
	}
}

// bytes FILE HEX... writes bytes.
func writeBytes(ts *testscript.TestScript, _ bool, args []string) {
	var out []byte
	for _, hex := range args[1:] {
		b, err := strconv.ParseUint(hex, 16, 8)
		ts.Check(err)
		out = append(out, byte(b))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out, 0o600))
}

// insert FILE WORD SOURCE puts the text of a file where a word stands in another.
func insertText(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %s", args[0], args[1])
	}
	text = strings.ReplaceAll(text, args[1], strings.TrimSpace(ts.ReadFile(args[2])))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// append FILE SOURCE puts the text of a file behind that of another.
func appendFile(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[0])+ts.ReadFile(args[1])), 0o600))
}
