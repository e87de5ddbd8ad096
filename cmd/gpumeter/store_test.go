package main

import (
	"strings"
	"testing"
)

func TestCollectorRefusesPlacesThatAreNone(t *testing.T) {
	f := func(code int, want string, args ...string) {
		t.Helper()
		_, err := gpumeter(t, append([]string{"collector", "--listen", "127.0.0.1:0"}, args...)...)
		if err == nil || exitCode(err) != code || !strings.Contains(err.Error(), want) {
			t.Errorf("gpumeter collector %v: %v, exit code %d, want %q and %d", args, err, exitCode(err), want, code)
		}
	}
	f(2, "--data DIR, or a database with --store")
	f(2, "the embedded store is --data DIR", "--store", "duckdb:///var/lib/gpumeter")
	f(2, "back ClickHouse up with its own tools", "--store", "clickhouse://db1:9000/m", "--backups", "b")
	f(2, "a minute and 1 are the least", "--data", "d", "--backups", "b", "--backup-every", "1s")
	f(2, "a minute and 1 are the least", "--data", "d", "--backups", "b", "--backup-keep", "0")
	f(2, "is not of the form clickhouse://", "--store", "clickhouse://db")
	f(2, "a password does not belong there", "--store", "clickhouse://me:secret@127.0.0.1:9000/m")
	f(2, "is not on loopback", "--store", "clickhouse://db1:9000/m")
	f(1, "127.0.0.1:1: dial tcp", "--store", "clickhouse://127.0.0.1:1/m")
}
