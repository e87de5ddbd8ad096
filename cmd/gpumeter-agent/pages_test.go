package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/exporters/prom/dcgm"
)

// page asks for one of an agent's pages.
func page(t *testing.T, client *http.Client, url string, set func(*http.Request)) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(r)
	}
	res, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// openMetrics is what Prometheus says that it takes.
func openMetrics(r *http.Request) {
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3")
}

// TestDCGMNamesOfARunningAgent wants each default metric of dcgm-exporter from
// an agent over a H100, for a server that prefers OpenMetrics too.
func TestDCGMNamesOfARunningAgent(t *testing.T) {
	n := startNode(t, eightBusy, "--dcgm-names", "old")
	n.until("all eight GPUs are up", 20*time.Second, func(m map[string]float64) bool { return m["gpu_up{7}"] == 1 })
	time.Sleep(1500 * time.Millisecond) // the rate over NVLink needs two looks a second apart
	_, both := page(t, http.DefaultClient, n.url, openMetrics)
	_, alone := page(t, http.DefaultClient, strings.TrimSuffix(n.url, "/metrics")+"/dcgm/metrics", openMetrics)
	for _, c := range dcgm.DefaultCounters() {
		name := c.Field + "{"
		if c.Type == "label" {
			name = c.Field + `="`
		}
		for where, text := range map[string]string{"/metrics": both, "/dcgm/metrics": alone} {
			if !strings.Contains(text, name) {
				t.Errorf("%s has no %s", where, c.Field)
			}
		}
	}
	if !strings.Contains(both, "\ngpu_up{") || strings.Contains(alone, "gpu_up{") {
		t.Error("our own names are not on /metrics alone")
	}
}

func TestOwnNamesCanBeLeftOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "counters.csv")
	if err := os.WriteFile(file, []byte("DCGM_FI_DEV_GPU_UTIL, gauge, GPU utilization (in %).\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, "gpus 1 h100\ngpu * util 100%\n", "--dcgm-names", "both", "--own-names=false", "--dcgm-counters", file)
	n.until("the GPU is shown", 20*time.Second, func(m map[string]float64) bool { return m["DCGM_FI_DEV_GPU_UTIL_RATIO{0}"] == 100 })
	_, text := page(t, http.DefaultClient, n.url, nil)
	if got := strings.Count(text, "# TYPE "); got != 2 {
		t.Errorf("%d families, want the one of the file under its two names:\n%s", got, text)
	}
}

func TestDCGMSettingsAreChecked(t *testing.T) {
	f := func(want string, c dcgmConfig) {
		t.Helper()
		if err := c.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad.csv")
	if err := os.WriteFile(bad, []byte("\nDCGM_FI_DEV_GPU_UTIL\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("nothing would be left", dcgmConfig{Names: "off"})
	f("dcgm-names is off", dcgmConfig{Names: "off", OwnNames: true, Counters: bad})
	f(`"older"`, dcgmConfig{Names: "older", Hostname: "both"})
	f(`"HOST"`, dcgmConfig{Names: "old", Hostname: "HOST"})
	f("bad.csv:2: 1 columns", dcgmConfig{Names: "old", Hostname: "both", Counters: bad})
	f("no such file", dcgmConfig{Names: "old", Hostname: "both", Counters: bad + ".not"})
}

// secretHash is bcrypt of "secret", of the lowest cost.
const secretHash = "$2a$04$RSqvWF09gitmWjvC3o4Gre5alU9G.N9.bOdtbAxst2pfIcQRjR0Vy"

// TestPagesNeedThePassword has an agent with a certificate and a password.
func TestPagesNeedThePassword(t *testing.T) {
	dir := t.TempDir()
	// The test server's own certificate serves as the agent's.
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	writePair(t, dir, &srv.TLS.Certificates[0])
	web := filepath.Join(dir, "web.yml")
	config := fmt.Sprintf("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users: {prometheus: %q}\n", secretHash)
	if err := os.WriteFile(web, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, "gpus 1 h100\n", "--web-config", web, "--dcgm-names", "old")
	client := srv.Client()
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com"
	secure := strings.Replace(n.url, "http://", "https://", 1)
	login := func(r *http.Request) { r.SetBasicAuth("prometheus", "secret") }
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if code, text := page(t, client, secure, login); code == http.StatusOK && strings.Contains(text, "gpu_up{") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no page over TLS with the password")
		}
	}
	for _, path := range []string{"/metrics", "/dcgm/metrics", "/healthz", "/"} {
		url := strings.TrimSuffix(secure, "/metrics") + path
		if code, _ := page(t, client, url, nil); code != http.StatusUnauthorized {
			t.Errorf("%s without a password: status %d", path, code)
		}
		if code, _ := page(t, client, url, func(r *http.Request) { r.SetBasicAuth("prometheus", "wrong") }); code != http.StatusUnauthorized {
			t.Errorf("%s with a wrong password: status %d", path, code)
		}
	}
	if code, text := page(t, http.DefaultClient, n.url, login); code == http.StatusOK {
		t.Errorf("a page in plain text: %s", text)
	}
}

// writePair writes a certificate and its key as PEM files.
func writePair(t *testing.T, dir string, pair *tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
