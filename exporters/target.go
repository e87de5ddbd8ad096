package exporters

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Target says how to reach a backend over the network.
type Target struct {
	// URL is https://HOST[:PORT][/PATH]. Plain http is refused except to
	// loopback. It holds no secret: user, password and query are refused.
	URL string
	// CAFile holds the only certificate authorities to trust, PEM. Empty
	// trusts those of the system.
	CAFile string
	// CertFile and KeyFile are the client's certificate and its key, PEM; both
	// or none. They are read for every handshake, so that renewed ones need no
	// restart.
	CertFile, KeyFile string
}

// Parse returns the URL, checked.
func (t Target) Parse() (*url.URL, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		// The parser's own words repeat the URL, and with it what may be a password.
		return nil, errors.New("parse backend URL: want https://HOST[:PORT][/PATH]")
	}
	switch {
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("parse backend URL: it has a user, a query or a fragment; want https://HOST[:PORT][/PATH]")
	case u.Hostname() == "":
		return nil, fmt.Errorf("parse backend URL %q: want https://HOST[:PORT][/PATH]", t.URL)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("parse backend URL %q: plain http goes to loopback only (use https)", t.URL)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("parse backend URL %q: the scheme is neither https nor http", t.URL)
	case u.Scheme == "http" && (t.CAFile != "" || t.CertFile != ""):
		return nil, fmt.Errorf("parse backend URL %q: plain http uses no certificates (use https)", t.URL)
	}
	return u, nil
}

// TLS returns what a client of the target trusts and shows.
func (t Target) TLS() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read CA file %s: no certificate in it", t.CAFile)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("read client certificate: a certificate and its key come together")
	}
	if t.CertFile == "" {
		return cfg, nil
	}
	if _, err := t.certificate(nil); err != nil {
		return nil, err
	}
	cfg.GetClientCertificate = t.certificate
	return cfg, nil
}

func (t Target) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read client certificate %s: %w", t.CertFile, err)
	}
	return &c, nil
}

// Client returns an HTTP client for the target whose requests end after
// timeout. It follows no redirect: secrets go to the address that was
// configured and nowhere else. Every call makes connections of its own.
func (t Target) Client(timeout time.Duration) (*http.Client, error) {
	cfg, err := t.TLS()
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     cfg,
			ForceAttemptHTTP2:   true,
			MaxIdleConns:        1,
			IdleConnTimeout:     5 * time.Minute, // longer than any sensible interval
			TLSHandshakeTimeout: 10 * time.Second,
		},
	}, nil
}

// Secret reads a file that holds one word: a token, a password.
func Secret(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" || strings.ContainsAny(s, " \t\r\n") {
		return "", fmt.Errorf("read secret %s: want one word in it", file)
	}
	return s, nil
}

// isLoopback reports whether a host name never leaves this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
