package pods_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/holder/pods"
)

// cluster is an API server, and the service account that it gave a pod.
type cluster struct {
	*httptest.Server
	t    *testing.T
	root string
}

func newCluster(t *testing.T, h http.HandlerFunc) *cluster {
	t.Helper()
	c := &cluster{httptest.NewTLSServer(h), t, t.TempDir()}
	t.Cleanup(c.Close)
	c.write("token", "secret-1\n")
	c.trust(c.Server)
	return c
}

// trust makes a server's certificate the cluster's authority.
func (c *cluster) trust(s *httptest.Server) {
	c.t.Helper()
	c.write("ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
}

func (c *cluster) write(name, text string) {
	c.t.Helper()
	dir := filepath.Join(c.root, "var/run/secrets/kubernetes.io/serviceaccount")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) client(labels ...string) *pods.Client {
	c.t.Helper()
	u, err := url.Parse(c.URL)
	if err != nil {
		c.t.Fatal(err)
	}
	env := map[string]string{"KUBERNETES_SERVICE_HOST": u.Hostname(), "KUBERNETES_SERVICE_PORT": u.Port(), "NODE_NAME": "node-1"}
	out, err := pods.New(pods.Config{Labels: labels, Root: c.root, Getenv: func(k string) string { return env[k] }})
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// within asks with a time limit.
func within(t *testing.T, c *pods.Client, d time.Duration) (map[pods.Pod]string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return c.List(ctx)
}

// three are the pods of a node, in the API server's words.
const three = `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"812"},"items":[
 {"metadata":{"name":"train-0","namespace":"research","uid":"1","labels":{"team":"search","cost-centre":"42","secret-project":"x"},
  "managedFields":[{"manager":"kubelet","fieldsV1":{"f:status":{}}}]}},
 {"metadata":{"name":"chat-0","namespace":"serving","labels":{"team":""}}},
 {"metadata":{"name":"proxy","namespace":"kube-system"}}]}`

func TestListTellsAllowedLabelsOnly(t *testing.T) {
	var asked *http.Request
	c := newCluster(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r
		io.WriteString(w, three)
	})
	got, err := within(t, c.client("team", "cost-centre"), 5*time.Second)
	want := map[pods.Pod]string{
		{Namespace: "research", Name: "train-0"}:  "cost-centre=42,team=search",
		{Namespace: "serving", Name: "chat-0"}:    "team=",
		{Namespace: "kube-system", Name: "proxy"}: "",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("error %v, pods (-want +got):\n%s", err, diff)
	}
	if q := asked.URL.Query(); asked.URL.Path != "/api/v1/pods" || q.Get("fieldSelector") != "spec.nodeName=node-1" || q.Get("resourceVersion") != "0" {
		t.Errorf("asked for %s, want this node's pods from the server's memory", asked.URL)
	}
	if h := asked.Header; h.Get("Authorization") != "Bearer secret-1" || !strings.Contains(h.Get("Accept"), "PartialObjectMetadataList") {
		t.Errorf("asked with %v, want the token, and metadata only", h)
	}
}

func TestListFollowsTheServiceAccount(t *testing.T) {
	token := "secret-1"
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"items":[]}`)
	}
	c := newCluster(t, h)
	client := c.client("team")
	if _, err := within(t, client, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	token = "secret-2"
	if _, err := within(t, client, 5*time.Second); err == nil {
		t.Error("an old token is good for ever")
	}
	c.write("token", token)
	if _, err := within(t, client, 5*time.Second); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}

func TestListSaysWhatIsWrong(t *testing.T) {
	answer := func(h http.HandlerFunc) *cluster { return newCluster(t, h) }
	f := func(want string, c *cluster) {
		t.Helper()
		if _, err := within(t, c.client("team"), time.Minute); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("403 Forbidden (may the service account list pods?)", answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	f("list pods of this node: 503 Service Unavailable", answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	f("read pods of this node: invalid character", answer(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }))
	f("read pods of this node: 42 stands where [ should", answer(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"items":42}`) }))
	f("unexpected EOF", answer(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, three[:len(three)-3]) }))
	f("answer is longer than 16 MiB", answer(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"items":[{"metadata":{"name":"`+strings.Repeat("x", 17<<20)+`"}}]}`)
	}))
	f("more than 4096 pods", answer(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"items":[`)
		for i := range 5000 {
			fmt.Fprintf(w, `{"metadata":{"name":"p%d"}},`, i)
		}
		io.WriteString(w, `{}]}`)
	}))
	other := answer(func(http.ResponseWriter, *http.Request) {})
	other.write("ca.crt", "no certificate")
	f("has no certificate in PEM", other)
	if err := os.RemoveAll(other.root); err != nil {
		t.Fatal(err)
	}
	f("read service account: open", other)
}

