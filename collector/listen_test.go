package collector_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
)

// certificate writes a self-signed certificate for 127.0.0.1.
func certificate(t testing.TB, dir string, serial int64) (a collector.Address, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "collector"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a = collector.Address{Addr: "127.0.0.1:0", CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{a.CertFile: {Type: "CERTIFICATE", Bytes: cert}, a.KeyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(serial) * time.Second) // the file system's clock is coarse
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return a, pool
}

func TestListenKeepsPlainTextAndStrangersOut(t *testing.T) {
	tokens := collector.Tokens{Agents: []string{agentToken}}
	with, _ := certificate(t, t.TempDir(), 1)
	f := func(a collector.Address, tokens collector.Tokens, problem string) {
		t.Helper()
		l, err := collector.Listen(t.Context(), a, tokens)
		if l != nil {
			l.Close()
		}
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%+v: %v, want %q", a, err, problem)
		}
	}
	f(collector.Address{Addr: "127.0.0.1:0"}, collector.Tokens{}, "")
	f(collector.Address{Addr: "localhost:0"}, collector.Tokens{}, "")
	f(collector.Address{Addr: ":0"}, tokens, "plain HTTP is for loopback only")
	f(collector.Address{Addr: "0.0.0.0:0"}, tokens, "plain HTTP is for loopback only")
	f(collector.Address{Addr: "[::]:0"}, tokens, "plain HTTP is for loopback only")
	f(collector.Address{Addr: "localhost.example.org:0"}, tokens, "plain HTTP is for loopback only")
	f(collector.Address{Addr: "9400"}, tokens, "want HOST:PORT")
	with.Addr = "0.0.0.0:0"
	f(with, collector.Tokens{}, "needs a token")
	f(with, collector.Tokens{Readers: []string{readerToken}}, "needs a token")
	f(collector.Address{Addr: "127.0.0.1:0", CertFile: with.CertFile}, tokens, "given together")
	f(collector.Address{Addr: "127.0.0.1:0", CertFile: with.KeyFile, KeyFile: with.KeyFile}, tokens, "read TLS certificate")
	f(collector.Address{Addr: "127.0.0.1:0", CertFile: "nowhere.pem", KeyFile: "nowhere.pem"}, tokens, "nowhere.pem")
}

// TestServeSpeaksTLS13AndEndsInOrder serves over TLS, follows a renewed
// certificate, and answers a post that waits when it is told to end.
func TestServeSpeaksTLS13AndEndsInOrder(t *testing.T) {
	dir := t.TempDir()
	address, pool := certificate(t, dir, 1)
	l, err := collector.Listen(t.Context(), address, collector.Tokens{})
	if err != nil {
		t.Fatal(err)
	}
	s := &counting{Store: storetest.NewModel(), delay: 200 * time.Millisecond}
	c := collector.New(collector.Config{Store: s, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- c.Serve(ctx, l) }()
	url := "https://" + l.Addr().String()

	get := func(config *tls.Config) error {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		resp, err := client.Get(url + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get(&tls.Config{RootCAs: pool}); err != nil {
		t.Error(err)
	}
	if err := get(&tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 is spoken")
	}
	_, renewed := certificate(t, dir, 2)
	if err := get(&tls.Config{RootCAs: renewed}); err != nil {
		t.Errorf("after renewal: %v", err)
	}

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: renewed}}}
	status := make(chan int, 1)
	go func() {
		resp, err := client.Post(url+"/v1/usage", "", strings.NewReader(string(lines(t, batch(agentA, 1)))))
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	for s.appends.Load() == 0 {
		time.Sleep(time.Millisecond) // real sockets have no bubble to wait in
	}
	stop()
	if got := <-status; got != http.StatusOK {
		t.Errorf("the post that waited got status %d", got)
	}
	client.CloseIdleConnections()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
}
