package main

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// asking are the commands that ask a collector or open a data folder, each as
// it is called at least.
var asking = []string{
	"report", "explain c idle", "check --fail-if idle>0", "spend", "claim list", "claim export inc-0 --out out", "periods", "diff 2026-03", "verify",
}

func TestEverySourceRefusesTheSame(t *testing.T) {
	pem := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(pem, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range asking {
		f := func(code int, want string, args ...string) {
			t.Helper()
			_, err := gpumeter(t, append(strings.Fields(command), args...)...)
			if err == nil || exitCode(err) != code || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %v: %v, want status %d and %q", command, args, err, code, want)
			}
		}
		f(2, `url "nowhere" is not of the form`, "--url", "nowhere")
		f(2, "--url and --data are given together: want a collector to ask, or a data folder", "--url", "http://x", "--data", "y")
		f(2, "--contracts goes with --data", "--contracts", "x")
		f(1, "read token", "--token-file", pem+".none")
		f(1, "holds no PEM certificate", "--ca-file", pem)
		f(1, "does it run there? --data opens a folder", "--url", "http://127.0.0.1:1")
		switch word, _, _ := strings.Cut(command, " "); word {
		case "spend", "claim", "explain":
			f(2, "--data needs --contracts", "--data", pem+".none")
		default:
			f(1, "open data folder", "--data", pem+".none")
		}
	}
}

// TestSourceSaysWhatToDo has collectors that cannot be asked as they were.
func TestSourceSaysWhatToDo(t *testing.T) {
	answer := func(status int, text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		})
	}
	secure := httptest.NewUnstartedServer(answer(200, ""))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(want string, args ...string) {
		t.Helper()
		if _, err := gpumeter(t, append([]string{"report"}, args...)...); err == nil || exitCode(err) != 1 || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	plain := strings.Replace(secure.URL, "https", "http", 1)
	f("it speaks TLS there (ask with https://)", "--url", plain)
	f("(name the file with the authority of its certificate with --ca-file): tls", "--url", secure.URL)
	f("(ask by a name that its certificate has): tls", "--url", strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), "--ca-file", ca)
	if got := hint(&url.Error{Op: "Get", Err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}}}); got != "is the name right?" {
		t.Errorf("a name that is not there: %s", got)
	}
	for text, want := range map[string]string{
		`401 {"error": "a bearer token is needed"}`:      "a bearer token is needed (name a file with a reader's with --token-file)",
		`403 {"error": "the token does not allow this"}`: "the token does not allow this (--token-file wants a reader's: one of the collector's --read-tokens)",
		`404 not here`: ": 404 Not Found (is it a collector, and of this version?)",
		`502 <html>`:   ": 502 Bad Gateway",
		`422 <html>`:   ": 422 Unprocessable Entity",
	} {
		code, body, _ := strings.Cut(text, " ")
		status, err := strconv.Atoi(code)
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(answer(status, body))
		f(want, "--url", srv.URL)
		f("it speaks plain HTTP there: ask with http://", "--url", strings.Replace(srv.URL, "http", "https", 1))
		srv.Close()
	}
}

func TestSourceIsWhatTheEnvironmentSays(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, `{"error": "heard `+r.Header.Get("Authorization")+`"}`)
	}))
	t.Cleanup(srv.Close)
	t.Setenv("GPUMETER_URL", srv.URL)
	t.Setenv("GPUMETER_TOKEN_FILE", token)
	for _, command := range asking {
		if _, err := gpumeter(t, strings.Fields(command)...); err == nil || err.Error() != "heard Bearer secret" {
			t.Errorf("%s: %v", command, err)
		}
	}
}
