//go:build e2e_packages

package packages_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// yard is a folder of images of its own.
type yard struct{ dir string }

// buildah runs the builder; what it writes is returned.
func (y yard) buildah(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("buildah", append([]string{"--root", filepath.Join(y.dir, "root"), "--runroot", filepath.Join(y.dir, "run"), "--storage-driver", "vfs"}, args...)...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "BUILDAH_ISOLATION=chroot")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("buildah %v: %v\n%s%s", args, err, out, said.String())
	}
	return strings.TrimSpace(string(out))
}

// base makes the image that the others stand on, out of the Debian that is booted
// elsewhere: no registry can be asked here.
func (y yard) base(t *testing.T, arch string) string {
	t.Helper()
	c := y.buildah(t, "from", "scratch")
	y.buildah(t, "add", "-q", c, setting(t, "GPUMETER_E2E_ROOT"), "/")
	y.buildah(t, "config", "--arch", arch, c)
	name := "localhost/base:" + arch
	y.buildah(t, "commit", "-q", "--rm", c, name)
	return name
}

// build builds an image and returns its name and identity.
func (y yard) build(t *testing.T, file, arch, base, name string) string {
	t.Helper()
	y.buildah(t, "build", "-q", "--platform", "linux/"+arch, "--timestamp", "1795000000", "--build-arg", "BASE="+base,
		"--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=abc", "--build-arg", "CREATED=2026-11-20T00:00:00Z",
		"-f", "packaging/docker/"+file+".Dockerfile", "-t", name, ".")
	return y.buildah(t, "inspect", "--type", "image", "--format", "{{.FromImageID}}", name)
}

// TestImagesAreBuiltAlikeAndRunAsNobody builds both images, the agent's twice.
func TestImagesAreBuiltAlikeAndRunAsNobody(t *testing.T) {
	y := yard{t.TempDir()}
	arch := runtime.GOARCH
	base := y.base(t, arch)
	first := y.build(t, "agent", arch, base, "localhost/gpumeter-agent")
	if second := y.build(t, "agent", arch, base, "localhost/gpumeter-agent-again"); first != second {
		t.Errorf("built twice, the agent's image is %s and %s", first, second)
	}
	y.build(t, "collector", arch, base, "localhost/gpumeter")
	for _, program := range []string{"gpumeter-agent", "gpumeter"} {
		var image struct {
			OCIv1 struct {
				Config struct {
					User   string
					Labels map[string]string
				} `json:"config"`
			}
		}
		if err := json.Unmarshal([]byte(y.buildah(t, "inspect", "--type", "image", "localhost/"+program)), &image); err != nil {
			t.Fatal(err)
		}
		c := image.OCIv1.Config
		if c.User != "65532:65532" || c.Labels["org.opencontainers.image.version"] != "1.2.3" || c.Labels["org.opencontainers.image.title"] != program {
			t.Errorf("%s is of user %s, with labels %v", program, c.User, c.Labels)
		}
		box := y.buildah(t, "from", "localhost/"+program)
		said := y.buildah(t, "run", "--network", "host", box, "sh", "-c", "id -u && touch /var/lib/gpumeter/x && test -s /etc/ssl/certs/ca-certificates.crt && "+program+" --version")
		if !strings.HasPrefix(said, "65532\n"+program+" version ") {
			t.Errorf("%s says %q", program, said)
		}
	}
}

// TestImageOfTheOtherArchitectureHasItsProgram looks at the file that is copied;
// the base is of this machine's architecture, which only says otherwise.
func TestImageOfTheOtherArchitectureHasItsProgram(t *testing.T) {
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	y := yard{t.TempDir()}
	y.build(t, "agent", other, y.base(t, other), "localhost/gpumeter-agent")
	box := y.buildah(t, "from", "--pull-never", "--arch", other, "localhost/gpumeter-agent")
	at := y.buildah(t, "mount", box)
	got, err := os.ReadFile(filepath.Join(at, "usr/bin/gpumeter-agent"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(setting(t, "GPUMETER_STAGE"), other, "gpumeter-agent"))
	if err != nil || string(got) != string(want) {
		t.Errorf("the image of %s has another program than its packages (%v)", other, err)
	}
	y.buildah(t, "umount", box)
}
