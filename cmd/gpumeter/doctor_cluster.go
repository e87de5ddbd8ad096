package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// clusterArgs says which Kubernetes API server is asked, and how.
type clusterArgs struct{ server, kubeconfig, context, tokenFile, caFile string }

// Words of --kubernetes besides an address.
const (
	clusterAuto = "auto" // that of a kubeconfig, or in a pod its own
	clusterOff  = "off"
)

func (a *clusterArgs) flags(fs *pflag.FlagSet) {
	fs.StringVar(&a.server, "kubernetes", clusterAuto, "API server of the cluster to look at: auto (kubectl's, or in a pod its own), off, https://HOST[:PORT], or http on loopback as kubectl proxy serves it")
	fs.StringVar(&a.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` of the cluster to look at (default: those of KUBECONFIG, or ~/.kube/config)")
	fs.StringVar(&a.context, "context", "", "context of the kubeconfig (default: its current one)")
	fs.StringVar(&a.tokenFile, "kubernetes-token-file", "", "file with a token for --kubernetes (default: the pod's)")
	fs.StringVar(&a.caFile, "kubernetes-ca-file", "", "file with the certificate authority of --kubernetes (default: the pod's)")
}

// cluster is what a cluster says of gpumeter in it.
type cluster struct {
	asked bool
	name  string // for people: "this cluster"
	// found is the file of a cluster that nobody named: a kubeconfig that lay
	// there. That it does not answer is no fault of the fleet's.
	found string
	left  error // why no cluster was asked
	// agents and monitoring are why it says nothing of one thing or all.
	agents, monitoring error
	sets               []daemonSet
	classes            []string // runtime classes
	operator           bool     // the operator's kinds are there
	prometheuses       []prometheus
	monitors           []object // monitors and rules of gpumeter
	namespaces         map[string]map[string]string
}

// object is the part of a Kubernetes object that is looked at everywhere.
type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace"`
		Labels    map[string]string `json:"labels"`
	} `json:"metadata"`
}

func (o *object) name() string { return o.Metadata.Namespace + "/" + o.Metadata.Name }

// daemonSet is that of the agents of an installation.
type daemonSet struct {
	object
	Spec struct {
		Template struct {
			Spec struct {
				RuntimeClassName string `json:"runtimeClassName"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		Desired int `json:"desiredNumberScheduled"`
		Ready   int `json:"numberReady"`
	} `json:"status"`
}

// ours selects what the chart and the plain manifests install.
const ours = "app.kubernetes.io/name=gpumeter"

// look asks the cluster. Where there is none to ask it says nothing; an error is
// one of the flags.
func (a *clusterArgs) look(ctx context.Context) (cluster, error) {
	s, err := a.open()
	if errors.Is(err, errFound) || errors.Is(err, errOff) || errors.Is(err, errNone) {
		return cluster{left: err}, nil
	}
	if err != nil {
		return cluster{}, err
	}
	defer s.http.CloseIdleConnections()
	c := cluster{asked: true, name: s.name, found: s.found}
	c.agents = c.lookAtAgents(ctx, s)
	if c.monitoring = c.agents; !unreached(c.agents) {
		c.monitoring = c.lookAtMonitors(ctx, s)
	}
	return c, nil
}

func (c *cluster) lookAtAgents(ctx context.Context, s *apiServer) error {
	var err error
	if c.sets, err = list[daemonSet](ctx, s, "apis/apps/v1/daemonsets", ours); err != nil {
		return err
	}
	classes, err := list[object](ctx, s, "apis/node.k8s.io/v1/runtimeclasses", "")
	for _, x := range classes {
		c.classes = append(c.classes, x.Metadata.Name)
	}
	return err
}

// monitoringKinds are the operator's kinds of what the chart makes.
var monitoringKinds = []struct{ kind, path string }{
	{"PodMonitor", "apis/monitoring.coreos.com/v1/podmonitors"},
	{"ServiceMonitor", "apis/monitoring.coreos.com/v1/servicemonitors"},
	{"PrometheusRule", "apis/monitoring.coreos.com/v1/prometheusrules"},
}

func (c *cluster) lookAtMonitors(ctx context.Context, s *apiServer) error {
	var err error
	c.prometheuses, err = list[prometheus](ctx, s, "apis/monitoring.coreos.com/v1/prometheuses", "")
	if answer, ok := errors.AsType[*apiError](err); ok && answer.status == http.StatusNotFound {
		return nil // there is no operator
	}
	if err != nil {
		return err
	}
	c.operator = true
	for _, k := range monitoringKinds {
		found, err := list[object](ctx, s, k.path, ours)
		if err != nil {
			return err
		}
		for _, x := range found {
			x.Kind = k.kind // items of a list have none
			c.monitors = append(c.monitors, x)
		}
	}
	namespaces, err := list[object](ctx, s, "api/v1/namespaces", "")
	c.namespaces = map[string]map[string]string{}
	for _, n := range namespaces {
		c.namespaces[n.Metadata.Name] = n.Metadata.Labels
	}
	return err
}

// apiLimit bounds a question, maxList an answer: thousands of objects.
const (
	apiLimit = 10 * time.Second
	maxList  = 64 << 20
)

// apiError is what an API server says instead of an answer.
type apiError struct {
	path, said string
	status     int
}

func (e *apiError) Error() string { return fmt.Sprintf("list %s: %s", e.path, e.said) }

// unreached reports whether a server was asked in vain: another question would
// take as long.
func unreached(err error) bool {
	_, answered := errors.AsType[*apiError](err)
	return err != nil && !answered
}

// list returns the objects of a kind in all namespaces, those with a label if one
// is given. They come from the server's memory (resourceVersion 0).
func list[T any](ctx context.Context, s *apiServer, path, label string) ([]T, error) {
	q := url.Values{"resourceVersion": {"0"}}
	if label != "" {
		q.Set("labelSelector", label)
	}
	u := s.base.JoinPath(path)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "gpumeter")
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, errors.Unwrap(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxList))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		var said struct{ Message string }
		_ = json.Unmarshal(body, &said) // what is no JSON says nothing
		return nil, &apiError{path, strings.TrimSpace(cmp.Or(said.Message, res.Status)), res.StatusCode}
	}
	var v struct {
		Items []T `json:"items"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, fmt.Errorf("list %s: %w", path, err)
	}
	return v.Items, nil
}
