//go:build e2e_packages

package packages_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// mostAgent is how large the agent's program may be, in bytes.
const mostAgent = 20e6

// built returns the packages of a kind; there are two for each architecture.
func built(t *testing.T, kind string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(setting(t, "GPUMETER_PACKAGES"), "*."+kind))
	if err != nil || len(files) != 4 {
		t.Fatalf("packages are %v, %v", files, err)
	}
	return files
}

func TestLintianFindsNothing(t *testing.T) {
	for _, f := range built(t, "deb") {
		// It warns root of itself on its other output.
		out, err := exec.Command("lintian", "--fail-on", "error,warning", f).Output()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", filepath.Base(f), err, out)
		}
	}
}

func TestRPMLintFindsNothing(t *testing.T) {
	said := command(t, append([]string{"rpmlint", "-c", filepath.Join("..", "..", "packaging", "nfpm", "rpm", "rpmlint.toml")}, built(t, "rpm")...)...)
	if !strings.Contains(said, "4 packages and 0 specfiles checked; 0 errors, 0 warnings") {
		t.Error(said)
	}
}

func TestRPMDigestsAreRight(t *testing.T) {
	for _, f := range built(t, "rpm") {
		if said := command(t, "rpm", "-K", f); !strings.HasSuffix(said, ": digests OK\n") {
			t.Error(said)
		}
		info := command(t, "rpm", "-qp", "--qf", "%{NAME} %{LICENSE} %{OS}", f)
		if !regexp.MustCompile(`^gpumeter(-agent)? Apache-2\.0 linux$`).MatchString(info) {
			t.Errorf("%s is %q", filepath.Base(f), info)
		}
		if configs := strings.Fields(command(t, "rpm", "-qp", "--configfiles", f)); len(configs) != 1 {
			t.Errorf("%s has the settings %v", filepath.Base(f), configs)
		}
	}
}

// oldest are the libraries that are on every machine with the glibc that is asked for.
var oldest = map[string]bool{"libc.so.6": true, "libm.so.6": true, "libgcc_s.so.1": true, "ld-linux-x86-64.so.2": true, "ld-linux-aarch64.so.1": true}

// mostGlibc is the newest 2.x of glibc that a program may need: RHEL 9 has 2.34.
const mostGlibc = 34

// TestProgramsNeedWhatPackagesSay compares the versions of symbols that programs
// take from libraries with what the packages ask for.
func TestProgramsNeedWhatPackagesSay(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		for _, program := range []string{"gpumeter-agent", "gpumeter"} {
			file := filepath.Join(setting(t, "GPUMETER_STAGE"), arch, program)
			spec, err := os.ReadFile(filepath.Join("..", "..", "packaging", "nfpm", program+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			said := regexp.MustCompile(`libc6 \(>= 2\.(\d+)\)`).FindStringSubmatch(string(spec))
			if said == nil || !strings.Contains(string(spec), "glibc >= 2."+said[1]) {
				t.Fatalf("%s asks for no glibc, or for two", program)
			}
			most, err := strconv.Atoi(said[1])
			if err != nil {
				t.Fatal(err)
			}
			glibc, libraries := needs(t, file)
			if glibc > mostGlibc {
				t.Errorf("%s needs glibc 2.%d: it does not start on RHEL 9, which has 2.%d", file, glibc, mostGlibc)
			}
			if glibc != most {
				t.Errorf("%s needs glibc 2.%d, the package asks for 2.%d", file, glibc, most)
			}
			if gcc := strings.Contains(string(spec), "libgcc-s1") && strings.Contains(string(spec), `"libgcc_s.so.1()(64bit)"`); libraries["libgcc_s.so.1"] != gcc {
				t.Errorf("%s needs libraries %v, the package asks for libgcc: %t", file, libraries, gcc)
			}
			for name := range libraries {
				if !oldest[name] {
					t.Errorf("%s needs %s", file, name)
				}
			}
		}
	}
}

// needs returns the newest 2.x of glibc that a program needs, and its libraries.
func needs(t *testing.T, file string) (glibc int, libraries map[string]bool) {
	t.Helper()
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	libraries = map[string]bool{}
	for _, name := range names {
		libraries[name] = true
	}
	for _, s := range symbols {
		if v, ok := strings.CutPrefix(s.Version, "GLIBC_2."); ok {
			v, _, _ = strings.Cut(v, ".")
			if n, err := strconv.Atoi(v); err == nil {
				glibc = max(glibc, n)
			}
		}
	}
	return glibc, libraries
}

func TestAgentIsSmall(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		info, err := os.Stat(filepath.Join(setting(t, "GPUMETER_STAGE"), arch, "gpumeter-agent"))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("gpumeter-agent of %s has %.1f MB", arch, float64(info.Size())/1e6)
		if info.Size() > mostAgent {
			t.Errorf("want at most %.0f MB", mostAgent/1e6)
		}
	}
}
