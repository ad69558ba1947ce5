package server

import (
	"context"
	"net/http"

	"fuin.dev/seal"
)

// verify answers whether all SealedSecrets of the body open here: 200, 409 if
// one does not, 500 if the body holds none, as Sealed Secrets answers.
func (s *Server) verify(w http.ResponseWriter, r *http.Request) {
	data, ok := body(w, r)
	if !ok {
		return
	}
	free, ok := s.slot(w, r) // reading what a stranger sends costs, too
	if !ok {
		return
	}
	defer free()
	objects, err := seal.Objects(data, maxObjects)
	if err != nil {
		http.Error(w, "the body holds no SealedSecret, or too many", http.StatusInternalServerError)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	for _, ob := range objects {
		if err := s.opens(ctx, ob); err != nil {
			http.Error(w, "does not open here", http.StatusConflict)
			return
		}
	}
	w.WriteHeader(http.StatusOK)
}

// opens tries the values of an object; its templates are nobody's business.
func (s *Server) opens(ctx context.Context, ob seal.Object) error {
	ob.Templates = nil
	_, err := s.cfg.Opener(ob).Object(ctx, ob)
	return err
}
