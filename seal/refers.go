package seal

import "bytes"

// refersToVault reports whether a value looks like a reference to Vault. Package
// reference, which this one does not know, has the grammar.
func refersToVault(value []byte) bool { return bytes.Contains(value, []byte("ref+vault://")) }

// whereReferences tells what to do with one that is about to be sealed.
const whereReferences = "write it into spec.template.data, or leave the Secret as it is"
