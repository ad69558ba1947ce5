package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// web is what of the network the scripts meet: a plain server for URLs, a TLS
// server that answers as API servers do in several states, and two addresses
// where nothing answers. cluster_test.go asks a real API server.
type web struct {
	plain, tls *httptest.Server
	dead       string       // nobody listens
	silent     net.Listener // accepts and says nothing
}

func newWeb(t *testing.T) *web {
	t.Helper()
	files, err := testKeys()
	if err != nil {
		t.Fatal(err)
	}
	w := &web{plain: httptest.NewServer(urlHandler(files)), tls: httptest.NewUnstartedServer(apiHandler(files))}
	w.tls.Config.ErrorLog = log.New(io.Discard, "", 0) // one client does not trust it
	w.tls.StartTLS()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.dead = "https://" + closed.Addr().String()
	closed.Close()
	if w.silent, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.plain.Close()
		w.tls.Close()
		w.silent.Close()
	})
	return w
}

// setup gives a script its URL and a kubeconfig with a context for each state.
func (w *web) setup(env *testscript.Env) error {
	env.Setenv("URL", w.plain.URL)
	config := map[string]any{"apiVersion": "v1", "kind": "Config", "current-context": "fuin"}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.tls.Certificate().Raw})
	var clusters, contexts []any
	add := func(name string, cluster map[string]any) {
		clusters = append(clusters, map[string]any{"name": name, "cluster": cluster})
		contexts = append(contexts, map[string]any{"name": name, "context": map[string]any{"cluster": name, "user": "dev"}})
	}
	for _, name := range []string{"fuin", "peer", "bare", "denied", "garbage", "endless"} {
		add(name, map[string]any{"server": w.tls.URL + "/" + name, "certificate-authority-data": ca})
	}
	add("untrusted", map[string]any{"server": w.tls.URL + "/fuin"})
	add("dead", map[string]any{"server": w.dead})
	add("silent", map[string]any{"server": "https://" + w.silent.Addr().String()})
	config["clusters"], config["contexts"] = clusters, contexts
	config["users"] = []any{map[string]any{"name": "dev", "user": map[string]any{"token": "dev-token"}}}
	data, err := json.Marshal(config)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "kubeconfig"), data, 0o600)
}

func urlHandler(files map[string][]byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/keys/{name}", func(w http.ResponseWriter, r *http.Request) { answer(w, files[r.PathValue("name")]) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/keys/hybrid.pub", http.StatusFound)
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "ftp://127.0.0.1/key", http.StatusFound)
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("#\n", maxAnswer)) })
	return mux
}

// apiHandler answers for six clusters: with fuin-controller, with Sealed
// Secrets, with neither, one that forbids everything, one that answers nonsense,
// and one whose lists never end.
func apiHandler(files map[string][]byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/fuin/api/v1/namespaces/fuin-system/configmaps/fuin-public-keys", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer dev-token" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		body, err := json.Marshal(map[string]any{"data": map[string]string{
			entryCert: string(files["rsa.pem"]), entryRecipients: string(files["hybrid.pub"]),
		}})
		if err != nil {
			panic(err)
		}
		answer(w, body)
	})
	const services = "/peer/api/v1/namespaces/kube-system/services/"
	mux.HandleFunc(services+peerName, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"spec": {"ports": [{"name": "http", "port": 8080}]}}`)
	})
	mux.HandleFunc(services+"http:"+peerName+":http/proxy/v1/cert.pem", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, files["rsa.pem"])
	})
	mux.HandleFunc("/garbage/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"items": 1}`) })
	items := strings.TrimSuffix(strings.Repeat(`{},`, 10_000), ",")
	mux.HandleFunc("/endless/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"metadata": {"continue": "more"}, "items": [%s]}`, items)
	})
	mux.HandleFunc("/denied/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	return mux
}

func answer(w http.ResponseWriter, body []byte) {
	_, _ = w.Write(body) // a client that is gone is the test's to notice
}
