package collector

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Address is where a collector listens.
type Address struct {
	// Addr is HOST:PORT. Without CertFile and KeyFile, HOST is loopback.
	Addr string
	// CertFile and KeyFile are PEM files. They are read anew when they change,
	// so that a renewed certificate needs no restart.
	CertFile, KeyFile string
}

// Listen opens the address, with TLS 1.3 where a certificate is given.
// Usage and prices do not go over a network in plain text or to strangers:
// an address that is not loopback needs a certificate and tokens.
func Listen(ctx context.Context, a Address, t Tokens) (net.Listener, error) {
	host, _, err := net.SplitHostPort(a.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: want HOST:PORT: %w", a.Addr, err)
	}
	secured := a.CertFile != "" && a.KeyFile != ""
	switch {
	case (a.CertFile == "") != (a.KeyFile == ""):
		return nil, fmt.Errorf("listen on %s: a certificate and its key are given together, or neither", a.Addr)
	case !isLoopback(host) && !secured:
		return nil, fmt.Errorf("listen on %s: plain HTTP is for loopback only; another address needs a TLS certificate and key", a.Addr)
	case !isLoopback(host) && len(t.Agents) == 0:
		return nil, fmt.Errorf("listen on %s: an address that is not loopback needs a token for the agents", a.Addr)
	}
	var pair *keyPair
	if secured {
		pair = &keyPair{address: a}
		if _, err := pair.get(nil); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", a.Addr, err)
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", a.Addr, err)
	}
	if pair == nil {
		return l, nil
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: pair.get, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// isLoopback reports whether a host is this machine, whatever is resolved: an
// empty host is every interface.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// keyPair is a certificate in two files.
type keyPair struct {
	address Address

	mu       sync.Mutex // guards what follows
	pair     *tls.Certificate
	modified [2]time.Time
}

// get returns the certificate, read anew if the files changed. While the new
// files do not fit together, it returns the old one.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var modified [2]time.Time
	for i, name := range []string{k.address.CertFile, k.address.KeyFile} {
		if info, err := os.Stat(name); err == nil {
			modified[i] = info.ModTime()
		}
	}
	if k.pair != nil && modified == k.modified {
		return k.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(k.address.CertFile, k.address.KeyFile)
	if err == nil {
		k.pair, k.modified = &pair, modified
	} else if k.pair == nil {
		return nil, fmt.Errorf("read TLS certificate: %w", err)
	}
	return k.pair, nil
}

// Timeouts of the server. A post of 8 MiB takes half a minute at 2 Mbit/s.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = headerTimeout + 30*time.Second
	writeTimeout  = 2 * time.Minute
	idleTimeout   = 90 * time.Second
	drainTimeout  = 15 * time.Second
	maxHeader     = 64 << 10
)

// Serve runs the collector on l until ctx ends: posts that are being answered
// are committed and answered first. It closes l. It is called once, instead
// of Run.
func (c *Collector) Serve(ctx context.Context, l net.Listener) error {
	var open connections
	server := &http.Server{
		Handler:           open.limit(c.Handler(), maxOpen),
		ConnState:         open.note,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(c.cfg.Log.Handler(), slog.LevelDebug),
	}
	runCtx, stopRun := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRun()
	var g errgroup.Group
	g.Go(func() error { return c.Run(runCtx) })
	g.Go(func() error { return c.live(runCtx) })
	served := make(chan struct{})
	g.Go(func() error {
		defer stopRun()
		select {
		case <-ctx.Done():
		case <-served: // the listener failed
		}
		drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if err := server.Shutdown(drainCtx); err != nil {
			_ = server.Close() // the requests that are left end with their connections
		}
		return nil
	})
	err := server.Serve(l)
	close(served)
	_ = g.Wait() // neither returns an error
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", l.Addr(), err)
}
