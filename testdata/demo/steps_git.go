package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The sample repository, its Secret, and the values of that. A test of the
// demo is that none of these is ever in Git.
const (
	sample      = "testdata/repos/shop"
	file        = "overlays/production/secret.yaml"
	username    = "shop-writer"
	sessionKey  = "sample-0000-0000"
	oldPassword = "sample-winter-otter"
	newPassword = "sample-summer-heron"
)

func repositoryParts() []part {
	return []part{
		say(`The manifests of a shop: a Deployment, a Service, a ConfigMap, and a
			kustomize overlay for production (a copy of testdata/repos/shop).`),
		run("cp -R testdata/repos/shop $DEMO/shop"),
		act(enterRepository),
		run("git init").prints("Initialized"),
		run("git add README.md base && git commit -q -m 'The shop'"),
		say(`A developer adds the Secret of production. As it stands it must not be
			committed: the values are plain text, and a comment repeats one.`),
		run("cat "+file).prints(oldPassword, username, sessionKey),
	}
}

func enterRepository(_ context.Context, d *demo) error {
	d.work = d.path("shop")
	d.screen.command("cd $DEMO/shop")
	return nil
}

func sealParts() []part {
	return []part{
		say(`Once per repository, the public keys of the cluster are kept beside the
			manifests. From then on sealing needs no cluster.`),
		run("mkdir keys"),
		run("fuin keys list -o public cluster > keys/production.txt").prints("listing the keys"),
		say(`The Secret is sealed where it stands. Each value is sealed by itself,
			for this namespace, this name and this key.`),
		run("fuin seal -r keys/production.txt -n shop --in-place \\\n    "+file).
			prints("sealed 1 Secret", `dropped a comment that holds the value of key "password"`).withoutCluster(),
		claim{"no value is left in the file, and no cluster was asked: there was no kubeconfig", fileIsSealed},
		claim{"the comment that held the password is gone, with a warning; the others are kept", commentsAsTold},
		run("cat " + file),
		say(`What it is, anyone can see, without a key. The size of a value tells
			little about its length: short ones are padded.`),
		run("fuin inspect "+file).prints("strict", "mlkem768x25519"),
	}
}

func commitParts() []part {
	return []part{
		say(`A SealedSecret is committed like any other manifest.`),
		run("git add keys overlays && git commit -q -m 'The database of production'"),
		run("git show --stat --format=%s").prints(file),
		say(`The password is searched for in all commits, plain and in base64.`),
		run("git grep -e " + oldPassword + " -e $(printf " + oldPassword + " | base64) \\\n" +
			"    $(git rev-list --all) || echo nothing found").prints("nothing found"),
		claim{"no object of the Git repository holds any of the three values", gitHoldsNoValue},
	}
}

func changeParts() []part {
	return []part{
		say(`The password is rotated. The new one is sealed by itself, and two lines
			of shell put it where the old one was. Nobody has to read the other values
			or hold a private key.`),
		run("sealed=$(printf " + newPassword + " | fuin seal -r keys/production.txt \\\n" +
			"    -n shop --name database --from-file password=- | grep '^    password: ')\n" +
			"sed -i \"s|^    password: .*|$sealed|\" " + file).withoutCluster(),
		say(`One line changed. A reviewer sees which value it is, and not what it says.`),
		run("git diff --stat -p -U0").prints("1 insertion(+), 1 deletion(-)", "+    password: ", "-    password: "),
		run("git commit -q -a -m 'A new password for the database'"),
		run("kubectl apply -k overlays/production").
			prints("sealedsecret.bitnami.com/database configured"),
		run(waitReady).prints("condition met"),
		run(readPassword).prints(newPassword),
		claim{"the Secret holds the new password, and the other values are as before", valuesAre(newPassword)},
	}
}

func fileIsSealed(_ context.Context, d *demo) error {
	text, err := os.ReadFile(filepath.Join(d.work, file))
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), "kind: SealedSecret") {
		return errors.New("the file holds no SealedSecret")
	}
	return holdsNoValue(string(text))
}

func commentsAsTold(_ context.Context, d *demo) error {
	text, err := os.ReadFile(filepath.Join(d.work, file))
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), "# "); n != 3 {
		return fmt.Errorf("%d comments are left of 4", n)
	}
	return nil
}

// gitHoldsNoValue searches every object, also those that no commit reaches.
func gitHoldsNoValue(ctx context.Context, d *demo) error {
	objects, err := d.quietly(ctx, "git cat-file --batch --batch-all-objects")
	if err != nil {
		return err
	}
	return holdsNoValue(objects)
}

// holdsNoValue finds values in plain text and in base64.
func holdsNoValue(text string) error {
	for _, value := range []string{username, sessionKey, oldPassword, newPassword} {
		for _, form := range []string{value, base64.StdEncoding.EncodeToString([]byte(value))} {
			if strings.Contains(text, form) {
				return fmt.Errorf("%q is there", form)
			}
		}
	}
	return nil
}
