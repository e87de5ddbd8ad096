package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
