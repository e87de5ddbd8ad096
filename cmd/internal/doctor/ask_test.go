package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
)

// TestMain asks without a proxy, wherever the tests run.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		_ = os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// answering is a server that answers so to everything.
func answering(t *testing.T, status int, kind, body string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

const jsonKind = "application/json"

// find asks an agent's question, or a reader's, and returns what is found of
// collector, token and certificate.
func find(t *testing.T, target doctor.Target) [3]doctor.Finding {
	t.Helper()
	a := doctor.Ask(t.Context(), target)
	return [3]doctor.Finding{a.Find(), a.FindToken(), a.FindCertificate()}
}

func TestAskTellsWhoAnswers(t *testing.T) {
	token := write(t, "token", "a-token-for-agents\n")
	f := func(url string, agent bool, wantCollector, wantToken string) {
		t.Helper()
		got := find(t, doctor.Target{URL: url, TokenFile: token, Agent: agent})
		for i, want := range []string{wantCollector, wantToken} {
			if said := got[i].Level.String() + ": " + got[i].What; !strings.HasPrefix(said, want) {
				t.Errorf("%s: %q, want %q", url, said, want)
			}
			if (got[i].Level > doctor.Aside) != (got[i].Remedy != "") {
				t.Errorf("%s: %+v has a remedy or needs none", url, got[i])
			}
		}
	}
	took := `{"store_id":"s","committed":{},"server_time_ms":1}`
	page := "# HELP x\ngpumeter_collector_info{version=\"1\"} 1\n"
	f(answering(t, 200, jsonKind, took), true, "ok: The collector at", "ok: The collector takes")
	f(answering(t, 200, "text/plain", page), false, "ok: The collector at", "ok: The collector takes")
	f(answering(t, 200, "text/html", "<html>"), true, "fault: What answers at", "n/a: No collector answered")
	f(answering(t, 200, "text/plain", "up 1\n"), false, "fault: What answers at", "n/a: No collector")
	f(answering(t, 200, jsonKind, `{}`), true, "fault: What answers at", "n/a: No collector")
	f(answering(t, 404, "text/plain", "404 page not found"), true, "fault: What answers at", "n/a: No collector")
	f(answering(t, 302, "text/plain", ""), true, "fault: What answers at", "n/a: No collector")
	f(answering(t, 401, "text/html", "a proxy"), true, "fault: What answers at", "n/a: No collector")
	f(answering(t, 401, jsonKind, `{"error":"the token is not known"}`), true, "ok: The collector at", "fault: The collector does not know the token")
	f(answering(t, 403, jsonKind, `{"error":"the token does not allow this"}`), true, "ok: The collector at", "fault: The token in "+token+" is not one for agents")
	f(answering(t, 403, jsonKind, `{"error":"the token does not allow this"}`), false, "ok: The collector at", "fault: The token in "+token+" is not one for readers")
	f(answering(t, 503, jsonKind, `{"error":"the store does not answer"}`), true, "warning: The collector at", "ok: ")
	f(answering(t, 500, jsonKind, `{"error":"oh"}`), true, "fault: The collector at", "ok: ")
}

// TestAskGivesTheTokenToNobodyElse has a server that leads to another.
func TestAskGivesTheTokenToNobodyElse(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	srv := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	for _, agent := range []bool{true, false} {
		got := find(t, doctor.Target{URL: srv.URL, TokenFile: write(t, "token", "a-token-for-agents"), Agent: agent})
		if asked || got[0].Level != doctor.Fault || !strings.Contains(got[0].What, "status 307") {
			t.Errorf("the other was asked: %t; %+v", asked, got[0])
		}
	}
}

// TestAskNeedsNoToken holds what is said where none is given.
func TestAskNeedsNoToken(t *testing.T) {
	open := find(t, doctor.Target{URL: answering(t, 200, jsonKind, `{"store_id":"s"}`), Agent: true})
	if open[1].Level != doctor.Well || !strings.Contains(open[1].What, "asks for no token") || open[2].Level != doctor.Aside {
		t.Errorf("%+v", open)
	}
	closed := find(t, doctor.Target{URL: answering(t, 401, jsonKind, `{"error":"a bearer token is needed"}`), Agent: true})
	if closed[1].Level != doctor.Fault || !strings.Contains(closed[1].Remedy, "--token-file") {
		t.Errorf("%+v", closed[1])
	}
}

func TestAskSaysWhyNobodyAnswers(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	secure, ca := secureServer(t, "collector.example", time.Hour)
	late, lateCA := secureServer(t, "127.0.0.1", -time.Minute)
	named, _ := secureServer(t, "127.0.0.1", time.Hour)
	plain := answering(t, 200, jsonKind, `{"store_id":"s"}`)
	f := func(target doctor.Target, what, remedy string) {
		t.Helper()
		target.Agent = true
		got := find(t, target)[0]
		if got.Level != doctor.Fault || !strings.Contains(got.What, what) || !strings.Contains(got.Remedy, remedy) {
			t.Errorf("%+v: %s: %s -> %s\nwant %q -> %q", target, got.Level, got.What, got.Remedy, what, remedy)
		}
	}
	f(doctor.Target{URL: gone.URL}, "connection refused", "that it listens on this address")
	f(doctor.Target{URL: "https://nobody.invalid:9410"}, "nobody.invalid", "resolver")
	f(doctor.Target{URL: secure, CAFile: ca}, "certificate", "by a name in its certificate")
	f(doctor.Target{URL: late, CAFile: lateCA}, "certificate has expired", "Renew")
	f(doctor.Target{URL: named}, "unknown authority", "--ca-file")
	f(doctor.Target{URL: strings.Replace(plain, "http://", "https://", 1)}, "HTTP response to HTTPS client", "plain HTTP")
	f(doctor.Target{URL: strings.Replace(named, "https://", "http://", 1)}, "takes no plain HTTP", "https://")
	f(doctor.Target{URL: "http://10.0.0.1:9410"}, "plain http goes to loopback only", "https://HOST")
	f(doctor.Target{URL: "https://user:secret@collector"}, "want https://HOST", "https://HOST")
	f(doctor.Target{URL: plain, TokenFile: "/nowhere"}, "no such file", "token")
	f(doctor.Target{URL: plain, TokenFile: write(t, "two", "a b\n")}, "holds no token", "token")
	f(doctor.Target{URL: plain, CAFile: write(t, "ca", "hello")}, "no certificate in PEM", "--ca-file")
}

func TestAskKeepsPasswordsToItself(t *testing.T) {
	for _, url := range []string{"https://user:secret@collector", "ftp://user:secret@x", "https://user:secret@127.0.0.1:1/"} {
		if got := find(t, doctor.Target{URL: url}); strings.Contains(fmt.Sprint(got), "secret") {
			t.Errorf("%s: %+v", url, got)
		}
	}
}

// TestCertificateIsWarnedOf holds the days before its end.
func TestCertificateIsWarnedOf(t *testing.T) {
	for life, want := range map[time.Duration]doctor.Level{24 * time.Hour: doctor.Warning, 20 * 24 * time.Hour: doctor.Warning, 22 * 24 * time.Hour: doctor.Well} {
		url, ca := secureServer(t, "127.0.0.1", life)
		got := find(t, doctor.Target{URL: url, CAFile: ca, Agent: true})
		if got[0].Level != doctor.Well || got[2].Level != want || !strings.Contains(got[2].What, time.Now().Add(life).UTC().Format(time.DateOnly)) {
			t.Errorf("%s: %+v, want %s", life, got, want)
		}
	}
}

func TestAskReadsBothClocks(t *testing.T) {
	ahead := time.Now().Add(-time.Hour).UnixMilli() // the collector's clock is an hour behind
	a := doctor.Ask(t.Context(), doctor.Target{URL: answering(t, 200, jsonKind, fmt.Sprintf(`{"store_id":"s","server_time_ms":%d}`, ahead)), Agent: true})
	if off := a.Offset - time.Hour; !a.HasOffset || off.Abs() > a.Doubt+time.Second {
		t.Errorf("offset %s ± %s, want an hour", a.Offset, a.Doubt)
	}
	b := doctor.Ask(t.Context(), doctor.Target{URL: answering(t, 200, "text/plain", "\ngpumeter_collector_info{} 1\n")})
	if !b.HasOffset || b.Offset.Abs() > b.Doubt || b.Doubt < time.Second/2 {
		t.Errorf("offset %s ± %s, want none to within a second", b.Offset, b.Doubt)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secureServer answers as a collector over TLS with a certificate for a name or
// address, good for so long; ca is the file with its authority: itself.
func secureServer(t *testing.T, name string, life time.Duration) (url, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life), IsCA: true, BasicConstraintsValid: true}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonKind)
		fmt.Fprint(w, `{"store_id":"s"}`)
	}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL, write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}
