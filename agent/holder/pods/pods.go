// Package pods asks the Kubernetes API server for the labels of the pods on this
// node, as far as they are on a list of those that may be told.
//
// It needs a service account that may list pods. Kubernetes cannot narrow that
// right to one node or to labels: the question is narrowed to this node, and the
// answer to the pods' metadata.
package pods

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Pod is the name of a pod.
type Pod struct{ Namespace, Name string }

// Config says who asks for what. Node and Labels are required.
type Config struct {
	// Node is this node's name in Kubernetes. The environment's NODE_NAME goes
	// before it.
	Node string
	// Labels are the keys of the labels that may be told: see Check.
	Labels []string
	// Root is the folder below which the service account is mounted; "/" if empty.
	Root string
	// Getenv is os.Getenv if nil.
	Getenv func(string) string
}

const (
	// serviceAccount is where Kubernetes mounts a pod's token and authority.
	serviceAccount = "var/run/secrets/kubernetes.io/serviceaccount"
	// metadataOnly asks for the pods without what they are made of.
	metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	// idle is how long a connection waits for another question.
	idle = 30 * time.Second
)

// Client asks one API server. Its methods must not be called concurrently.
type Client struct {
	cfg  Config
	http *http.Client // nil before the first question, and after one that went wrong
}

// New returns a client. Nothing is read or connected before the first List.
func New(cfg Config) (*Client, error) {
	if err := Check(cfg.Labels); err != nil {
		return nil, err
	}
	cfg.Root = cmp.Or(cfg.Root, "/")
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	return &Client{cfg: cfg}, nil
}

// List returns the pods of this node with those of their labels that may be
// told, in the form of usage.Holder; empty for a pod that has none of them. It
// returns when ctx ends, at the latest.
func (c *Client) List(ctx context.Context) (map[Pod]string, error) {
	out, err := c.list(ctx)
	if err != nil && c.http != nil {
		// The authority may be another one by now.
		c.http.CloseIdleConnections()
		c.http = nil
	}
	return out, err
}

func (c *Client) list(ctx context.Context) (map[Pod]string, error) {
	req, err := c.question(ctx)
	if err != nil {
		return nil, err
	}
	if c.http == nil {
		if c.http, err = door(c.file("ca.crt")); err != nil {
			return nil, err
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("list pods of this node: %s (may the service account list pods?)", resp.Status)
	default:
		return nil, fmt.Errorf("list pods of this node: %s", resp.Status)
	}
	out, err := read(resp.Body, c.cfg.Labels)
	if err != nil {
		return nil, fmt.Errorf("read pods of this node: %w", err)
	}
	return out, nil
}

// question asks from the server's memory (resourceVersion 0): a fleet that asks
// costs it little, and an answer that is a moment old does.
func (c *Client) question(ctx context.Context) (*http.Request, error) {
	host, node := c.cfg.Getenv("KUBERNETES_SERVICE_HOST"), cmp.Or(c.cfg.Getenv("NODE_NAME"), c.cfg.Node)
	if host == "" {
		return nil, errors.New("find API server: KUBERNETES_SERVICE_HOST is not set (does the agent run in a pod?)")
	}
	// The token is another one every hour.
	token, err := os.ReadFile(c.file("token"))
	if err != nil {
		return nil, fmt.Errorf("read service account: %w", err)
	}
	u := url.URL{Scheme: "https", Host: net.JoinHostPort(host, cmp.Or(c.cfg.Getenv("KUBERNETES_SERVICE_PORT"), "443")), Path: "/api/v1/pods"}
	u.RawQuery = url.Values{"fieldSelector": {"spec.nodeName=" + node}, "resourceVersion": {"0"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	req.Header.Set("Accept", metadataOnly)
	req.Header.Set("User-Agent", "gpumeter-agent")
	return req, nil
}

func (c *Client) file(name string) string { return filepath.Join(c.cfg.Root, serviceAccount, name) }

// door returns a client that trusts the cluster's authority only, heeds no proxy
// and follows no redirect: the token goes nowhere else.
func door(ca string) (*http.Client, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("read service account: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read service account: %s has no certificate in PEM", ca)
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig:        &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			IdleConnTimeout:        idle,
			MaxResponseHeaderBytes: 16 << 10,
		},
	}, nil
}
