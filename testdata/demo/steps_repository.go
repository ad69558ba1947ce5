package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The sample repository, and where its Secrets are.
const (
	sample         = "testdata/repos/shop"
	stagingFile    = "overlays/staging/secret.yaml"
	productionFile = "overlays/production/secret.yaml"
)

// Passwords of the shop's database in each environment, and of the mailer's
// account in staging, old and new.
const (
	developmentPassword = "sample-green-gecko"
	stagingPassword     = "sample-early-badger"
	productionPassword  = "sample-winter-otter"
	oldStamp            = "sample-yellow-stamp"
	newStamp            = "sample-purple-stamp"
)

// values are all that is sealed. It is a test of the demo that none of them is
// ever in Git.
var values = []string{
	developmentPassword, stagingPassword, productionPassword, oldStamp, newStamp,
	"developer-1", "shop-tester", "shop-writer", "sample-1111-1111", "sample-2222-2222", "sample-0000-0000",
	"sample-paper-plane", "sample-sealing-wax",
}

func repositoryParts() []part {
	return []part{
		say(`The manifests of a shop (a copy of testdata/repos/shop): a web server and
			a mailer. What all environments share is in base. Production runs in two
			variants beside each other, told apart by a name prefix.`),
		run("cp -R testdata/repos/shop $DEMO/shop"),
		act(enterRepository),
		run("ls overlays").prints("development", "production-base", "production-canary", "staging"),
		run("cat overlays/production-canary/kustomization.yaml").prints("namePrefix: canary-"),
		say(`The overlays have Secrets of their own. As they stand they must not be
			committed: the values are plain text, and a comment repeats one.`),
		run("head -n 13 " + productionFile).prints(productionPassword),
	}
}

func enterRepository(_ context.Context, d *demo) error {
	d.work = d.path("shop")
	d.screen.command("cd $DEMO/shop")
	return nil
}

func sealParts() []part {
	return []part{
		say(`Once per repository, the public keys of the clusters are kept beside the
			manifests, and a file says which paths belong to which cluster. From then
			on sealing needs no cluster.`),
		run("mkdir keys\nfor c in staging production; do\n" +
			"  fuin keys list -o public cluster:$c > keys/$c.txt\ndone").prints("listing the keys"),
		run("cat .fuin.yaml").prints("clusters: [production]"),
		say(`The Secrets are sealed where they stand. Each value is sealed by itself,
			for this namespace, this name and this key. Production's may take another
			name in the same namespace, since the variants have prefixes.`),
		run("for ns in development staging; do\n"+
			"  fuin seal -r keys/staging.txt -n $ns --in-place overlays/$ns/secret.yaml\ndone\n"+
			"fuin seal -r keys/production.txt -n production --scope namespace-wide \\\n    --in-place "+productionFile).
			prints("sealed 2 Secrets", `dropped a comment that holds the value of key "password"`).withoutCluster(),
		claim{"no value is left in the files, and no cluster was asked: there was no kubeconfig", filesAreSealed},
		claim{"the comments that held a password are gone, with a warning; others are kept", commentsAsTold},
		run("head -n 20 " + stagingFile),
		say(`What it is, anyone can see, without a key.`),
		run("fuin inspect "+stagingFile).prints("strict", "mlkem768x25519"),
	}
}

func commitParts() []part {
	return []part{
		say(`A Git server starts on a port of this machine. It lets everybody in;
			docs/environments.md tells of credentials and signatures. The Environments
			name a forge that does not exist: they get this server's address, and are
			to look for new commits every second instead of every minute.`),
		act(startGit),
		run("git init").prints("Initialized"),
		act(addRemote),
		run("sed -i \"s|https://git.example/shop.git|$(git remote get-url origin)|\" \\\n" +
			"    environments/*/*.yaml\n" +
			"sed -i 's/nterval: .*/nterval: 1s/' environments/*/*.yaml"),
		run("git add . && git commit -q -m 'The shop' && git push -q origin main"),
		say(`The passwords are searched for in all commits, plain and in base64.`),
		run("for p in " + productionPassword + " " + stagingPassword + "; do\n" +
			"  git grep -e $p -e $(printf $p | base64) $(git rev-list --all) ||\n    echo nothing found\ndone").prints("nothing found"),
		claim{"no object of the Git server's repository holds any value", gitHoldsNoValue},
	}
}

func filesAreSealed(_ context.Context, d *demo) error {
	for _, name := range []string{"overlays/development/secret.yaml", stagingFile, productionFile} {
		text, err := os.ReadFile(filepath.Join(d.work, name))
		if err != nil {
			return err
		}
		if n := strings.Count(string(text), "kind: SealedSecret"); n != 2 {
			return fmt.Errorf("%s holds %d SealedSecrets, and should hold 2", name, n)
		}
		if err := holdsNoValue(string(text)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func commentsAsTold(_ context.Context, d *demo) error {
	text, err := os.ReadFile(filepath.Join(d.work, stagingFile))
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), "# "); n != 4 {
		return fmt.Errorf("%d comments are left of 5", n)
	}
	return nil
}

// gitHoldsNoValue searches every object that the server has, also those that no
// commit reaches.
func gitHoldsNoValue(ctx context.Context, d *demo) error {
	objects, err := d.repo.Git(ctx, "cat-file", "--batch", "--batch-all-objects")
	if err != nil {
		return err
	}
	return holdsNoValue(objects)
}

// holdsNoValue finds values in plain text and in base64.
func holdsNoValue(text string) error {
	for _, value := range values {
		for _, form := range []string{value, base64.StdEncoding.EncodeToString([]byte(value))} {
			if strings.Contains(text, form) {
				return fmt.Errorf("%q is there", form)
			}
		}
	}
	return nil
}
