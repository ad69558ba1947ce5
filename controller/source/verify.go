package source

// Mode tells what must be signed.
type Mode string

// The modes, as in the API.
const (
	HEAD       Mode = "HEAD" // the commit
	Tag        Mode = "Tag"
	TagAndHEAD Mode = "TagAndHEAD"
)

// Verify demands signatures by one of some keys.
type Verify struct {
	Mode Mode // default: HEAD
	// Keys are armored OpenPGP public keys or files of allowed SSH signers, by
	// a name that tells them apart in errors.
	Keys map[string][]byte
}
