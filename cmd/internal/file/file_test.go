package file_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gpumeter/gpumeter/cmd/internal/file"
)

func TestReplaceGivesContentAndMode(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x")
	for mode, content := range map[fs.FileMode]string{0o600: "secret", 0o644: "open"} {
		if err := file.Replace(name, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		info, _ := os.Stat(name)
		if err != nil || string(got) != content || info.Mode() != mode {
			t.Errorf("%q with mode %s, %v; want %q with %s", got, info.Mode(), err, content, mode)
		}
	}
	only(t, dir, "x")
}

// TestReplaceLeavesWhatWasThere has a folder in the file's place: the last step
// goes wrong.
func TestReplaceLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x")
	if err := os.MkdirAll(filepath.Join(name, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := file.Replace(name, []byte("new"), 0o644); err == nil {
		t.Error("a folder was replaced")
	}
	only(t, dir, "x")
	if err := file.Replace(filepath.Join(dir, "none", "x"), nil, 0o644); err == nil {
		t.Error("a folder was made")
	}
}

func only(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("%s holds %v, %v; want %s alone", dir, entries, err, name)
	}
}
