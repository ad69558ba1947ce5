package check

import "slices"

// A Rule is one kind of finding. Its name is stable.
type Rule struct {
	Name      string
	Summary   string // what is found, for a list of rules
	Hint      string // what to do, where the finding knows nothing better
	Severity  Severity
	Plaintext bool // it is about a value that can be read
}

// The rules.
const (
	PlaintextSecret    = "plaintext-secret"
	NotSealed          = "not-sealed"
	SecretGenerator    = "secret-generator"
	ConfigMap          = "config-map"
	Workload           = "workload"
	HelmValues         = "helm-values"
	PlaintextField     = "plaintext-field"
	CopyOfObject       = "copy-of-object"
	SealedTemplate     = "sealed-template"
	KubeConfig         = "kubeconfig"
	EnvFile            = "env-file"
	Jsonnet            = "jsonnet"
	Terraform          = "terraform"
	Script             = "script"
	Comment            = "comment"
	PrivateKey         = "private-key"
	AgeIdentity        = "age-identity"
	KnownToken         = "known-token"
	URLCredentials     = "url-credentials"
	ScopeMismatch      = "scope-mismatch"
	WrongCluster       = "wrong-cluster"
	RetiredKey         = "retired-key"
	RevokedKey         = "revoked-key"
	UnknownKey         = "unknown-key"
	TokenMisplaced     = "token-misplaced"
	TokenDamaged       = "token-damaged"
	ReferenceInvalid   = "reference-invalid"
	ReferenceMisplaced = "reference-misplaced"
	AllowWithoutReason = "allow-without-reason"
	BrokenBinding      = "broken-binding"
	MissingSecret      = "missing-secret"
	MissingKey         = "missing-key"
	RenderFailed       = "render-failed"
)

const (
	sealIt    = "seal it: fuin seal --in-place FILE, or fuin check --fix"
	moveIt    = "move it into a Secret, and seal that: fuin seal --name NAME --from-file KEY=PATH"
	moveFile  = "seal it as a Secret: fuin seal --name NAME --from-file FILE; and take it out of the repository: git rm --cached FILE"
	tokenIt   = "put a sealed token in its place: fuin seal --token"
	fieldIt   = "put a sealed token in its place: fuin seal FILE --field FIELD, or fuin check --fix"
	revokeIt  = "take it out of the repository, and replace it where it is used: who has the history has it"
	sealAnew  = "seal it again for where it stands"
	resealIt  = "fuin reseal FILE moves it to the newest key"
	explainIt = "fuin config explain FILE tells which rule and keys hold"
)

var rules = []Rule{
	{PlaintextSecret, "a value of a Secret that is in plain or base64, also in Lists, patches and templates", sealIt, Error, true},
	{NotSealed, "an entry of a SealedSecret's encryptedData that is no sealed value", sealAnew, Error, true},
	{SecretGenerator, "a kustomize secretGenerator that takes values from the repository", "make it a SealedSecret: fuin check --fix, or fuin seal --name NAME --from-file KEY=PATH", Error, true},
	{ConfigMap, "a secret in a ConfigMap or configMapGenerator", moveIt, Error, true},
	{Workload, "a secret in the environment or arguments of a container", moveIt + "; and name it with secretKeyRef", Error, true},
	{HelmValues, "a secret in Helm values: files, HelmReleases, Argo CD Applications", fieldIt, Error, true},
	{PlaintextField, "a secret in a field of any other object or YAML file", moveIt, Error, true},
	{CopyOfObject, "an annotation that holds a copy of a Secret, as last-applied-configuration", "remove the annotation", Error, true},
	{SealedTemplate, "a secret in plain in the template of a SealedSecret", "seal it as a value of its own (fuin set FILE KEY, or fuin check --fix), and name it in the template", Error, true},
	{KubeConfig, "credentials in a kubeconfig", revokeIt, Error, true},
	{EnvFile, "a secret in an env, properties, ini or toml file", moveFile, Error, true},
	{Jsonnet, "a secret in Jsonnet", tokenIt, Error, true},
	{Terraform, "a secret in a Terraform variable, default or argument", "keep it out of the repository: TF_VAR_… or a secret store", Error, true},
	{Script, "a secret in a script or Dockerfile", "read it from the environment", Error, true},
	{Comment, "a comment that holds a secret", "remove the comment", Error, true},
	{PrivateKey, "a private key: PEM, OpenSSH or PGP, plain or in base64", revokeIt + "; seal the new one: fuin seal --name NAME --from-file PATH", Error, true},
	{AgeIdentity, "an age identity", revokeIt, Error, true},
	{KnownToken, "a token of a well-known service, by its form", revokeIt, Error, true},
	{URLCredentials, "a URL with a password in it", "put the whole URL into a Secret, and seal that", Error, true},
	{ScopeMismatch, "a SealedSecret whose scope, namespace or name is another than its template's or the rule's for its path", sealAnew, Error, false},
	{WrongCluster, "a SealedSecret with a key of a cluster that the rules do not name for its path", explainIt, Error, false},
	{RetiredKey, "a SealedSecret sealed with a key that its cluster retired: it opens, for now", resealIt, Advice, false},
	{RevokedKey, "a SealedSecret sealed with a key that its cluster revoked or has no more", "seal new values: who has the key reads the old ones", Error, false},
	{UnknownKey, "a SealedSecret sealed with keys that no committed file tells of, as those of an unknown cluster", "fuin keys sync, if they are older than what is committed; fuin reseal moves it to the newest key", Advice, false},
	{TokenMisplaced, "a sealed token where nothing turns it into a Secret", moveIt, Error, false},
	{TokenDamaged, "a sealed token that is cut short or altered", "make it anew: fuin seal --token", Error, false},
	{ReferenceInvalid, "a Vault reference that does not parse", "see docs/vault.md for its form", Error, false},
	{ReferenceMisplaced, "a Vault reference where nothing resolves it", moveIt, Error, false},
	{AllowWithoutReason, "a fuin:allow comment without a reason", "write # fuin:allow reason=WHY", Error, false},
	{BrokenBinding, "a SealedSecret that a kustomization renames or moves, so that it does not open", "seal it for the name and namespace it gets: fuin seal knows them", Error, false},
	{MissingSecret, "an object that names a Secret which nothing makes", "add it, or mark it optional", Error, false},
	{MissingKey, "an object that names a key which its Secret does not have", "add it: fuin set FILE KEY", Error, false},
	{RenderFailed, "a directory that does not render", "", Error, false},
}

// Rules lists all rules.
func Rules() []Rule { return slices.Clone(rules) }

func ruleNamed(name string) Rule {
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.Name == name })
	if i < 0 {
		return Rule{Name: name, Severity: Error}
	}
	return rules[i]
}
