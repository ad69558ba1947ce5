package main

import (
	"github.com/spf13/cobra"
)

// The groups of verbs in fuin help.
const (
	groupSecrets      = "secrets"
	groupRepository   = "repository"
	groupKeys         = "keys"
	groupEnvironments = "environments"
	groupOther        = "other"
)

func newRoot(u *ui) *cobra.Command {
	root := &cobra.Command{
		Use:   "fuin",
		Short: "Keep Kubernetes Secrets in Git, sealed",
		Long: `Fuin keeps Kubernetes Secrets in Git. It seals them with a cluster's public
key, so that only the controller in that cluster can open them: nobody on the
way, be it Git host, CI or reviewer, can read a value.`,
		Example: `  fuin seal --cert cert.pem secret.yaml > sealed.yaml
  fuin seal -r recipients.txt --in-place overlays/production
  fuin open -i identity.txt sealed.yaml`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return u.readEnvironment(cmd) },
	}
	root.SetIn(u.stdin)
	root.SetOut(u.stdout)
	root.SetErr(u.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(u.stdout, cmd) })
	root.AddGroup(
		&cobra.Group{ID: groupSecrets, Title: "Secrets"},
		&cobra.Group{ID: groupRepository, Title: "Repository"},
		&cobra.Group{ID: groupKeys, Title: "Keys"},
		&cobra.Group{ID: groupEnvironments, Title: "Environments"},
		&cobra.Group{ID: groupOther, Title: "Other"})
	addGrouped(root, groupSecrets,
		newSeal(u),
		newOpen(u),
		newSet(u),
		newUnset(u),
		newInspect(u),
		newEdit(u),
		newReseal(u),
		newDiff(u),
		newFilter(u),
		newMigrate(u),
	)
	addGrouped(root, groupRepository,
		newInit(u),
		newConfig(u),
		newCheck(u),
		newHook(u),
	)
	addGrouped(root, groupKeys,
		newKeys(u),
	)
	addGrouped(root, groupEnvironments,
		newRender(u),
		newStatus(u),
		newWait(u),
		newVault(u),
	)
	addGrouped(root, groupOther,
		newVersion(u),
		newCompletion(u),
	)
	root.AddCommand(newTextconv(u), newMergeDriver()) // which git calls
	root.SetHelpCommand(newHelp(u))
	root.AddCommand(newExitCodes())
	needVerb(root)
	addVersionFlag(u, root)
	return root
}

// addVersionFlag makes fuin --version do what people expect of it.
func addVersionFlag(u *ui, root *cobra.Command) {
	help := root.RunE
	wanted := root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *wanted {
			return printVersion(u, readVersion(), "text")
		}
		return help(cmd, args)
	}
}

func addGrouped(root *cobra.Command, group string, verbs ...*cobra.Command) {
	for _, verb := range verbs {
		verb.GroupID = group
		root.AddCommand(verb)
	}
}

// needVerb makes a command that only groups others print its help when it is
// called alone, and refuse what it does not know.
func needVerb(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := helpHint(cmd)
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + cmd.CommandPath() + " " + near[0]
		}
		return misuse(hint, "%q is no command of %s", args[0], cmd.CommandPath())
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

func helpHint(cmd *cobra.Command) string { return cmd.CommandPath() + " --help" }

func flagError(cmd *cobra.Command, err error) error {
	return misuse(helpHint(cmd), "%w", err)
}

// needArgs demands at least one argument, named what; atMost 0 is any number.
func needArgs(what string, atMost int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return misuse(helpHint(cmd), "%s is missing", what)
		case atMost > 0 && len(args) > atMost:
			return misuse(helpHint(cmd), "too many arguments: %q", args[atMost])
		}
		return nil
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misuse(helpHint(cmd), "unexpected argument %q", args[0])
	}
	return nil
}
