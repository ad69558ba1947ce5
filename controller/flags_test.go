package controller_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/controller/fuintest"
	"fuin.dev/controller/kubetest"
)

// runFor runs a program for its output, both streams together.
func runFor(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	return string(out), err
}

func TestControllerVersion(t *testing.T) {
	out, err := runFor(t, filepath.Join(fuintest.Bin, "fuin-controller"), "--version")
	if err != nil || !regexp.MustCompile(`^controller version: \S+\n$`).MatchString(out) {
		t.Errorf("%q, %v", out, err)
	}
}

var (
	flagWithDefault = regexp.MustCompile(`(?m)^ +--([a-z-]+)( [a-z0-9]+)? .*?(?:\(default "?(.*?)"?\))?$`)
	chartFlag       = regexp.MustCompile(`(?m)^ *- --([a-z-]+)$`)
)

func TestEveryFlagOfSealedSecretsIsAccepted(t *testing.T) {
	usage, _ := runFor(t, kubetest.NeedPeers(t).Controller, "--help")
	rows := flagWithDefault.FindAllStringSubmatch(usage, -1)
	if len(rows) < 25 {
		t.Fatalf("its usage has %d flags:\n%s", len(rows), usage)
	}
	args := []string{"--rotate-period=720h"} // one that its usage hides
	for _, row := range rows {
		arg := "--" + row[1]
		if row[2] != "" {
			arg += "=" + row[3]
		}
		args = append(args, arg)
	}
	if out, err := runFor(t, filepath.Join(fuintest.Bin, "fuin-controller"), append(args, "--version")...); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// chartArgs are what the chart of Sealed Secrets makes of values that set
// everything that it knows.
func (s *system) chartArgs(other string) []string {
	return []string{
		"--update-status", "--skip-recreate", "--key-renew-period", "720h30m", "--key-ttl", "8760h00m00s",
		"--key-cutoff-time", "Mon, 14 Oct 2024 21:45:30 +0200", "--rate-limit", "3", "--rate-limit-burst", "4",
		"--key-prefix", "sealed-secrets-key", "--additional-namespaces", other,
		"--privatekey-annotations", "a=b,c=d", "--privatekey-labels", "e=f",
		"--log-info-stdout", "--log-level", "INFO", "--log-format", "json",
		"--max-unseal-retries", "5", "--watch-for-secrets", "--kubeclient-qps", "5", "--kubeclient-burst", "10",
		"--listen-addr", "127.0.0.1:0", "--listen-metrics-addr", s.FreeAddress(),
	}
}

func TestRunsWithTheArgumentsOfTheChart(t *testing.T) {
	s := newSystem(t, kubetest.Shared(t))
	ns, unwatched := s.Namespace(t), s.Namespace(t)
	args := s.chartArgs(ns)
	template, err := os.ReadFile(filepath.Join(upstreamDir(t), "helm", "sealed-secrets", "templates", "deployment.yaml"))
	s.OK(err)
	for _, match := range chartFlag.FindAllStringSubmatch(string(template), -1) {
		if !slices.Contains(args, "--"+match[1]) {
			t.Errorf("the chart can set --%s, and this test does not", match[1])
		}
	}
	p := s.Start(args...)
	s.Eventually("the controller serves", func() bool { return strings.Contains(p.Log.String(), `"msg":"serving"`) })
	s.Put(s.Seal(secret(unwatched, "db", "k", "v"), false))
	s.Put(s.Seal(secret(ns, "db", "k", "v"), false))
	s.Opens(ns, "db", "k", "v")
	if s.Secret(unwatched, "db") != nil {
		t.Error("it opened in a namespace that it was not told to watch")
	}
}

func TestFlagsFromTheEnvironmentOfSealedSecrets(t *testing.T) {
	t.Setenv("SEALED_SECRETS_ALL_NAMESPACES", "perhaps")
	out, err := runFor(t, filepath.Join(fuintest.Bin, "fuin-controller"), "--all-namespaces=false", "--version")
	if err != nil {
		t.Errorf("the command line does not win: %v: %s", err, out)
	}
	if out, err = runFor(t, filepath.Join(fuintest.Bin, "fuin-controller"), "--version"); err == nil || !strings.Contains(out, "SEALED_SECRETS_ALL_NAMESPACES") {
		t.Errorf("the variable was not read: %s", out)
	}
}
