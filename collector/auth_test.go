package collector_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector"
)

const (
	agentToken  = "agent-token-0123456789"
	readerToken = "reader-token-0123456789"
)

func TestTokensOpenWhatTheyAreFor(t *testing.T) {
	h := start(t, collector.Config{Tokens: collector.Tokens{Agents: []string{"old-agent-token-000000", agentToken}, Readers: []string{readerToken}}})
	body := lines(t, batch(agentA, 1))
	f := func(method, url, authorization string, want int) {
		t.Helper()
		var header []string
		if authorization != "" {
			header = []string{"Authorization", authorization}
		}
		w := do(h, method, url, body, header...)
		if w.Code != want {
			t.Errorf("%s %s with %q: status %d, want %d", method, url, authorization, w.Code, want)
		}
		if asks := w.Header().Get("WWW-Authenticate") != ""; asks != (want == 401) {
			t.Errorf("%s %s with %q: asks for a token: %v", method, url, authorization, asks)
		}
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+readerToken))
	f("POST", "/v1/usage", "", 401)
	f("POST", "/v1/usage", "Bearer wrong", 401)
	f("POST", "/v1/usage", "Bearer "+agentToken[:10], 401)
	f("POST", "/v1/usage", "Bearer "+readerToken, 403)
	f("POST", "/v1/usage", "Bearer "+agentToken, 200)
	f("POST", "/v1/usage", "bearer old-agent-token-000000", 200)
	for _, url := range []string{"/api/v1/report?since=2d", "/api/v1/report.csv?since=2d", "/metrics", "/?since=2d"} {
		f("GET", url, "", 401)
		f("GET", url, "Bearer "+agentToken, 403)
		f("GET", url, "Bearer "+readerToken, 200)
		f("GET", url, basic, 200)
	}
	f("GET", "/healthz", "", 200)
	f("GET", "/readyz", "", 200)
	f("GET", "/nowhere", "", 404)
	f("GET", "/v1/usage", "Bearer "+agentToken, 405)
}

func TestAgentsTokenOpensReportsWhereThereIsNoOther(t *testing.T) {
	h := start(t, collector.Config{Tokens: collector.Tokens{Agents: []string{agentToken}}})
	if w := do(h, "GET", "/metrics", nil, "Authorization", "Bearer "+agentToken); w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
	if w := do(h, "GET", "/metrics", nil); w.Code != 401 {
		t.Errorf("status %d without a token", w.Code)
	}
}

func TestReadTokens(t *testing.T) {
	f := func(text, want, problem string) {
		t.Helper()
		name := filepath.Join(t.TempDir(), "tokens")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := collector.ReadTokens(name)
		switch {
		case problem == "" && err != nil, problem != "" && (err == nil || !strings.Contains(err.Error(), problem)):
			t.Errorf("%q: err = %v, want %q", text, err, problem)
		case strings.Join(got, "|") != want:
			t.Errorf("%q: got %q, want %q", text, got, want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("the error tells the token: %v", err)
		}
	}
	f("agent-token-0123456789\n", "agent-token-0123456789", "")
	f("# new\n agent-token-0123456789 \r\n\n# old\nagent-token-9876543210", "agent-token-0123456789|agent-token-9876543210", "")
	f("# none\n", "", "holds none")
	f("short-secret\n", "", "tokens:1: a token has at least 16 characters")
	f("#\ntwo words that are secret\n", "", "tokens:2: ")
	if _, err := collector.ReadTokens(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a missing file is no error")
	}
}
