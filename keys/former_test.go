package keys_test

import (
	"bytes"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"fuin.dev/keys"
)

func formerOf(id *keys.Identity, fate keys.Fate) keys.Former {
	return keys.Former{Fingerprint: id.Fingerprint(), Kind: id.Kind(), Fate: fate, Since: time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)}
}

func TestFormerKeysAreComments(t *testing.T) {
	sealing, old := generate(t, keys.Hybrid), generate(t, keys.Hybrid)
	want := []keys.Former{
		formerOf(old, keys.WasRetired), formerOf(generate(t, keys.X25519), keys.WasReplaced),
		formerOf(generate(t, keys.Hybrid), keys.WasRevoked), formerOf(generate(t, keys.Hybrid), keys.WasRemoved),
	}
	var comments []byte
	for _, f := range want {
		comments = append(comments, f.Marshal()...)
	}
	// "age1" in a comment makes no recipient of it.
	comments = append(comments, "# age1 of the test\n"...)
	cert := rsaIdentity().Recipient().Marshal()
	for name, file := range map[string][]byte{
		"age":  slices.Concat(sealing.Recipient().Marshal(), comments),
		"PEM":  slices.Concat(cert, comments),
		"both": slices.Concat(cert, comments, sealing.Recipient().Marshal()),
	} {
		got, err := keys.ParseFormer(file)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: former keys %v, %v", name, got, err)
		}
		if rs, err := keys.ParseSealing(file, now); err != nil || len(rs) != 1 {
			t.Errorf("%s: seals with %v, %v", name, rs, err)
		}
		if rs, err := keys.ParsePublic(file); err != nil || slices.ContainsFunc(rs, func(r *keys.Recipient) bool { return r.Fingerprint() == old.Fingerprint() }) {
			t.Errorf("%s: public keys %v, %v", name, rs, err)
		}
	}
	if rs, err := age.ParseRecipients(bytes.NewReader(slices.Concat(sealing.Recipient().Marshal(), comments))); err != nil || len(rs) != 1 {
		t.Errorf("age reads %v, %v", rs, err)
	}
	if block, rest := pem.Decode(slices.Concat(comments, cert, comments)); block == nil || !bytes.Equal(rest, comments) {
		t.Errorf("PEM reads %v, and leaves %q", block, rest)
	}
}

func TestFormerKeysThatDoNotParse(t *testing.T) {
	line := strings.TrimSpace(string(formerOf(rsaIdentity(), keys.WasRetired).Marshal()))
	for name, text := range map[string]string{
		"cut short":    line[:len(line)-3],
		"no such day":  strings.Replace(line, "02-28", "02-30", 1),
		"no such fate": strings.Replace(line, "retired", "resting", 1),
		"no kind":      strings.Replace(line, " rsa", "", 1),
		"more":         line + " hunter2",
	} {
		_, err := keys.ParseFormer([]byte("# a comment\n" + text + "\n"))
		checkError(t, name, err, "line 2 tells of a former key")
		_, err = keys.ParseSealing(append(rsaIdentity().Recipient().Marshal(), text...), now)
		checkError(t, name, err, "tells of a former key")
	}
	_, err := keys.ParseFormer([]byte(strings.Repeat(line+"\n", 5000)))
	checkError(t, "many", err, "more than 4096 former keys")
	if got, err := keys.ParseFormer([]byte("# former keys are listed below\r\n" + line + "\r\n")); err != nil || len(got) != 1 {
		t.Errorf("parsed %v, %v", got, err)
	}
}

func TestNothingIsSealedWithAFormerKey(t *testing.T) {
	for _, id := range []*keys.Identity{rsaIdentity(), generate(t, keys.Hybrid)} {
		for _, fate := range []keys.Fate{keys.WasReplaced, keys.WasRetired, keys.WasRevoked, keys.WasRemoved} {
			file := slices.Concat(formerOf(id, fate).Marshal(), id.Recipient().Marshal())
			_, err := keys.ParseSealing(file, now)
			checkError(t, string(fate), err, "is a key to seal with, and "+string(fate)+" since 2026-02-28")
		}
	}
}
