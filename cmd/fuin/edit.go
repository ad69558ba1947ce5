package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fuin.dev/seal"
	"github.com/spf13/cobra"
)

// editFlags are those of fuin edit.
type editFlags struct {
	keys      recipientFlags
	identity  identityFlags
	reveal    bool
	context   string
	namespace string
}

func newEdit(u *ui) *cobra.Command {
	var f editFlags
	cmd := &cobra.Command{
		Use:   "edit FILE",
		Short: "Edit SealedSecrets in an editor; what changed is sealed",
		Long: `Edit a file of SealedSecrets in $VISUAL or $EDITOR, without a private key:
<sealed> stands for a value, and stays if it is left. Write a plain value in
its place, add keys, rename or take lines out, change comments and metadata.
What is new is sealed; the rest of the file keeps its bytes. Behind another
key, <sealed KEY> is the value that stood behind KEY. A FILE that is not there
is made.

With -i, a private key, or --reveal, which asks the cluster as yourself, values
are shown as they are, and those that stay the same keep their bytes, too.

The editor works on a private file in memory ($XDG_RUNTIME_DIR or /dev/shm,
where there is one), which is wiped at the end, also after a signal; what a kill
leaves the next run wipes.`,
		Example: `  fuin edit overlays/staging/db.yaml
  fuin edit -i identity.txt sealed.yaml
  EDITOR="code --wait" fuin edit --reveal overlays/production/db.yaml`,
		Args: needArgs("FILE", 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), u, args[0])
		},
	}
	f.keys.add(cmd)
	f.identity.add(cmd)
	cmd.Flags().BoolVar(&f.reveal, "reveal", false, "show the values that the cluster's Secrets hold, where they are those of FILE and you may read them")
	cmd.Flags().StringVar(&f.context, "context", "", "`CONTEXT` of the kubeconfig, for --reveal; the default is that of the cluster in .fuin.yaml, else the current one")
	cmd.Flags().StringVarP(&f.namespace, "namespace", "n", "", "`NAMESPACE` of SealedSecrets that name none")
	return cmd
}

// An editing is one run of fuin edit.
type editing struct {
	*editFlags
	u     *ui
	file  string
	data  []byte // of the file; nil if it is to be made
	start []byte // what the draft is made of: the file, or a new one
	plan  *plan
	show  func(seal.Value) ([]byte, bool)
}

