package fuintest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Search fails the test if a canary stands in what came out, plain, in base64,
// or without its beginning.
func (s *System) Search(name string, what any, canary string) {
	s.T.Helper()
	text, ok := what.(string)
	if !ok {
		b, err := json.Marshal(what)
		s.OK(err)
		text = string(b)
	}
	for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), canary[len("canary-"):]} {
		if i := strings.Index(text, form); i >= 0 {
			s.T.Errorf("%s: the value comes out: …%s…", name, text[max(0, i-80):min(len(text), i+80)])
		}
	}
}

// Events are those of a namespace, or of all, once there are so many: they come
// when they come.
func (s *System) Events(namespace string, least int) corev1.EventList {
	s.T.Helper()
	var events corev1.EventList
	s.Eventually(fmt.Sprintf("there are %d events", least), func() bool {
		s.OK(s.Client().List(s.T.Context(), &events, client.InNamespace(namespace)))
		s.Last = fmt.Sprint(len(events.Items))
		return len(events.Items) >= least
	})
	return events
}
