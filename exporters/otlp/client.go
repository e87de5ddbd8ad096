package otlp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// newClient makes the SDK's exporter. All that the SDK would else take from its
// environment variables is set, so that the configuration says what happens.
func newClient(ctx context.Context, cfg Config) (sdk.Exporter, error) {
	u, err := cfg.Parse()
	if err != nil {
		return nil, err
	}
	h := headers{fixed: cfg.Headers, file: cfg.HeadersFile, plain: u.Scheme == "http"}
	if _, err := h.read(); err != nil {
		return nil, err
	}
	switch cfg.Protocol {
	case HTTP:
		return newHTTP(ctx, cfg, u, h)
	case GRPC:
		return newGRPC(ctx, cfg, u, h)
	}
	return nil, fmt.Errorf("protocol %q is neither http nor grpc", string(cfg.Protocol))
}

func newHTTP(ctx context.Context, cfg Config, u *url.URL, h headers) (sdk.Exporter, error) {
	client, err := cfg.Client(cfg.Timeout)
	if err != nil {
		return nil, err
	}
	h.next = client.Transport
	client.Transport = h
	if u.Path == "" || u.Path == "/" {
		u = u.JoinPath("v1", "metrics")
	}
	return otlpmetrichttp.New(ctx, otlpmetrichttp.WithHTTPClient(client), otlpmetrichttp.WithEndpointURL(u.String()),
		otlpmetrichttp.WithTLSClientConfig(nil), otlpmetrichttp.WithHeaders(nil), otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression),
		otlpmetrichttp.WithTimeout(cfg.Timeout), otlpmetrichttp.WithTemporalitySelector(sdk.DefaultTemporalitySelector))
}

func newGRPC(ctx context.Context, cfg Config, u *url.URL, h headers) (sdk.Exporter, error) {
	if u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("backend URL %q has a path; gRPC wants https://HOST:PORT", cfg.URL)
	}
	options := []otlpmetricgrpc.Option{
		otlpmetricgrpc.WithEndpointURL(u.String()), otlpmetricgrpc.WithHeaders(nil),
		otlpmetricgrpc.WithCompressor("gzip"), otlpmetricgrpc.WithTimeout(cfg.Timeout),
		otlpmetricgrpc.WithTemporalitySelector(sdk.DefaultTemporalitySelector),
		otlpmetricgrpc.WithDialOption(grpc.WithPerRPCCredentials(h)),
	}
	trust := insecure.NewCredentials()
	if !h.plain {
		t, err := cfg.TLS()
		if err != nil {
			return nil, err
		}
		trust = credentials.NewTLS(t)
	}
	options = append(options, otlpmetricgrpc.WithTLSCredentials(trust))
	return otlpmetricgrpc.New(ctx, options...)
}

// headers puts headers into requests of either protocol. It is an
// http.RoundTripper and gRPC's credentials.PerRPCCredentials.
type headers struct {
	fixed map[string]string
	file  string
	plain bool // over loopback, without TLS
	next  http.RoundTripper
}

// RoundTrip sends r with the headers.
func (h headers) RoundTrip(r *http.Request) (*http.Response, error) {
	all, err := h.read()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context()) // a RoundTripper may not change what it is given
	for k, v := range all {
		r.Header.Set(k, v)
	}
	return h.next.RoundTrip(r)
}

// GetRequestMetadata returns the headers.
func (h headers) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	all, err := h.read()
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(all))
	for k, v := range all {
		out[strings.ToLower(k)] = v // HTTP/2 has no capitals there
	}
	return out, nil
}

// RequireTransportSecurity reports whether the headers need TLS: everywhere but
// on loopback.
func (h headers) RequireTransportSecurity() bool { return !h.plain }

func (h headers) read() (map[string]string, error) {
	out := map[string]string{}
	for k, v := range h.fixed {
		if err := checkHeader(k, v); err != nil {
			return nil, fmt.Errorf("header %q: %w", k, err)
		}
		out[http.CanonicalHeaderKey(k)] = v
	}
	if h.file == "" {
		return out, nil
	}
	data, err := os.ReadFile(h.file)
	if err != nil {
		return nil, fmt.Errorf("read headers: %w", err)
	}
	return out, parseHeaders(out, h.file, data)
}

// parseHeaders adds the lines of a file to out. Its errors name the line and do
// not repeat it: it may be a secret.
func parseHeaders(out map[string]string, file string, data []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok {
			return fmt.Errorf("%s:%d: want NAME: VALUE", file, n)
		}
		if err := checkHeader(name, value); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
		out[http.CanonicalHeaderKey(name)] = value
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read headers %s: %w", file, err)
	}
	return nil
}

// checkHeader holds a header to what both protocols can carry.
func checkHeader(name, value string) error {
	if name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return errors.New("its name is not of letters, digits, '-', '_' and '.'")
	}
	if strings.HasSuffix(strings.ToLower(name), "-bin") {
		return errors.New("its name ends in -bin, which gRPC keeps for binary values")
	}
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' {
			return errors.New("its value is not of printable ASCII characters")
		}
	}
	return nil
}
