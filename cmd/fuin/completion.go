package main

import (
	"github.com/spf13/cobra"
)

func newCompletion(u *ui) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes fuin's commands in a shell",
		Long: `Print a script that completes the commands, flags and flag values of fuin in a
shell. Load it from the shell's start-up file.`,
		Example: `  source <(fuin completion bash)
  fuin completion zsh > "${fpath[1]}/_fuin"
  fuin completion fish > ~/.config/fish/completions/fuin.fish`,
		Args:                  needArgs("the name of a shell", 1),
		ValidArgs:             []string{"bash", "zsh", "fish", "powershell"},
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return printCompletion(u, cmd.Root(), args[0])
		},
	}
}

func printCompletion(u *ui, root *cobra.Command, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(u.stdout, true)
	case "zsh":
		return root.GenZshCompletion(u.stdout)
	case "fish":
		return root.GenFishCompletion(u.stdout, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(u.stdout)
	}
	return misuse("use bash, zsh, fish or powershell", "%q is no shell that fuin knows", shell)
}
