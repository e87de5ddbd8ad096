package clickhouse_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
)

func TestParseAddressReadsWhatItSays(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("se cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := clickhouse.ParseAddress("clickhouse://me@db1:9440,db2:9440/meters?cluster=main&quorum=3&tls=true&password-file=" + secret)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Hosts) != 2 || a.Hosts[1] != "db2:9440" || a.Database != "meters" || a.User != "me" || a.Password != "se cret" ||
		a.Cluster != "main" || a.Quorum != 3 || a.TLS == nil {
		t.Errorf("address = %+v", a)
	}
	if got, want := a.String(), "clickhouse://db1:9440,db2:9440/meters?cluster=main"; got != want {
		t.Errorf("it calls itself %s, want %s", got, want)
	}
	for _, text := range []string{"clickhouse://localhost:9000/m", "clickhouse://127.0.0.1:9000/m", "clickhouse://[::1]:9000/m", "clickhouse://db:9000/m?tls=false"} {
		if a, err := clickhouse.ParseAddress(text); err != nil || a.TLS != nil {
			t.Errorf("%s: TLS %v, %v, want plaintext", text, a.TLS != nil, err)
		}
	}
}

func TestParseAddressRefusesWithAReason(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := clickhouse.ParseAddress(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	f("", "not of the form")
	f("http://db:8123/m", "not of the form")
	f("http://me:hunter2@db:8123/m", "not of the form")
	f("clickhouse://localhost:1/m?password=hunter2", `unknown parameter "password"`)
	f("clickhouse://db:9000", "not of the form")
	f("clickhouse://db:9000/", "not of the form")
	f("clickhouse://db:9000/m-1", "letters, digits and _")
	f("clickhouse://db:9000/m;x", "letters, digits and _")
	f("clickhouse://me:hunter2@db:9000/m", "a password does not belong there")
	f("clickhouse://db/m", "is not HOST:PORT")
	f("clickhouse://db:9000,:9000/m", "is not HOST:PORT")
	f("clickhouse://db:9000/m", "db:9000 is not on loopback")
	f("clickhouse://localhost:1,db:9000/m?cluster=c", "db:9000 is not on loopback")
	f("clickhouse://localhost:1/m?tls=maybe", "neither true nor false")
	f("clickhouse://localhost:1/m?tls=false&ca=x", "files for TLS")
	f("clickhouse://localhost:1/m?ca=/nowhere", "read certificate authority: open /nowhere")
	f("clickhouse://localhost:1/m?cert=/nowhere&key=/nowhere", "read client certificate")
	f("clickhouse://localhost:1/m?password-file=/nowhere", "read password: open /nowhere")
	f("clickhouse://localhost:1/m?password-file=/dev/zero", "/dev/zero has more than 4096 bytes")
	f("clickhouse://localhost:1/m?cluster=a'b", "is not a name")
	f("clickhouse://localhost:1/m?quorum=0", "is not a number of replicas")
	f("clickhouse://localhost:1/m?fast=true", `unknown parameter "fast"`)
}

// FuzzParseAddress holds that what is accepted can stand in a statement, and
// that the address says nothing of who uses it.
func FuzzParseAddress(f *testing.F) {
	f.Add("clickhouse://me@db1:9440,db2:9440/meters?cluster=main&quorum=3&tls=true")
	f.Add("clickhouse://localhost:9000/m")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "ca=") || strings.Contains(text, "cert=") || strings.Contains(text, "file=") {
			t.Skip("files of this machine")
		}
		a, err := clickhouse.ParseAddress(text)
		if err != nil {
			return
		}
		if strings.Trim(a.Database, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || a.Database == "" || len(a.Hosts) == 0 {
			t.Errorf("%q gives %+v", text, a)
		}
		again, err := clickhouse.ParseAddress(a.String() + map[bool]string{false: "?", true: "&"}[a.Cluster != ""] + "tls=false")
		if err != nil || again.Database != a.Database || again.Cluster != a.Cluster || again.User != "" {
			t.Errorf("%q calls itself %q, which gives %+v, %v", text, a.String(), again, err)
		}
	})
}
