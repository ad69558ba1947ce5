// Package apierror puts errors of the API server into words that hold no
// content: a validation error, a policy or a webhook can repeat a value.
package apierror

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Text is the server's word without what it quotes.
func Text(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return "the API server is out of reach"
	}
	s := status.Status()
	if before, _, denied := strings.Cut(s.Message, " denied "); denied {
		return before + " denied it" // behind these words a policy says what it likes
	}
	switch s.Reason {
	case metav1.StatusReasonForbidden, metav1.StatusReasonUnauthorized, metav1.StatusReasonNotFound, metav1.StatusReasonConflict:
		return s.Message
	case metav1.StatusReasonInvalid:
		return "it is invalid" + fieldsOf(s.Details)
	}
	return fmt.Sprintf("the API server answers %d %s", s.Code, s.Reason)
}

func fieldsOf(details *metav1.StatusDetails) (fields string) {
	if details == nil {
		return ""
	}
	for _, cause := range details.Causes {
		if cause.Field != "" {
			fields += fmt.Sprintf(": %s (%s)", cause.Field, cause.Type)
		}
	}
	return fields
}

// IsInvalid reports whether the object itself is refused, field by field, for
// good. A policy that denies gives the same reason, and may be changed.
func IsInvalid(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) {
		return false
	}
	details := status.Status().Details
	return details != nil && len(details.Causes) > 0 &&
		!slices.ContainsFunc(details.Causes, func(c metav1.StatusCause) bool { return c.Field == "" })
}

// IsImmutable reports whether a field was to be changed that cannot be.
func IsImmutable(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool {
		return strings.Contains(c.Message, "immutable") || strings.Contains(c.Message, "updates to statefulset spec for fields other than")
	})
}
