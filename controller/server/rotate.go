package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"fuin.dev/seal"
)

// rotate answers with the SealedSecrets of the body sealed to the newest keys:
// JSON, one object behind the other. As with Sealed Secrets all that fails is
// a 500; its text names object, key and reason.
func (s *Server) rotate(w http.ResponseWriter, r *http.Request) {
	ctx, data, done, ok := s.admit(w, r)
	if !ok {
		return
	}
	defer done()
	resealed, err := s.reseal(ctx, data)
	if err != nil {
		http.Error(w, fmt.Sprintf("%.1000s", err.Error()), http.StatusInternalServerError)
		return
	}
	text(w, "application/json", string(resealed))
}

// reseal takes the keys from the ring alone; the request names none. The first
// value that does not open ends it, so that no more than a ring's keys are tried
// in vain.
func (s *Server) reseal(ctx context.Context, data []byte) ([]byte, error) {
	to, err := seal.NewResealer(s.cfg.Sealing()...)
	if err != nil {
		return nil, err
	}
	opener, leave := s.cfg.Opener(ctx)
	defer leave()
	r, err := opener.Reseal(ctx, data, to, seal.ResealOptions{Format: seal.JSON, AtMost: maxObjects, First: true})
	if err != nil {
		return nil, err
	}
	if len(r.Others) > 0 {
		return nil, fmt.Errorf("only SealedSecrets are resealed; found %q", strings.Join(r.Others, ", "))
	}
	return r.Out, nil
}
