// Argo CD, of which only the health script for SealedSecrets is taken. A module
// of its own, so that no checksums of Argo CD's dependencies are needed.
module fuin.dev/testdata/peers/argocd

go 1.26.2

require github.com/argoproj/argo-cd/v3 v3.4.13
