package server

import (
	"context"
	"net/http"

	"fuin.dev/seal"
)

// verify answers whether all SealedSecrets of the body open here: 200, 409 if
// one does not, 500 if the body holds none, as Sealed Secrets answers.
func (s *Server) verify(w http.ResponseWriter, r *http.Request) {
	ctx, data, done, ok := s.admit(w, r)
	if !ok {
		return
	}
	defer done()
	objects, err := seal.Objects(data, maxObjects)
	if err != nil {
		http.Error(w, "the body holds no SealedSecret, or too many", http.StatusInternalServerError)
		return
	}
	if s.open(ctx, objects) != nil {
		http.Error(w, "does not open here", http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// open tries the values of all objects until one fails. Templates are nobody's
// business.
func (s *Server) open(ctx context.Context, objects []seal.Object) error {
	opener, leave := s.cfg.Opener(ctx)
	defer leave()
	trials := maxTrials
	for _, ob := range objects {
		ob.Templates = nil
		opener.Search = &seal.Search{Trials: trials}
		if _, err := opener.Hinted(ob.Hints()).Object(ctx, ob); err != nil {
			return err
		}
		trials = opener.Search.Trials
	}
	return nil
}
