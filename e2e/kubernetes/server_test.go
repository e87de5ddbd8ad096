//go:build e2e_kubernetes

// Package kubernetes_test runs what asks Kubernetes against its real API server.
// There are no containers and no kubelet: nodes and pods are objects only.
package kubernetes_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// adminToken is the password of the test itself.
const adminToken = "an-administrator-of-this-test"

// cluster is an API server with its etcd.
type cluster struct {
	host, port string
	ca         []byte // PEM
	admin      *http.Client
}

// startCluster starts etcd and the API server on loopback and ends them with
// the test.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	etcd, peer := "http://"+address(t), "http://"+address(t)
	run(t, "etcd", "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	c := &cluster{}
	c.ca = writeKeys(t, dir)
	var err error
	if c.host, c.port, err = net.SplitHostPort(address(t)); err != nil {
		t.Fatal(err)
	}
	tokens := filepath.Join(dir, "tokens.csv")
	write(t, tokens, []byte(adminToken+",admin,1,system:masters\n"))
	run(t, tool(t, "kube-apiserver"), "--etcd-servers", etcd, "--bind-address", c.host, "--secure-port", c.port,
		"--tls-cert-file", filepath.Join(dir, "server.crt"), "--tls-private-key-file", filepath.Join(dir, "server.key"),
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-signing-key-file", filepath.Join(dir, "accounts.key"),
		"--service-account-key-file", filepath.Join(dir, "accounts.key"), "--service-cluster-ip-range", "10.0.0.0/24",
		"--authorization-mode", "RBAC", "--token-auth-file", tokens, "--anonymous-auth=false", "--disable-admission-plugins", "ServiceAccount")
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.ca)
	c.admin = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	t.Cleanup(c.admin.CloseIdleConnections)
	c.wait(t)
	return c
}

// wait returns when the server is ready and has its first namespace.
func (c *cluster) wait(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		ready, _ := c.do(http.MethodGet, "/readyz", "", "")
		space, _ := c.do(http.MethodGet, "/api/v1/namespaces/default", "", "")
		if ready == http.StatusOK && space == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the API server is not ready")
		}
	}
}

// do sends a request as the administrator.
func (c *cluster) do(method, path, kind, body string) (status int, answer []byte) {
	req, err := http.NewRequest(method, "https://"+net.JoinHostPort(c.host, c.port)+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, []byte(err.Error())
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", kind)
	resp, err := c.admin.Do(req)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return resp.StatusCode, answer
}

// create posts an object in YAML.
func (c *cluster) create(t *testing.T, path, object string) []byte {
	t.Helper()
	status, answer := c.do(http.MethodPost, path, "application/yaml", object)
	if status != http.StatusCreated {
		t.Fatalf("create at %s: %d: %s\n%s", path, status, answer, object)
	}
	return answer
}

func (c *cluster) remove(t *testing.T, path string) {
	t.Helper()
	if status, answer := c.do(http.MethodDelete, path, "application/json", ""); status != http.StatusOK {
		t.Fatalf("delete %s: %d: %s", path, status, answer)
	}
}

// run starts a program and ends it with the test.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(out.Name())
			t.Logf("%s said:\n%s", filepath.Base(name), text[max(0, len(text)-3000):])
		}
		out.Close()
	})
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(os.Getenv("GPUMETER_E2E_BIN"), name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not in GPUMETER_E2E_BIN (make e2e-kubernetes builds it): %v", name, err)
	}
	return path
}

// address returns a free address on loopback.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(fmt.Errorf("write for the test: %w", err))
	}
}
