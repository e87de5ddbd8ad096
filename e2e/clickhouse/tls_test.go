//go:build e2e_clickhouse

package clickhouse_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // PEM
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), name+".pem")}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, key := sign(t, template, nil)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, a.key = cert, key
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

// sign makes a key, and a certificate for it; by itself without an authority.
func sign(t *testing.T, template *x509.Certificate, by *authority) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = &authority{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// server signs for a server on loopback.
func (a *authority) server(t *testing.T) keyPair {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "db"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, key := sign(t, template, a)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := keyPair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	writePEM(t, p.cert, "CERTIFICATE", der)
	writePEM(t, p.key, "PRIVATE KEY", secret)
	return p
}

func writePEM(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// password writes a file with a password.
func password(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestStoreOverTLS keeps batches on a server that wants TLS and a password, and
// reads what a collector says that has the wrong ones.
func TestStoreOverTLS(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	s := &server{native: address(t), http: address(t), interserver: address(t), secure: address(t), tls: ours.server(t)}
	c := &cluster{Name: "meters", Shards: [][]*server{{s}}, Password: "correct horse"}
	c.start(t)
	waitFor(t, "TLS at "+s.secure, func() bool { return listens(s.secure) }, s.tail)
	good := fmt.Sprintf("clickhouse://meter@%s/tls?ca=%s&password-file=%s", s.secure, ours.file, password(t, c.Password))

	a, err := clickhouse.ParseAddress(good)
	if err != nil {
		t.Fatal(err)
	}
	db, err := clickhouse.Open(t.Context(), clickhouse.Options{Address: a, Grace: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Append(t.Context(), history(t, 0)); err != nil {
		t.Fatal(err)
	}
	counts, err := db.Counts(t.Context())
	if want := (store.Counts{Records: gpus * minutes, Batches: minutes, Units: gpus}); err != nil || counts != want {
		t.Errorf("counts = %+v, %v, want %+v", counts, err, want)
	}

	f := func(address, want string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), os.Getenv("GPUMETER_BIN"), "collector", "--listen", "127.0.0.1:0", "--store", address).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Count(strings.TrimSpace(string(out)), "\n") > 0 || strings.Contains(string(out), "horse") {
			t.Errorf("%v, want one line with %q:\n%s", err, want, out)
		}
	}
	f(strings.Replace(good, ours.file, others.file, 1), "certificate signed by unknown authority")
	f(fmt.Sprintf("clickhouse://meter@%s/tls?ca=%s&password-file=%s", s.secure, ours.file, password(t, "wrong horse")), "Wrong password for user meter")
	f(fmt.Sprintf("clickhouse://meter@%s/tls?ca=%s", s.secure, ours.file), "Password required for user meter")
	f(fmt.Sprintf("clickhouse://nobody@%s/tls?ca=%s", s.secure, ours.file), "Unknown user nobody")
	f(strings.Replace(good, s.secure, s.native, 1), "does not look like a TLS handshake")
}
