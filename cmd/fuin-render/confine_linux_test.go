package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// confinedProcess makes this program one that confines itself and tells what
// it can still do. Its value is a folder to try to write to.
const confinedProcess = "FUIN_TEST_CONFINED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(confinedProcess); dir != "" {
		_ = json.NewEncoder(os.Stdout).Encode(attempts(dir))
		return
	}
	os.Exit(m.Run())
}

type report struct {
	Landlock int
	Seccomp  bool
	Files    map[string]bool // by attempt: succeeded
	Calls    map[string]bool
}

func attempts(dir string) report {
	var before sync.WaitGroup // threads from before are confined too
	for range 4 {
		before.Go(func() { _, _ = os.ReadFile("/etc/hostname") })
	}
	before.Wait()
	hello := confine()
	_, read := os.ReadFile("/etc/passwd")
	_, list := os.ReadDir("/")
	write := os.WriteFile(filepath.Join(dir, "written"), nil, 0o600)
	environment, _ := os.ReadFile("/proc/" + strconv.Itoa(os.Getppid()) + "/environ")
	fds := make(map[string]error)
	for name, domain := range map[string]int{"inet": unix.AF_INET, "inet6": unix.AF_INET6, "unix": unix.AF_UNIX} {
		_, fds[name] = unix.Socket(domain, unix.SOCK_STREAM, 0)
	}
	_, udp := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	_, mptcp := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	_, lookup := net.LookupHost("fuin.dev")
	return report{
		Landlock: hello.Landlock,
		Seccomp:  hello.Seccomp,
		Files:    map[string]bool{"read": read == nil, "list": list == nil, "write": write == nil, "peek": len(environment) > 0},
		Calls: map[string]bool{
			"inet": fds["inet"] == nil, "inet6": fds["inet6"] == nil, "unix": fds["unix"] == nil, "udp": udp == nil,
			"mptcp": mptcp == nil, "lookup": lookup == nil, "exec": !errors.Is(unix.Exec("/bin/true", []string{"true"}, nil), unix.EPERM),
		},
	}
}

func TestConfine(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), confinedProcess+"="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if got.Landlock > 0 {
		none(t, got.Files)
	} else {
		t.Log("this kernel has no Landlock: files are open")
	}
	if !got.Seccomp {
		t.Fatal("no filter")
	}
	none(t, got.Calls)
}

func none(t *testing.T, succeeded map[string]bool) {
	t.Helper()
	for name, ok := range succeeded {
		if ok {
			t.Errorf("%s is possible", name)
		}
	}
}
