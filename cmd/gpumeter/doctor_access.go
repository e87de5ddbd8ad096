package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
	"github.com/gpumeter/gpumeter/cmd/internal/kubeconfig"
)

// apiServer is one that is asked.
type apiServer struct {
	base  *url.URL
	token string
	http  *http.Client
	name  string // for people: "this cluster"
	found string // the kubeconfig that lay there; empty where a flag named a cluster
}

// podAccount is where Kubernetes mounts a pod's token and authority.
const podAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// Why no cluster is asked, though nothing that somebody named is wrong.
var (
	errOff  = errors.New("no cluster is to be looked at")
	errNone = errors.New("no cluster is named, there is no kubeconfig, and this is no pod")
	// errFound marks what is wrong with a kubeconfig that nobody named.
	errFound = errors.New("no cluster was looked at")
)

// open returns the server to ask, in kubectl's order: that of a flag, of a
// kubeconfig, of the pod.
func (a *clusterArgs) open() (*apiServer, error) {
	chosen := a.kubeconfig != "" || a.context != ""
	switch {
	case a.server != clusterAuto && chosen:
		return nil, usageError{errors.New("kubernetes: --kubeconfig and --context choose a cluster, and so does --kubernetes: give one of them")}
	case chosen && a.shown():
		return nil, usageError{errors.New("kubernetes: a kubeconfig has its own token and authority: leave --kubernetes-token-file and --kubernetes-ca-file out")}
	case a.server == clusterOff:
		return nil, errOff
	case a.server != clusterAuto:
		return a.named(a.server, a.tokenFile, a.caFile)
	case a.shown():
		return a.ofPod() // a kubeconfig has its own
	}
	if files := kubeconfig.Files(a.kubeconfig); len(files) > 0 {
		return a.ofKubeconfig(files, chosen)
	}
	if chosen {
		return nil, errors.New("kubernetes: there is no kubeconfig, neither of KUBECONFIG nor ~/.kube/config: name one with --kubeconfig")
	}
	return a.ofPod()
}

// shown reports whether files are given that are shown to a server.
func (a *clusterArgs) shown() bool { return a.tokenFile != "" || a.caFile != "" }

// ofKubeconfig returns the server of a context. What is wrong with files that
// nobody chose is an errFound.
func (a *clusterArgs) ofKubeconfig(files []string, chosen bool) (*apiServer, error) {
	access, err := kubeconfig.Load(files, a.context)
	switch {
	case err != nil && chosen:
		return nil, fmt.Errorf("kubernetes: %w", err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errFound, err)
	}
	s := &apiServer{base: access.Server, token: access.Token, http: clusterClient(access.TLS), name: fmt.Sprintf("the cluster of the context %q", access.Context)}
	if !chosen {
		s.found = strings.Join(files, ", ")
	}
	return s, nil
}

// ofPod returns the server of the cluster in which this process runs; errNone if
// it runs in none, or without an account.
func (a *clusterArgs) ofPod() (*apiServer, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" {
		return nil, errNone
	}
	token, ca := a.tokenFile, a.caFile
	if token == "" {
		token = filepath.Join(podAccount, "token")
		if _, err := os.Stat(token); errors.Is(err, fs.ErrNotExist) {
			return nil, errNone
		}
	}
	if ca == "" {
		ca = filepath.Join(podAccount, "ca.crt")
	}
	if port == "" {
		port = "443"
	}
	return a.named("https://"+net.JoinHostPort(host, port), token, ca)
}

// named returns the server at an address. Empty files show nothing, and trust the
// authorities of the system.
func (*clusterArgs) named(server, token, ca string) (*apiServer, error) {
	u, err := doctor.ParseURL(server)
	if err != nil {
		return nil, usageError{fmt.Errorf("kubernetes: %w", err)}
	}
	s := &apiServer{base: u, name: "this cluster"}
	if token != "" {
		if s.token, err = doctor.ReadToken(token); err != nil {
			return nil, fmt.Errorf("kubernetes: %w", err)
		}
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("kubernetes: read certificate authority: %w", err)
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kubernetes: read certificate authority: %s has no certificate in PEM", ca)
		}
	}
	s.http = clusterClient(trust)
	return s, nil
}

// clusterClient heeds no proxy and follows no redirect: the token goes nowhere
// else.
func clusterClient(t *tls.Config) *http.Client {
	return &http.Client{
		Timeout:       apiLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{TLSClientConfig: t, MaxResponseHeaderBytes: 64 << 10},
	}
}
