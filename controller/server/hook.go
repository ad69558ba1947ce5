package server

import (
	"context"
	"net/http"
)

// A Hook has an Environment look at its source now. It tells whether the
// request was signed as it should be.
type Hook func(ctx context.Context, namespace, name string, header http.Header, body []byte) (accepted bool, err error)

// hook answers a Git host that tells of a push.
func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	ctx, data, done, ok := s.admit(w, r)
	if !ok {
		return
	}
	defer done()
	accepted, err := s.cfg.Hook(ctx, r.PathValue("namespace"), r.PathValue("name"), r.Header, data)
	switch {
	case err != nil:
		s.cfg.Log.Error("a webhook was signed and could not be passed on", "namespace", r.PathValue("namespace"), "name", r.PathValue("name"))
		http.Error(w, "try again later", http.StatusServiceUnavailable)
	case !accepted:
		http.Error(w, "not signed with the token of spec.source.webhook", http.StatusForbidden)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}
