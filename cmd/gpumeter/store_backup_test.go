package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStoreIsBackedUpAndRestored(t *testing.T) {
	data, _, _ := march(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := gpumeter(t, args...)
		if err != nil {
			t.Fatalf("gpumeter %v: %v", args, err)
		}
		return out
	}
	verified := run("verify", "--data", data)
	to := filepath.Join(t.TempDir(), "b")
	if out := run("store", "backup", "--data", data, "--to", to); !strings.Contains(out, to+" holds store ") || !strings.Contains(out, " records\n") {
		t.Errorf("backup: %q", out)
	}
	if out := run("store", "export", "--data", to, "--to", to+"-records", "--from", "2020-01-01"); !strings.HasSuffix(out, " records in "+to+"-records\n") || strings.HasPrefix(out, "0 ") {
		t.Errorf("export: %q", out)
	}
	if err := os.WriteFile(filepath.Join(data, "gpumeter.duckdb"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := gpumeter(t, "verify", "--data", data); err == nil {
		t.Fatal("verify of a damaged store: no error")
	}
	out := run("store", "restore", "--data", data, "--from", to)
	if !strings.HasPrefix(out, "what was in "+data+" is in "+filepath.Join(data, "aside-")) {
		t.Errorf("restore: %q", out)
	}
	if again := run("verify", "--data", data); again != verified {
		t.Errorf("verify after restore: %q, before: %q", again, verified)
	}
	run("store", "set-aside", "--data", data)
	if out := run("store", "restore", "--data", filepath.Join(t.TempDir(), "new"), "--from", to); !strings.HasPrefix(out, "there was nothing in ") {
		t.Errorf("restore into a new folder: %q", out)
	}
	f := func(code int, want string, args ...string) {
		t.Helper()
		_, err := gpumeter(t, append([]string{"store"}, args...)...)
		if err == nil || exitCode(err) != code || !strings.Contains(err.Error(), want) {
			t.Errorf("gpumeter store %v: %v, want %q", args, err, want)
		}
	}
	f(2, "required flag", "backup", "--data", data)
	f(1, "it is there already", "backup", "--data", to, "--to", to)
	f(1, "holds no store", "backup", "--data", data, "--to", filepath.Join(t.TempDir(), "c"))
	f(1, "holds no store", "restore", "--data", data, "--from", data)
	f(2, "is not a day such as 2026-10-01", "export", "--data", to, "--to", to+"-2", "--from", "monday")
	f(2, "is not after --from", "export", "--data", to, "--to", to+"-2", "--from", "2026-10-02", "--until", "2026-10-02")
	f(1, "it is there already", "export", "--data", to, "--to", to+"-records")
	f(1, "no such file", "set-aside", "--data", filepath.Join(data, "none"))
}
