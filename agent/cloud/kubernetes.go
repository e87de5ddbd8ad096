package cloud

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

const (
	// serviceAccount is where Kubernetes mounts a pod's token and authority.
	serviceAccount = "var/run/secrets/kubernetes.io/serviceaccount"
	// maxNode bounds the node's object. It lists up to fifty images and who
	// manages which field, which makes it larger than a metadata document.
	maxNode = 512 << 10
)

// askKubernetes reads the node's own object with the pod's service account. In
// no pod, or in one without a token, it says nothing.
func askKubernetes(ctx context.Context, cfg Config) (reply, error) {
	host, port := cfg.Getenv("KUBERNETES_SERVICE_HOST"), cfg.Getenv("KUBERNETES_SERVICE_PORT")
	node := cmp.Or(cfg.Getenv("NODE_NAME"), cfg.NodeName)
	if host == "" || node == "" {
		return reply{}, nil
	}
	folder := filepath.Join(cfg.Root, serviceAccount)
	token, err := os.ReadFile(filepath.Join(folder, "token"))
	if errors.Is(err, fs.ErrNotExist) {
		return reply{}, nil
	}
	if err != nil {
		return reply{}, err
	}
	c, err := clusterDoor(filepath.Join(folder, "ca.crt"))
	if err != nil {
		return reply{}, err
	}
	defer c.CloseIdleConnections()
	u := "https://" + net.JoinHostPort(host, cmp.Or(port, "443")) + "/api/v1/nodes/" + url.PathEscape(node)
	body, err := get(ctx, c, u, "Authorization", "Bearer "+strings.TrimSpace(string(token)))
	if err != nil {
		return reply{}, err
	}
	var v struct {
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
		Spec struct {
			ProviderID string `json:"providerID"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return reply{}, fmt.Errorf("decode node %q: %w", node, err)
	}
	return read(v.Spec.ProviderID, v.Metadata.Labels), nil
}

// clusterDoor returns a client for the API server that trusts the cluster's
// authority only.
func clusterDoor(ca string) (*http.Client, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in PEM", ca)
	}
	return &http.Client{Transport: &door{limit: maxNode, next: &http.Transport{
		TLSClientConfig:        &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
	}}}, nil
}
