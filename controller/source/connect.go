package source

import "context"

// connect makes a connection for one caller.
func (s *Store) connect(_ context.Context, t *target) (remote, error) {
	if t.url.Scheme == "ssh" {
		return nil, fail(Unsupported, "write https://", "ssh is not supported yet")
	}
	return s.overHTTP(t)
}
