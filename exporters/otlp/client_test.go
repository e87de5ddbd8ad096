package otlp_test

import (
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	colpb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/otlp"
	"github.com/gpumeter/gpumeter/usage"
)

// request is what a receiver got.
type request struct {
	header map[string][]string // lower-case names
	body   *colpb.ExportMetricsServiceRequest
}

func snapshot() exporters.Snapshot {
	s := exporters.Snapshot{Node: usage.Node{Name: "node-\xff1"}}
	s.Frame.Wall = time.Now()
	return s
}

// export sends once, at the exporter's end, and returns the receiver's request.
func export(t *testing.T, cfg otlp.Config, got <-chan request) request {
	t.Helper()
	cfg.Snapshot = snapshot
	var log strings.Builder
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	e, err := otlp.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Run(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-got:
		return r
	default:
		t.Fatalf("the receiver got nothing; log:\n%s", log.String())
		return request{}
	}
}

// check holds a request against what snapshot has.
func check(t *testing.T, r request) {
	t.Helper()
	rm := r.body.GetResourceMetrics()
	if len(rm) != 1 || len(rm[0].GetScopeMetrics()) != 1 || len(rm[0].GetScopeMetrics()[0].GetMetrics()) == 0 {
		t.Fatalf("the request has no metrics: %v", r.body)
	}
	host := ""
	for _, kv := range rm[0].GetResource().GetAttributes() {
		if kv.GetKey() == "host.name" {
			host = kv.GetValue().GetStringValue()
		}
	}
	if host != "node-\uFFFD1" {
		t.Errorf("host.name is %q", host)
	}
	if v := r.header["authorization"]; len(v) != 1 || v[0] != "Bearer secret" {
		t.Errorf("authorization is %q, want that of the file", v)
	}
	if v := r.header["x-scope"]; len(v) != 1 || v[0] != "gpus" {
		t.Errorf("x-scope is %q, want that of the configuration", v)
	}
}

// httpReceiver takes OTLP/HTTP.
func httpReceiver(t *testing.T, path string) (http.Handler, <-chan request) {
	got := make(chan request, 8)
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("a request for %s with %s", r.URL.Path, r.Header.Get("Content-Type"))
		}
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		data, _ := io.ReadAll(z)
		out := request{header: map[string][]string{}, body: &colpb.ExportMetricsServiceRequest{}}
		for k, v := range r.Header {
			out.header[strings.ToLower(k)] = v
		}
		if err := proto.Unmarshal(data, out.body); err != nil {
			t.Error(err)
		}
		got <- out
	}), got
}

// grpcReceiver takes OTLP/gRPC.
type grpcReceiver struct {
	colpb.UnimplementedMetricsServiceServer
	got chan request
}

func (g *grpcReceiver) Export(ctx context.Context, r *colpb.ExportMetricsServiceRequest) (*colpb.ExportMetricsServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	g.got <- request{header: md, body: r}
	return &colpb.ExportMetricsServiceResponse{}, nil
}

// serveGRPC returns the receiver's address.
func serveGRPC(t *testing.T, options ...grpc.ServerOption) (string, *grpcReceiver) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(options...)
	g := &grpcReceiver{got: make(chan request, 8)}
	colpb.RegisterMetricsServiceServer(s, g)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return l.Addr().String(), g
}

// with returns a configuration with headers, one of them secret.
func with(t *testing.T, target exporters.Target) otlp.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(file, []byte("# of the backend\n\nauthorization: Bearer secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return otlp.Config{Target: target, HeadersFile: file, Headers: map[string]string{"X-Scope": "gpus", "Authorization": "none"}}
}

func TestHTTP(t *testing.T) {
	h, got := httpReceiver(t, "/v1/metrics")
	server := httptest.NewServer(h)
	defer server.Close()
	check(t, export(t, with(t, exporters.Target{URL: server.URL}), got))
}

func TestHTTPKeepsAPath(t *testing.T) {
	h, got := httpReceiver(t, "/opentelemetry/v1/metrics")
	server := httptest.NewServer(h)
	defer server.Close()
	check(t, export(t, with(t, exporters.Target{URL: server.URL + "/opentelemetry/v1/metrics"}), got))
}

func TestGRPC(t *testing.T) {
	addr, g := serveGRPC(t)
	cfg := with(t, exporters.Target{URL: "http://" + addr})
	cfg.Protocol = otlp.GRPC
	check(t, export(t, cfg, g.got))
}

// TestTLS has servers that want a certificate of the client's, under an
// authority of their own.
func TestTLS(t *testing.T) {
	files := makeCertificates(t)
	pair, err := tls.LoadX509KeyPair(files.cert, files.key)
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: files.pool}
	target := exporters.Target{CAFile: files.cert, CertFile: files.cert, KeyFile: files.key}

	h, got := httpReceiver(t, "/v1/metrics")
	hs := httptest.NewUnstartedServer(h)
	hs.TLS = server
	hs.StartTLS()
	defer hs.Close()
	target.URL = hs.URL
	check(t, export(t, with(t, target), got))

	addr, g := serveGRPC(t, grpc.Creds(credentials.NewTLS(server)))
	target.URL = "https://" + addr
	cfg := with(t, target)
	cfg.Protocol = otlp.GRPC
	check(t, export(t, cfg, g.got))
}