func (f *editFlags) run(ctx context.Context, u *ui, file string) error {
	if err := oneStdin(slices.Concat(f.keys.recipients, f.identity.files, []string{f.keys.cert})...); err != nil {
		return err
	}
	if file == "-" {
		return misuse("name a file; fuin set works in pipes", "standard input cannot be edited")
	}
	e := &editing{editFlags: f, u: u, file: file}
	for _, step := range []func(context.Context) error{e.read, e.prepare, e.edit} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// read reads the file, or begins a new one.
func (e *editing) read(ctx context.Context) error {
	if err := refusePrivate(e.file); err != nil {
		return err
	}
	_, err := os.Lstat(e.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	e.data, err = readFile(ctx, e.file, seal.MaxManifest)
	return err
}

// prepare plans for the path, and finds what can show values.
func (e *editing) prepare(ctx context.Context) error {
	plans, err := e.keys.planner(ctx, e.u)
	if err != nil {
		return err
	}
	if e.plan, err = plans.one(e.file); err != nil {
		return err
	}
	if e.start = e.data; e.data == nil {
		if e.start, err = e.blank(); err != nil {
			return err
		}
	}
	return e.prepareShow(ctx)
}

// edit runs the editor until what comes out can be sealed, or the user gives up.
func (e *editing) edit(ctx context.Context) error {
	draft, err := seal.NewDraft(instructed(e.start), e.show)
	if err != nil {
		return nameError(e.file, err)
	}
	private, err := e.u.newPrivate()
	if err != nil {
		return err
	}
	defer private.wipe()
	text := draft.Text
	for {
		if text, err = e.u.edited(ctx, private, filepath.Base(e.file), text); err != nil {
			return err
		}
		if bytes.Equal(text, draft.Text) {
			e.u.note("nothing was changed")
			return nil
		}
		result, err := draft.Seal(text, e.plan.sealer, seal.DraftOptions{Namespace: e.namespace, Final: e.plan.finalIn(e.namespace), Open: e.show})
		if err == nil {
			result.Out = uninstructed(result.Out)
			return e.write(ctx, result)
		}
		if !e.again(ctx, err) {
			return &fault{err: nameError(e.file, err), hint: strings.TrimPrefix(hintOf(err)+"; nothing was written, and what was edited is gone", "; ")}
		}
	}
}

// again tells what is wrong and asks whether to go on, where somebody can answer.
func (e *editing) again(ctx context.Context, err error) bool {
	if ctx.Err() != nil || !e.u.isTerminal(e.u.stdin) {
		return false
	}
	e.u.report(nameError(e.file, err))
	return e.u.confirm(ctx, "edit it again? else what was edited is gone") == nil
}

// write puts the result where the file was. Somebody may have changed it
// meanwhile: both changes are kept, if they concern different entries.
func (e *editing) write(ctx context.Context, result seal.Result) error {
	result.Warnings = append(result.Warnings, e.plan.doubts()...)
	for _, w := range result.Warnings {
		e.u.warn(e.file, "%s", w.Text)
	}
	before := e.data
	if e.data == nil {
		if err := createPublic(e.file, result.Out); err != nil {
			return err
		}
		e.u.note("made %s", e.file)
	} else {
		now, err := readFile(ctx, e.file, seal.MaxManifest)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, e.data) {
			m := &mergeFlags{marker: defaultMarker}
			merged, err := m.merge(ctx, e.data, now, result.Out)
			if err != nil || len(merged.Conflicts) > 0 {
				return failAt(e.file, "edit it anew; nothing was written, and what was edited is gone", "somebody changed the same entries meanwhile")
			}
			before, result.Out = now, merged.Out
		}
		if err := rewriteFile(e.file, result.Out); err != nil {
			return err
		}
	}
	return e.summarize(before, result.Out)
}

// summarize tells which keys of which object changed.
func (e *editing) summarize(before, after []byte) error {
	s := &sides{}
	e.u.addStates(reading{e.file, e.file, &s.before}, before)
	e.u.addStates(reading{e.file, e.file, &s.after}, after)
	for _, d := range compare(s) {
		var sealed, removed []string
		for _, k := range d.Keys {
			if k.Change == seal.Removed {
				removed = append(removed, k.Key)
			} else {
				sealed = append(sealed, k.Key)
			}
		}
		for _, part := range []struct {
			verb string
			keys []string
		}{{"sealed", sealed}, {"removed", removed}} {
			if len(part.keys) > 0 {
				e.u.note("%s %s of %s: %s", part.verb, plural(len(part.keys), "key"), d.object(), abridge(part.keys))
			}
		}
	}
	return nil
}

// notePrefix begins the lines of a draft that are not of the file.
const notePrefix = "# fuin edit: "

// instructed puts a few lines of help before a draft; JSON knows no comments.
func instructed(data []byte) []byte {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) || bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return data
	}
	var b bytes.Buffer
	for _, line := range []string{
		seal.Placeholder + " is a value that stays. Write a plain one in its place, it is sealed.",
		"add, rename or take out lines as you like; these three vanish.",
		"behind another key, <sealed KEY> is the value that stood behind KEY.",
	} {
		fmt.Fprintf(&b, "%s%s\n", notePrefix, line)
	}
	b.Write(data)
	return b.Bytes()
}

// uninstructed takes the lines of help out.
func uninstructed(data []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(data) {
		if !bytes.HasPrefix(line, []byte(notePrefix)) {
			out.Write(line)
		}
	}
	return out.Bytes()
}
