package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// This is the one file that knows client-go: it reads the kubeconfig and makes
// an HTTP client of it. Its typed clients would double the start of a process.

const (
	configMapName    = "fuin-public-keys"
	fuinNamespace    = "fuin-system"
	peerNamespace    = "kube-system" // of Sealed Secrets, by default
	peerName         = "sealed-secrets-controller"
	inClusterContext = "the cluster this runs in"
)

// clusterFlags say how to find the controller of a cluster.
type clusterFlags struct {
	kubeconfig string
	namespace  string
	name       string
}

func (f *clusterFlags) add(cmd *cobra.Command) {
	f.addFuin(cmd)
	cmd.Flags().Lookup("controller-namespace").Usage += ", and " + peerNamespace + " for Sealed Secrets"
	cmd.Flags().StringVar(&f.name, "controller-name", peerName, "`SERVICE` of a Sealed Secrets controller, for --cert cluster; the default is "+peerName)
	fromEnvironment(cmd, "controller-name")
}

// addFuin is for verbs that ask fuin-controller alone.
func (f *clusterFlags) addFuin(cmd *cobra.Command) {
	f.addKubeconfig(cmd)
	cmd.Flags().StringVar(&f.namespace, "controller-namespace", "", "`NAMESPACE` of the controller; the default is "+fuinNamespace)
	fromEnvironment(cmd, "controller-namespace")
}

// addKubeconfig is for verbs that do not ask a controller.
func (f *clusterFlags) addKubeconfig(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "`FILE` with the clusters; the default is $KUBECONFIG, else ~/.kube/config")
}

// fuinNamespace is where fuin-controller runs.
func (f *clusterFlags) fuinNamespace() string {
	if f.namespace != "" {
		return f.namespace
	}
	return fuinNamespace
}

// A cluster answers questions about its keys and Environments, and keeps the
// states of its keys.
type cluster struct {
	flags     clusterFlags
	context   string
	namespace string // of the context; "" if it names none
	base      *url.URL
	client    *http.Client
}

// String names the cluster for people.
func (c *cluster) String() string {
	if c.context == "" {
		return fmt.Sprintf("%s (%s)", inClusterContext, c.base)
	}
	return fmt.Sprintf("context %s (%s)", c.context, c.base)
}

const hintContext = "name one of kubectl config get-contexts as cluster:CONTEXT, or seal without a cluster: --cert FILE"

// dial reads the kubeconfig; it connects to nothing yet.
func (f *clusterFlags) dial(contextName string) (*cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: contextName})
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, unreachable(hintContext, "reading the kubeconfig: %w", configError(err))
	}
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, unreachable(hintContext, "reading the kubeconfig: %w", configError(err))
	}
	if contextName == "" {
		contextName = raw.CurrentContext
	}
	c, err := f.connect(config, contextName)
	if current := raw.Contexts[contextName]; err == nil && current != nil {
		c.namespace = current.Namespace
	}
	return c, err
}

// contexts are the names of the kubeconfig's contexts, sorted.
func (f *clusterFlags) contexts() ([]string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	raw, err := rules.Load()
	if err != nil {
		return nil, unreachable(hintContext, "reading the kubeconfig: %w", configError(err))
	}
	return slices.Sorted(maps.Keys(raw.Contexts)), nil
}

// configError replaces clientcmd's advice, which is not about fuin.
func configError(err error) error {
	if clientcmd.IsEmptyConfig(err) {
		return errors.New("it names no cluster")
	}
	return err
}

func (f *clusterFlags) connect(config *rest.Config, contextName string) (*cluster, error) {
	config.UserAgent = "fuin"
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return bounded{next} })
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, unreachable(hintContext, "context %s: %w", contextName, err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, unreachable(hintContext, "context %s: %w", contextName, err)
	}
	return &cluster{flags: *f, context: contextName, base: base, client: client}, nil
}

// publicKeys reads the ConfigMap that the controller publishes.
func (c *cluster) publicKeys(ctx context.Context) (map[string]string, error) {
	published, _, err := c.publication(ctx)
	return published, err
}

// publication is that ConfigMap's data and when it was read, by the cluster's
// clock; the time is zero if the answer does not tell.
func (c *cluster) publication(ctx context.Context) (map[string]string, time.Time, error) {
	var configMap struct {
		Data map[string]string `json:"data"`
	}
	header, body, err := c.send(ctx, http.MethodGet, nil, "api/v1/namespaces", c.flags.fuinNamespace(), "configmaps", configMapName)
	if err != nil {
		return nil, time.Time{}, err
	}
	if err := json.Unmarshal(body, &configMap); err != nil {
		return nil, time.Time{}, unreachable("", "%s: its answer is no ConfigMap", c)
	}
	now, _ := http.ParseTime(header.Get("Date"))
	return configMap.Data, now, nil
}

