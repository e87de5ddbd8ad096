package kubeconfig_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/cmd/internal/kubeconfig"
)

// write makes a file in a folder and returns its path.
func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pair makes a certificate and its key, both PEM.
func pair(t testing.TB) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// usual is a kubeconfig of three clusters as kubectl writes one: %s are the
// authority and the client's certificate and key, in base64.
const usual = `apiVersion: v1
kind: Config
preferences: {}
current-context: data
clusters:
- name: data
  cluster: {server: "https://10.0.0.1:6443", certificate-authority-data: %s, tls-server-name: kubernetes}
- name: files
  cluster: {server: "https://gke.example/k8s", certificate-authority: pki/ca.crt, extensions: [{name: x, extension: {y: z}}]}
- name: proxy
  cluster: {server: "http://127.0.0.1:8001"}
contexts:
- {name: data, context: {cluster: data, user: cert, namespace: default}}
- {name: files, context: {cluster: files, user: tokenfile}}
- {name: token, context: {cluster: files, user: token}}
- {name: nobody, context: {cluster: proxy}}
users:
- {name: cert, user: {client-certificate-data: %s, client-key-data: %s}}
- {name: token, user: {token: a.b-c}}
- {name: tokenfile, user: {token: not-this, tokenFile: pki/token}}
`

func TestLoadTakesWhatKubectlWouldShow(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t)
	if err := os.Mkdir(filepath.Join(dir, "pki"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "pki/ca.crt", cert)
	write(t, dir, "pki/token", "from-a-file\n")
	name := write(t, dir, "config", fmt.Sprintf(usual, b64(cert), b64(cert), b64(key)))
	f := func(context, wantContext, server, token, serverName string, ca bool, certificates int) {
		t.Helper()
		a, err := kubeconfig.Load([]string{name}, context)
		if err != nil {
			t.Fatal(err)
		}
		if a.Context != wantContext || a.Server.String() != server || a.Token != token {
			t.Errorf("%q: context %q, server %s, token %q", context, a.Context, a.Server, a.Token)
		}
		if a.TLS.ServerName != serverName || (a.TLS.RootCAs != nil) != ca || len(a.TLS.Certificates) != certificates || a.TLS.InsecureSkipVerify {
			t.Errorf("%q: server name %q, authority %t, %d certificates", context, a.TLS.ServerName, a.TLS.RootCAs != nil, len(a.TLS.Certificates))
		}
	}
	f("", "data", "https://10.0.0.1:6443", "", "kubernetes", true, 1)
	f("files", "files", "https://gke.example/k8s", "from-a-file", "", true, 0)
	f("token", "token", "https://gke.example/k8s", "a.b-c", "", true, 0)
	f("nobody", "nobody", "http://127.0.0.1:8001", "", "", false, 0)
}

// TestLoadMergesFiles has a context in one file, and its cluster and user in
// others, each with paths of its own folder.
func TestLoadMergesFiles(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	write(t, two, "token", "of-the-second")
	files := []string{
		write(t, one, "a", "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"),
		write(t, two, "b", "current-context: y\nclusters: [{name: c, cluster: {server: 'https://first'}}]\nusers: [{name: u, user: {tokenFile: token}}]\n"),
		write(t, one, "c", "clusters: [{name: c, cluster: {server: 'https://second'}}]\n"),
	}
	a, err := kubeconfig.Load(files, "")
	if err != nil || a.Server.Host != "first" || a.Token != "of-the-second" {
		t.Errorf("%s, token %q, %v; want the first server and the second file's token", a.Server, a.Token, err)
	}
}

