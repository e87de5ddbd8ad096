package push

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// newClient makes the client that trusts what the configuration says. It
// follows no redirect: the token goes to the address that was configured and
// nowhere else.
func newClient(cfg Config) (*http.Client, error) {
	if cfg.Client != nil {
		return cfg.Client, nil
	}
	// A collector of very many agents ends their connections: the next one
	// takes up the session of the one before.
	t := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read CA file %s: no certificate in it", cfg.CAFile)
		}
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     t,
			ForceAttemptHTTP2:   true,
			MaxIdleConns:        1,
			IdleConnTimeout:     2 * idle, // longer than a window: no handshake per request
			TLSHandshakeTimeout: 10 * time.Second,
		},
	}, nil
}

// token reads the bearer token anew; empty without a token file.
func (p *Pusher) token() (string, error) {
	if p.cfg.TokenFile == "" {
		return "", nil
	}
	b, err := os.ReadFile(p.cfg.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	t := strings.TrimSpace(string(b))
	if t == "" || strings.ContainsAny(t, " \t\r\n") {
		return "", fmt.Errorf("read token %s: want one word in it", p.cfg.TokenFile)
	}
	return t, nil
}

// isLoopback reports whether a host name never leaves this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// quote prints a URL for a message, without what could be a password.
func quote(u *url.URL) string { return strconv.Quote(u.Redacted()) }

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseUint(v, 10, 32); err == nil {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