// recipients are the age recipients of the cluster.
func (c *cluster) recipients(ctx context.Context) ([]byte, error) {
	published, err := c.publicKeys(ctx)
	if err != nil {
		return nil, hintAbsent(err, "is fuin-controller installed? for Sealed Secrets use --cert cluster")
	}
	if strings.TrimSpace(published[entryRecipients]) == "" {
		return nil, unreachable("seal with its certificate: --cert cluster", "%s: it has no age recipients", c)
	}
	return []byte(published[entryRecipients]), nil
}

// certificate is the newest certificate of the cluster: of fuin-controller, or
// of a Sealed Secrets controller by way of the API server.
func (c *cluster) certificate(ctx context.Context) ([]byte, error) {
	published, err := c.publicKeys(ctx)
	if err == nil && published[entryCert] != "" {
		return []byte(published[entryCert]), nil
	}
	if err != nil && !errors.Is(err, errAbsent) {
		return nil, err
	}
	cert, err := c.peerCertificate(ctx)
	return cert, hintAbsent(err, "neither fuin-controller nor Sealed Secrets was found; give --controller-namespace and --controller-name, or --cert FILE")
}

func (c *cluster) peerCertificate(ctx context.Context) ([]byte, error) {
	namespace := c.flags.namespace
	if namespace == "" {
		namespace = peerNamespace
	}
	body, err := c.get(ctx, "api/v1/namespaces", namespace, "services", c.flags.name)
	if err != nil {
		return nil, err
	}
	var service struct {
		Spec struct {
			Ports []struct {
				Name string `json:"name"`
			} `json:"ports"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(body, &service); err != nil || len(service.Spec.Ports) == 0 {
		return nil, unreachable("", "%s: service %s/%s has no port", c, namespace, c.flags.name)
	}
	proxied := "http:" + c.flags.name + ":" + service.Spec.Ports[0].Name
	return c.get(ctx, "api/v1/namespaces", namespace, "services", proxied, "proxy/v1/cert.pem")
}

// errAbsent is wrapped when the cluster answers that there is no such object.
var errAbsent = errors.New("not found")

func hintAbsent(err error, hint string) error {
	if errors.Is(err, errAbsent) {
		return &fault{err, hint, exitUnreachable}
	}
	return err
}

// get reads one path of the API server.
func (c *cluster) get(ctx context.Context, path ...string) ([]byte, error) {
	_, body, err := c.send(ctx, http.MethodGet, nil, path...)
	return body, err
}

// patch merges a change into one object. Of the answer it takes the metadata
// alone: a Secret's data never comes here.
func (c *cluster) patch(ctx context.Context, change any, path ...string) error {
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, _, err = c.send(ctx, http.MethodPatch, body, path...)
	return err
}

// send does one request of the API server, and returns what it answers.
func (c *cluster) send(ctx context.Context, method string, change []byte, path ...string) (http.Header, []byte, error) {
	address := c.base.JoinPath(path...)
	req, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(change))
	if err != nil {
		return nil, nil, err
	}
	if change != nil {
		req.Header.Set("Content-Type", "application/merge-patch+json")
		req.Header.Set("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, nil, &named{c.String(), c.unreachable(err)}
	}
	defer resp.Body.Close()
	if err := c.refusal(resp, strings.ToLower(method), strings.TrimPrefix(address.Path, c.base.Path)); err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(resp.Body)
	return resp.Header, body, err
}

// A refusal is the answer that a right is missing.
type refusal struct {
	cluster, verb, what, status string
}

func (r *refusal) Error() string { return r.cluster + ": " + r.what + ": " + r.status }

// Hint names the right.
func (r *refusal) Hint() string {
	return "log in again, or ask for the right to " + r.verb + " " + r.what
}

// refusal is the error that a status means; verb and what make up the right.
func (c *cluster) refusal(resp *http.Response, verb, what string) error {
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound:
		return fmt.Errorf("%s: %s: %w", c, what, errAbsent)
	case http.StatusUnauthorized, http.StatusForbidden:
		return &fault{&refusal{c.String(), verb, what, resp.Status}, "", exitUnreachable}
	}
	return unreachable("", "%s: %s: %s", c, what, resp.Status)
}

func (c *cluster) unreachable(err error) error {
	hint := "is it the right context, and its network up? sealing needs no cluster: --cert FILE"
	return &fault{netReason(err), hint, exitUnreachable}
}