func TestListOutsideOfAClusterSaysSo(t *testing.T) {
	c, err := pods.New(pods.Config{Labels: []string{"team"}, Root: t.TempDir(), Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := within(t, c, time.Second); err == nil || !strings.Contains(err.Error(), "does the agent run in a pod?") {
		t.Errorf("error %v, want a question that helps", err)
	}
}

func TestTokenGoesToTheClusterOnly(t *testing.T) {
	var strangers int
	stranger := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers++ }))
	defer stranger.Close()
	c := newCluster(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, stranger.URL, http.StatusFound) })
	if _, err := within(t, c.client("team"), 5*time.Second); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("a redirect: %v, want an error", err)
	}
	// A server that another authority signed is not asked.
	impostor := newCluster(t, func(http.ResponseWriter, *http.Request) { strangers++ })
	impostor.write("ca.crt", authority(t))
	if _, err := within(t, impostor.client("team"), 5*time.Second); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an impostor: %v, want an error about its certificate", err)
	}
	if strangers != 0 {
		t.Errorf("strangers were asked %d times", strangers)
	}
}

// authority returns the certificate of one that signed nobody in these tests.
func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

func TestListReturnsInTimeWhenTheServerHangs(t *testing.T) {
	release := make(chan struct{})
	c := newCluster(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	client := c.client("team")
	start := time.Now()
	if _, err := within(t, client, 200*time.Millisecond); err == nil {
		t.Error("a server that hangs gave an answer")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("the question took %s, want about 200 ms", d)
	}
}

func TestListKeepsItsConnection(t *testing.T) {
	var mu sync.Mutex
	from := map[string]bool{} // guarded by mu
	c := newCluster(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		from[r.RemoteAddr] = true
		io.WriteString(w, three)
	})
	client := c.client("team")
	for range 5 {
		if _, err := within(t, client, 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(from) != 1 {
		t.Errorf("5 questions took %d connections, want 1", len(from))
	}
}

func TestCheckNamesTheLabelThatIsWrong(t *testing.T) {
	f := func(want string, keys ...string) {
		t.Helper()
		if err := pods.Check(keys); fmt.Sprint(err) != want {
			t.Errorf("Check(%q) = %v, want %s", keys, err, want)
		}
	}
	f("<nil>")
	f("<nil>", "team", "cost-centre", "app.kubernetes.io/part-of")
	f(`pod label "" is no key of a label`, "")
	f(`pod label "team=x" is no key of a label`, "team=x")
	f(`pod label "a,b" is no key of a label`, "a,b")
	f(`pod label "Acme.com/team" is no key of a label`, "Acme.com/team")
	f(`pod labels "cost.centre" and "cost-centre" are the same as labels of a metric`, "cost.centre", "cost-centre")
	f(`pod labels "team" and "team" are the same as labels of a metric`, "team", "team")
	f("9 pod labels: more than 8", strings.Split("abcdefghi", "")...)
	long := strings.Repeat("x", 240) + "/"
	f("pod labels can take 1228 bytes together: more than 1024", long+"a", long+"b", long+"c", long+"d")
}
