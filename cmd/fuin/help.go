package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is the width of help texts, in columns.
const helpWidth = 80

// newHelp is cobra's help command, but for a topic that it does not know.
func newHelp(u *ui) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command, or the exit codes",
		Example: `  fuin help seal
  fuin help exit-codes`,
		GroupID:           groupOther,
		ValidArgsFunction: completeCommands,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		topic, rest, err := cmd.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return misuse("fuin help lists what there is", "no help on %q", strings.Join(args, " "))
		}
		printHelp(u.stdout, topic)
		return nil
	}
	return cmd
}

func completeCommands(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	topic, _, err := cmd.Root().Find(args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, sub := range topic.Commands() {
		names = append(names, sub.Name()+"\t"+sub.Short)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// printHelp writes the help of a command.
func printHelp(w io.Writer, cmd *cobra.Command) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintln(w, text)
	if cmd.HasParent() && !cmd.Runnable() {
		return // a topic
	}
	fmt.Fprintf(w, "\nUsage:\n  %s\n", usageLine(cmd))
	printCommands(w, cmd)
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableLocalFlags() && cmd.HasParent() {
		fmt.Fprintln(w, "\nFlags:")
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { printFlag(w, f) })
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nMore on a command: %s COMMAND --help\n", cmd.CommandPath())
	}
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

func printCommands(w io.Writer, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	groups := append(cmd.Groups(), &cobra.Group{Title: "Commands"})
	for _, group := range groups {
		title := "\n" + group.Title + ":\n"
		for _, sub := range cmd.Commands() {
			if sub.GroupID != group.ID || !sub.IsAvailableCommand() {
				continue
			}
			fmt.Fprintf(w, "%s  %-12s %s\n", title, sub.Name(), sub.Short)
			title = ""
		}
	}
	if !cmd.HasParent() {
		fmt.Fprint(w, "\nTopics:\n  exit-codes   What the exit codes mean\n")
	}
}

func printFlag(w io.Writer, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	name, usage := pflag.UnquoteUsage(f)
	short := "    "
	if f.Shorthand != "" {
		short = "-" + f.Shorthand + ", "
	}
	fmt.Fprintln(w, strings.TrimRight("  "+short+"--"+f.Name+" "+name, " "))
	if vars := f.Annotations[envAnnotation]; len(vars) > 0 {
		usage += " [$" + vars[0] + "]"
	}
	for _, line := range wrap(usage, helpWidth-10) {
		fmt.Fprintln(w, "          "+line)
	}
}

// wrap breaks text into lines of at most width columns.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
