package claim_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/claim"
	"github.com/gpumeter/gpumeter/contract"
)

// good returns the bundles that the collector's tests hold as goldens.
func good(t *testing.T, name string) []claim.File {
	t.Helper()
	files, err := claim.ReadDir(filepath.Join("..", "testdata", "bundle-"+name))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// edit returns the files with a text in one of them replaced; resum lists the
// hashes anew, as a forger would.
func edit(t *testing.T, files []claim.File, name, from, to string, resum bool) []claim.File {
	t.Helper()
	out := slices.Clone(files)
	i := slices.IndexFunc(out, func(f claim.File) bool { return f.Name == name })
	body := strings.Replace(string(out[i].Body), from, to, 1)
	if body == string(out[i].Body) {
		t.Fatalf("%s has no %q", name, from)
	}
	out[i].Body = []byte(body)
	if resum {
		out = slices.DeleteFunc(out, func(f claim.File) bool { return f.Name == "SHA256SUMS" })
		out = append(out, claim.File{Name: "SHA256SUMS", Body: claim.Sums(out)})
	}
	return out
}

func TestVerifyFindsEveryChange(t *testing.T) {
	for _, name := range []string{"unreachable", "xid", "late"} {
		files := good(t, name)
		if _, err := claim.Verify(files); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, f := range files {
			for _, at := range []int{0, len(f.Body) / 2, len(f.Body) - 1} {
				changed := slices.Clone(files)
				changed[i].Body = bytes.Clone(f.Body)
				changed[i].Body[at] ^= 1
				if _, err := claim.Verify(changed); err == nil {
					t.Errorf("%s: byte %d of %s was changed, and nobody noticed", name, at, f.Name)
				}
			}
			if _, err := claim.Verify(slices.Delete(slices.Clone(files), i, i+1)); err == nil {
				t.Errorf("%s: %s is missing, and nobody noticed", name, f.Name)
			}
		}
		if _, err := claim.Verify(append(slices.Clone(files), claim.File{Name: "more.txt"})); err == nil {
			t.Errorf("%s: a file was added, and nobody noticed", name)
		}
	}
}

func TestVerifyFindsWhatAForgerLeaves(t *testing.T) {
	f := func(bundle, name, from, to, want string) {
		t.Helper()
		_, err := claim.Verify(edit(t, good(t, bundle), name, from, to, true))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s with %q for %q: %v, want %q", name, to, from, err, want)
		}
	}
	f("unreachable", "claim.json", `"lost_gpu_ms": 10800000`, `"lost_gpu_ms": 10800001`, "claims 10800001 GPU-ms, the records show 10800000")
	f("xid", "claim.json", `"lost_gpu_ms": 4220000`, `"lost_gpu_ms": 4280000`, "the records show 4220000")
	f("xid", "records.csv", ",60000,0,0,0,0,xid_79,", ",30000,0,0,0,0,xid_79,", "the records show 4190000")
	f("unreachable", "records.csv", ",151\n", ",99\n", "is not in chain.csv")
	f("unreachable", "chain.csv", ",n1,", ",n1,0", "names")
	second := string(regexp.MustCompile(`,152,n1,[0-9a-f]{64},[0-9a-f]{64},`).Find(body(good(t, "unreachable"), "chain.csv")))
	f("unreachable", "chain.csv", second, second[:len(",152,n1,")+64]+",,", `names ""`)
	f("unreachable", "claim.json", "gpumeter.claim/v1", "gpumeter.claim/v9", "schema")
	f("xid", "records.csv", "busy_ms", "lazy_ms", `no column "busy_ms"`)
}

func body(files []claim.File, name string) []byte {
	return files[slices.IndexFunc(files, func(f claim.File) bool { return f.Name == name })].Body
}

// What is read out of a Prometheus has no chain.
func TestVerifyTakesBatchesWithoutAChain(t *testing.T) {
	files := good(t, "xid")
	link := regexp.MustCompile(`(,n3,[0-9a-f]{64},)[0-9a-f]{64},`)
	i := slices.IndexFunc(files, func(f claim.File) bool { return f.Name == "chain.csv" })
	files[i].Body = link.ReplaceAll(files[i].Body, []byte("$1,"))
	files = slices.DeleteFunc(files, func(f claim.File) bool { return f.Name == "SHA256SUMS" })
	if _, err := claim.Verify(append(files, claim.File{Name: "SHA256SUMS", Body: claim.Sums(files)})); err != nil {
		t.Error(err)
	}
}

func TestTarHoldsTheSameFiles(t *testing.T) {
	files := good(t, "xid")
	var one, two bytes.Buffer
	for _, b := range []*bytes.Buffer{&one, &two} {
		if err := claim.WriteTar(b, "inc-1", files); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("the same files are other bytes the second time")
	}
	got, err := claim.ReadTar(&one)
	if diff := cmp.Diff(got, files); err != nil || diff != "" {
		t.Errorf("read what was written: %v (-got +want):\n%s", err, diff)
	}
}

func TestReadTarRefusesOtherFolders(t *testing.T) {
	for _, name := range []string{"../evil", "a/../evil", "..", "", "a\\b"} {
		var b bytes.Buffer
		if err := claim.WriteTar(&b, "inc-1", []claim.File{{Name: name, Body: []byte("x")}}); err != nil {
			continue
		}
		if files, err := claim.ReadTar(&b); err == nil {
			t.Errorf("read %q: %v", name, files)
		}
	}
}

func TestWriteDirKeepsWhatIsThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "bundle")
	files := good(t, "late")
	if err := claim.WriteDir(dir, files); err != nil {
		t.Fatal(err)
	}
	got, err := claim.ReadDir(dir)
	if diff := cmp.Diff(got, files); err != nil || diff != "" {
		t.Errorf("read what was written: %v (-got +want):\n%s", err, diff)
	}
	if err := claim.WriteDir(dir, files); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("write again: %v", err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "zzz")); err != nil {
		t.Fatal(err)
	}
	if _, err := claim.ReadDir(dir); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("read a link: %v", err)
	}
}

func TestListsSayWhenThereIsNothing(t *testing.T) {
	var text, page bytes.Buffer
	d := contract.Docket{Period: "2026-10"}
	if err := claim.Text(&text, d); err != nil || !strings.Contains(text.String(), "No incident.") {
		t.Errorf("text = %q, %v", text.String(), err)
	}
	if err := claim.Markdown(&page, d); err != nil || !strings.Contains(page.String(), "No incident.") {
		t.Errorf("markdown = %q, %v", page.String(), err)
	}
}

// FuzzVerify holds that only an untouched bundle verifies: whatever else is in a
// file, its hash is not the one that is listed.
func FuzzVerify(f *testing.F) {
	files, err := claim.ReadDir(filepath.Join("..", "testdata", "bundle-late"))
	if err != nil {
		f.Fatal(err)
	}
	for i := range files {
		f.Add(i, files[i].Body)
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		if i < 0 || i >= len(files) {
			return
		}
		changed := slices.Clone(files)
		changed[i].Body = body
		_, err := claim.Verify(changed)
		if same := bytes.Equal(body, files[i].Body); same != (err == nil) && files[i].Name != "SHA256SUMS" {
			t.Errorf("%s: same %v, err %v", files[i].Name, same, err)
		}
	})
}
