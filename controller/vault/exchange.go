package vault

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// exchange gives a proof for a session.
func (c *connection) exchange(ctx context.Context, namespace string, p proof) (*session, error) {
	s, err := c.given(ctx, namespace, p)
	var f *Failure
	if errors.As(err, &f) {
		return nil, loginFailure(f, p.as)
	}
	if err != nil {
		return nil, err
	}
	if !plain(s.token) {
		return nil, loginFailure(c.fault(InvalidAnswer, "the answer holds no token"), p.as)
	}
	s.account = p.account
	return s, nil
}

// loginFailure says that it was the log-in that failed.
func loginFailure(f *Failure, as string) *Failure {
	if f.common {
		return f
	}
	g := *f
	if f.Reason == Denied || f.Reason == FailedRequest {
		g.Reason = LoginFailed
	}
	g.Message = "logging in as " + as + ": " + f.Message
	return &g
}

func (c *connection) given(ctx context.Context, namespace string, p proof) (*session, error) {
	if p.path == "" {
		return c.lookUp(ctx, namespace, p.token)
	}
	answer, err := c.ask(ctx, call{namespace: namespace, kind: "login", path: p.path, body: p.body})
	if err != nil {
		return nil, err
	}
	if answer.status == http.StatusNotFound {
		return nil, c.fault(LoginFailed, "no auth method is mounted there")
	}
	var said struct {
		Auth struct {
			Token    string `json:"client_token"`
			Type     string `json:"token_type"`
			Duration int64  `json:"lease_duration"`
		} `json:"auth"`
	}
	if json.Unmarshal(answer.body, &said) != nil || said.Auth.Token == "" {
		return nil, c.fault(InvalidAnswer, "the answer holds no token")
	}
	return newSession(said.Auth.Token, said.Auth.Type, said.Auth.Duration, answer.asked), nil
}

// plain reports whether a token can stand in a header.
func plain(token string) bool {
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return token != ""
}