// TestTheEnvironmentChangesNothing has the variables that the SDK would read.
func TestTheEnvironmentChangesNothing(t *testing.T) {
	for name, value := range map[string]string{
		"ENDPOINT": "https://backend.example", "HEADERS": "authorization=other,x-scope=other", "COMPRESSION": "none", "INSECURE": "false",
		"CERTIFICATE": makeCertificates(t).cert, "TIMEOUT": "1", "METRICS_TEMPORALITY_PREFERENCE": "delta",
	} {
		t.Setenv("OTEL_EXPORTER_OTLP_"+name, value)
	}
	h, got := httpReceiver(t, "/v1/metrics")
	server := httptest.NewServer(h)
	defer server.Close()
	check(t, export(t, with(t, exporters.Target{URL: server.URL}), got))
	addr, g := serveGRPC(t)
	cfg := with(t, exporters.Target{URL: "http://" + addr})
	cfg.Protocol = otlp.GRPC
	check(t, export(t, cfg, g.got))
}

func TestNoRedirectIsFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other server was asked") }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	log := failing(t, with(t, exporters.Target{URL: server.URL}))
	if !strings.Contains(log, "307") || strings.Contains(log, "secret") {
		t.Errorf("the log is %s", log)
	}
}

// failing exports to a receiver that takes nothing, and returns the log.
func failing(t *testing.T, cfg otlp.Config) string {
	t.Helper()
	var log strings.Builder
	cfg.Snapshot, cfg.Log = snapshot, slog.New(slog.NewTextHandler(&log, nil))
	e, err := otlp.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Run(ctx); err != nil {
		t.Error(err)
	}
	if strings.Count(log.String(), "\n") != 1 || len(log.String()) > 1000 {
		t.Errorf("the log is not one line of bounded length:\n%s", log.String())
	}
	return log.String()
}

func TestAReceiversAnswerIsBoundedInTheLog(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(strings.Repeat("no\n", 100_000)))
	}))
	defer server.Close()
	failing(t, with(t, exporters.Target{URL: server.URL}))
}

func TestAChangedSecretNeedsNoRestart(t *testing.T) {
	h, got := httpReceiver(t, "/v1/metrics")
	server := httptest.NewServer(h)
	defer server.Close()
	cfg := with(t, exporters.Target{URL: server.URL})
	cfg.Snapshot, cfg.Interval = snapshot, 20*time.Millisecond
	e, err := otlp.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.HeadersFile, []byte("Authorization: Bearer other"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	r := <-got
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if v := r.header["authorization"]; len(v) != 1 || v[0] != "Bearer other" {
		t.Errorf("authorization is %q", v)
	}
}

func TestNewRefuses(t *testing.T) {
	folder := t.TempDir()
	headers := filepath.Join(folder, "headers")
	f := func(want string, text string, change func(*otlp.Config)) {
		t.Helper()
		if err := os.WriteFile(headers, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := otlp.Config{Target: exporters.Target{URL: "https://backend.example"}, HeadersFile: headers, Snapshot: snapshot}
		change(&cfg)
		_, err := otlp.New(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
	f("plain http goes to loopback only", "", func(c *otlp.Config) { c.URL = "http://backend.example" })
	f("it has a user", "", func(c *otlp.Config) { c.URL = "https://me:hunter2@backend.example" })
	f("want https://", "", func(c *otlp.Config) { c.URL = "https://me:hunter2@backend.example:port" })
	f("a query", "", func(c *otlp.Config) { c.URL = "https://backend.example?token=hunter2" })
	f("neither https nor http", "", func(c *otlp.Config) { c.URL = "ftp://backend.example" })
	f("want https://", "", func(c *otlp.Config) { c.URL = "" })
	f("has a path", "", func(c *otlp.Config) { c.Protocol, c.URL = otlp.GRPC, "https://backend.example/v1/metrics" })
	f("neither http nor grpc", "", func(c *otlp.Config) { c.Protocol = "thrift" })
	f("headers:2: want NAME: VALUE", "a: b\nhunter2", func(*otlp.Config) {})
	f("headers:1: its value", "a: hunter2\x01", func(*otlp.Config) {})
	f("headers:1: its name", "hunter 2: b", func(*otlp.Config) {})
	f("headers:1: its name ends in -bin", "a-bin: hunter2", func(*otlp.Config) {})
	f("read CA file", "", func(c *otlp.Config) { c.CAFile = filepath.Join(folder, "absent") })
	f("no certificate in it", "", func(c *otlp.Config) { c.CAFile = headers })
	f("come together", "", func(c *otlp.Config) { c.CertFile = headers })
	f("read client certificate", "", func(c *otlp.Config) { c.CertFile, c.KeyFile = headers, headers })
	f("uses no certificates", "", func(c *otlp.Config) { c.URL, c.CAFile = "http://127.0.0.1", headers })
}

type certificates struct {
	cert, key string // files
	pool      *x509.CertPool
}

// makeCertificates makes one certificate that is authority, server and client.
func makeCertificates(t *testing.T) certificates {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	out := certificates{cert: filepath.Join(t.TempDir(), "cert.pem"), key: filepath.Join(t.TempDir(), "key.pem"), pool: x509.NewCertPool()}
	write := func(file, kind string, data []byte) {
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(out.cert, "CERTIFICATE", der)
	write(out.key, "PRIVATE KEY", private)
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	out.pool.AddCert(parsed)
	return out
}
