package environment

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"fuin.dev/controller/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// hookKey is the key of the Secret that spec.source.webhook names.
const hookKey = "token"

// Hook has an Environment look at its source now, if the request is signed with
// the token of the Secret that spec.source.webhook names: as GitHub signs
// (X-Hub-Signature-256), as GitLab does (X-Gitlab-Token), or as anybody can
// (X-Signature: sha256=HEX, the HMAC of the body). Whoever cannot sign learns
// nothing, not even whether there is such an Environment. Any replica can be
// asked: the leader is told by an annotation.
func (r *Reconciler) Hook(ctx context.Context, name types.NamespacedName, header http.Header, body []byte) (accepted bool, err error) {
	var env v1alpha1.Environment
	if err := r.API.Get(ctx, name, &env); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	if env.Spec.Source.Webhook == nil {
		return false, nil
	}
	token, err := r.hookToken(ctx, &env)
	if err != nil || !signed(token, header, body) {
		return false, nil //nolint:nilerr // no word to a stranger about what is missing
	}
	base := env.DeepCopy()
	if env.Annotations == nil {
		env.Annotations = map[string]string{}
	}
	env.Annotations[AnnotationReconcile] = "webhook at " + time.Now().UTC().Format(time.RFC3339Nano)
	return true, r.API.Patch(ctx, &env, client.MergeFrom(base), client.FieldOwner(FieldOwner))
}

func (r *Reconciler) hookToken(ctx context.Context, env *v1alpha1.Environment) ([]byte, error) {
	account, err := r.accounts.of(env, r.Mapper)
	if err != nil {
		return nil, err
	}
	var s corev1.Secret
	err = account.reader.Get(ctx, client.ObjectKey{Namespace: env.Namespace, Name: env.Spec.Source.Webhook.Name}, &s)
	return s.Data[hookKey], err
}

// signed reports whether a request knows the token. An empty one is none.
func signed(token []byte, header http.Header, body []byte) bool {
	if len(token) == 0 {
		return false
	}
	if given := header.Get("X-Gitlab-Token"); given != "" {
		return subtle.ConstantTimeCompare([]byte(given), token) == 1
	}
	for _, name := range []string{"X-Hub-Signature-256", "X-Signature"} {
		given, ok := strings.CutPrefix(header.Get(name), "sha256=")
		if !ok {
			continue
		}
		sum, err := hex.DecodeString(given)
		mac := hmac.New(sha256.New, token)
		mac.Write(body)
		return err == nil && hmac.Equal(sum, mac.Sum(nil))
	}
	return false
}