func TestFilesAreThoseOfKubectl(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	f := func(given, variable string, want ...string) {
		t.Helper()
		t.Setenv("KUBECONFIG", variable)
		if got := kubeconfig.Files(given); !slices.Equal(got, want) {
			t.Errorf("given %q, KUBECONFIG=%q: %q, want %q", given, variable, got, want)
		}
	}
	f("", "")
	if err := os.Mkdir(filepath.Join(dir, ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	home, a, b := write(t, dir, ".kube/config", ""), write(t, dir, "a", ""), write(t, dir, "b", "")
	f("", "", home)
	f("", a+"::"+filepath.Join(dir, "none")+":"+b, a, b)
	f("", filepath.Join(dir, "none"))
	f("/given", a, "/given")
}

// TestLoadNamesFileAndKey has kubeconfigs that cannot be followed, and what is
// said of them besides the file.
func TestLoadNamesFileAndKey(t *testing.T) {
	dir := t.TempDir()
	cert, _ := pair(t)
	_, otherKey := pair(t)
	write(t, dir, "text", "no certificate")
	write(t, dir, "big", strings.Repeat("x", 8<<20+1))
	config := func(cluster, user string) string {
		return fmt.Sprintf("current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {%s}}]\nusers: [{name: u, user: {%s}}]\n", cluster, user)
	}
	const server = "server: 'https://h'"
	f := func(text, context string, want ...string) {
		t.Helper()
		name := write(t, dir, "config", text)
		_, err := kubeconfig.Load([]string{name}, context)
		if err == nil {
			t.Fatalf("%q is taken, want %q", text[:min(len(text), 200)], want)
		}
		for _, w := range append(want, "read kubeconfig "+name+": ") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q does not say %q", err, w)
			}
		}
		if strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000 {
			t.Errorf("%q is no sentence", err)
		}
	}
	f("", "", "it has no current-context: name one with --context (no context is in it)")
	f(config(server, ""), "y", `it has no context "y" (there is "x")`)
	f("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]", "", `context "x": cluster: there is none of the name "c"`)
	f("current-context: x\ncontexts: [{name: x, context: {cluster: c, user: v}}]\nclusters: [{name: c, cluster: {server: 'https://h'}}]", "", `context "x": user: there is none of the name "v"`)
	f(config("", ""), "", `cluster "c": server: there is none`)
	f(config("server: 'http://10.0.0.1'", ""), "", `cluster "c": server: `, "plain http goes to loopback only")
	f(config("server: 'https://user:secret@h'", ""), "", `cluster "c": server: `, "want https://HOST")
	f(config(server+", certificate-authority: none", ""), "", `cluster "c": certificate-authority: open `+filepath.Join(dir, "none"))
	f(config(server+", certificate-authority: text", ""), "", `cluster "c": certificate-authority: it has no certificate`)
	f(config(server+", certificate-authority: big", ""), "", `cluster "c": certificate-authority: `, "larger than 8 MiB")
	f(config(server+", certificate-authority-data: '?'", ""), "", `cluster "c": certificate-authority-data: illegal base64`)
	f(config(server, "tokenFile: none"), "", `user "u": tokenFile: read token: open `+filepath.Join(dir, "none"))
	f(config(server, `token: "a\r\nX-Evil: 1"`), "", `user "u": token: want one word`)
	f(config(server, "client-certificate: none, client-key: none"), "", `user "u": client-certificate: open `)
	f(config(server, "client-certificate-data: "+b64(cert)), "", `user "u": client-certificate and client-key: `)
	f(config(server, "client-certificate-data: "+b64(cert)+", client-key-data: "+b64(otherKey)), "", `user "u": client-certificate and client-key: tls: `)
	f(config(server, "client-certificate-data: "+b64(cert)+", client-key: none"), "", `user "u": client-key: open `)
	// What kubectl does and gpumeter does not.
	const on = "kubectl does: kubectl --context x proxy --port 8001, then --kubernetes http://127.0.0.1:8001"
	f(config(server, "exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, get-token]}"), "", `user "u": exec: gpumeter does not start "aws" for a token`, on)
	f(config(server, "auth-provider: {name: gcp}"), "", `user "u": auth-provider: gpumeter knows no "gcp"`, on)
	f(config(server, "username: admin, password: x"), "", `user "u": username: `, on)
	f(config(server, "token: t, as: admin"), "", `user "u": as: `, on)
	f(config(server+", insecure-skip-tls-verify: true", "token: t"), "", `cluster "c": insecure-skip-tls-verify: `, on)
	f(config(server+", proxy-url: 'socks5://localhost:1'", "token: t"), "", `cluster "c": proxy-url: `, on)
	f("contexts: [{name: \"a'; reboot\", context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {exec: {command: x}}}]", "a'; reboot", `kubectl --context 'a'\''; reboot' proxy`)
	// Hostile YAML.
	f("current-context: [x]", "", "line 1: cannot unmarshal !!seq where a kubeconfig has something else")
	f("contexts: {x: 1}\nclusters: 2\nusers: 3\n", "", "line 1: cannot unmarshal !!map where a kubeconfig has something else")
	f("contexts: [&a {name: x, context: *a}]\n", "", "it has no current-context") // only what is known is followed
	f("users: [{name: u, user: &a {<<: *a}}]\n", "", "anchor 'a' value contains itself")
	f("\x00\x01\x02", "", "yaml: control characters")
	f(strings.Repeat("[", 100_000), "", "yaml: ")
	f(strings.Repeat("#", 8<<20+1), "", "larger than 8 MiB")
	f("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\nusers: *f\n", "", "line 5: cannot unmarshal")
}

func TestLoadNamesAFileThatIsMissing(t *testing.T) {
	if _, err := kubeconfig.Load([]string{"/nowhere/config"}, ""); err == nil || !strings.Contains(err.Error(), "read kubeconfig /nowhere/config: ") {
		t.Errorf("%v", err)
	}
	if _, err := kubeconfig.Load([]string{t.TempDir()}, ""); err == nil {
		t.Error("a folder is taken")
	}
}

// FuzzLoad holds that whatever a kubeconfig says, a token goes to a server whose
// certificate is checked, or to loopback, and cannot break out of its header.
func FuzzLoad(f *testing.F) {
	cert, key := pair(f)
	f.Add([]byte(fmt.Sprintf(usual, b64(cert), b64(cert), b64(key))), "token")
	f.Add([]byte("current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {token: t}}]\n"), "")
	f.Add([]byte("contexts: [&a {name: x, context: *a}]\n"), "x")
	f.Fuzz(func(t *testing.T, text []byte, context string) {
		name := write(t, t.TempDir(), "config", string(text))
		a, err := kubeconfig.Load([]string{name}, context)
		if err != nil {
			if !strings.Contains(err.Error(), "read kubeconfig "+name+": ") {
				t.Errorf("%q does not name the file", err)
			}
			return
		}
		host := a.Server.Hostname()
		if a.TLS.InsecureSkipVerify || a.Server.Scheme != "https" && host != "localhost" && !strings.HasPrefix(host, "127.") && host != "::1" {
			t.Errorf("the token goes to %s unchecked", a.Server)
		}
		if bytes.ContainsAny([]byte(a.Token), "\r\n \x00") {
			t.Errorf("token %q", a.Token)
		}
		if context != "" && a.Context != context {
			t.Errorf("context %q, want %q", a.Context, context)
		}
	})
}
