package main

import (
	"context"

	"fuin.dev/controller/gittest"
)

// startGit starts the Git server, with an empty repository that takes pushes.
func startGit(ctx context.Context, d *demo) error {
	var err error
	if d.git, err = gittest.Start(ctx, gittest.Config{}); err != nil {
		return err
	}
	if d.repo, err = d.git.Repo("shop"); err != nil {
		return err
	}
	_, err = d.repo.Git(ctx, "config", "http.receivepack", "true")
	return err
}

// addRemote is shown, since the address of the server is not known before.
func addRemote(ctx context.Context, d *demo) error {
	return run("git remote add origin "+d.repo.URL()).do(ctx, d)
}
