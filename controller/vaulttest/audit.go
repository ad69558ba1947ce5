package vaulttest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Mark is a place in the audit log.
type Mark int64

// Entry is a request that Vault answered. Values are hashes, but equal ones have
// equal hashes.
type Entry struct {
	Time      time.Time
	Operation string            // read, update, list, delete, …
	Path      string            // such as apps/data/shop or auth/jwt/login
	Data      map[string]any    // parameters, such as version
	Error     string            // empty if it was granted
	Account   string            // display name of who asked or logged in
	Metadata  map[string]string // of the log-in, such as service_account_namespace
	TokenType string            // batch or service
}

// line is what the log holds for each request and each answer.
type line struct {
	Time  time.Time `json:"time"`
	Type  string    `json:"type"`
	Error string    `json:"error"`
	Auth  struct {
		DisplayName string            `json:"display_name"`
		Metadata    map[string]string `json:"metadata"`
		TokenType   string            `json:"token_type"`
	} `json:"auth"`
	Request struct {
		Operation string         `json:"operation"`
		Path      string         `json:"path"`
		Data      map[string]any `json:"data"`
	} `json:"request"`
}

// Mark is the end of the audit log: Audit from here on tells what comes later. A
// request is in the log before its answer is sent.
func (s *Server) Mark() (Mark, error) {
	info, err := os.Stat(s.path("audit.log"))
	if err != nil {
		return 0, err
	}
	return Mark(info.Size()), nil
}

// Audit lists all that was answered since the mark, which is 0 for everything.
func (s *Server) Audit(since Mark) ([]Entry, error) {
	file, err := os.Open(s.path("audit.log"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(int64(since), io.SeekStart); err != nil {
		return nil, err
	}
	var all []Entry
	lines := bufio.NewReader(file)
	for {
		text, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return all, nil // a last line without its end is still being written
		}
		if err != nil {
			return nil, err
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		if l.Type == "response" {
			all = append(all, l.entry())
		}
	}
}

func (l line) entry() Entry {
	return Entry{
		Time: l.Time, Operation: l.Request.Operation, Path: l.Request.Path, Data: l.Request.Data, Error: l.Error,
		Account: l.Auth.DisplayName, Metadata: l.Auth.Metadata, TokenType: l.Auth.TokenType,
	}
}
