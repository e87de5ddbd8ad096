//go:build e2e_kubernetes

package kubernetes_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// user is who the programs of the chart run as.
const user = 65532

// workload is what this test reads of a DaemonSet or a StatefulSet.
type workload struct {
	Spec struct {
		Template struct {
			Spec struct {
				SecurityContext            struct{ RunAsUser int }
				InitContainers, Containers []container
				Volumes                    []volume
			}
		}
	}
}

type container struct {
	Command, Args []string
	VolumeMounts  []struct{ Name, MountPath string }

	SecurityContext struct {
		RunAsUser    *int
		Capabilities struct{ Add []string }
	}
}

type volume struct {
	Name      string
	ConfigMap struct{ Name string }
	Secret    struct {
		SecretName string
		Items      []struct{ Key, Path string }
	}
}

// pod is a workload of the server, with its volumes as folders.
type pod struct {
	workload
	folders map[string]string // by name of the volume
	own     []string          // folders that the container may write
}

// place writes the volumes of a workload as a kubelet would: what is in Secrets
// is for the group, folders of the node are root's.
func (c *cluster) place(t *testing.T, path string) *pod {
	t.Helper()
	status, answer := c.do(http.MethodGet, path, "", "")
	p := &pod{folders: map[string]string{}}
	if err := json.Unmarshal(answer, &p.workload); err != nil || status != http.StatusOK {
		t.Fatalf("get %s: %d: %s: %v", path, status, answer, err)
	}
	for _, v := range p.Spec.Template.Spec.Volumes {
		p.folders[v.Name] = t.TempDir()
		if v.ConfigMap.Name != "" {
			object, _ := c.get(t, places["ConfigMap"]+"/"+v.ConfigMap.Name)
			for key, text := range object.Data {
				lay(t, filepath.Join(p.folders[v.Name], key), []byte(text))
			}
		}
		if v.Secret.SecretName != "" {
			c.laySecret(t, v, p.folders[v.Name])
		}
	}
	return p
}

func (c *cluster) laySecret(t *testing.T, v volume, folder string) {
	t.Helper()
	object, ok := c.get(t, places["Secret"]+"/"+v.Secret.SecretName)
	names := map[string]string{}
	for key := range object.Data {
		names[key] = key
	}
	if len(v.Secret.Items) > 0 {
		clear(names)
	}
	for _, item := range v.Secret.Items {
		names[item.Key] = item.Path
	}
	for key, name := range names {
		text, err := base64.StdEncoding.DecodeString(object.Data[key])
		if err != nil || !ok || len(text) == 0 {
			t.Fatalf("Secret %s has no key %s: %v", v.Secret.SecretName, key, err)
		}
		lay(t, filepath.Join(folder, name), text)
	}
}

func lay(t *testing.T, path string, text []byte) {
	t.Helper()
	write(t, path, text)
	for _, err := range []error{os.Chown(path, 0, user), os.Chmod(path, 0o440)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// start runs a container: as its user, without capabilities but its own, on a
// root filesystem that it cannot write. There is no kubelet: paths of mounts become
// folders, and change has what else becomes what.
func (p *pod) start(t *testing.T, c container, change ...string) {
	t.Helper()
	r := strings.NewReplacer(append(change, p.mounts(t, c)...)...)
	p.settle(t, r)
	hosts := filepath.Join(t.TempDir(), "hosts")
	write(t, hosts, []byte("127.0.0.1 localhost gpumeter-collector.gpu.svc\n"))
	if err := os.Chmod(hosts, 0o644); err != nil {
		t.Fatal(err)
	}
	script := "set -e; mount --bind " + hosts + " /etc/hosts; for f in " + strings.Join(p.own, " ") + `; do mount --bind $f $f; done; mount -o remount,bind,ro /; exec "$@"`
	uid, caps := p.Spec.Template.Spec.SecurityContext.RunAsUser, "-all"
	if c.SecurityContext.RunAsUser != nil {
		uid = *c.SecurityContext.RunAsUser
	}
	for _, name := range c.SecurityContext.Capabilities.Add {
		caps += ",+" + strings.ToLower(name)
	}
	args := []string{"--mount", "sh", "-c", script, "sh", "setpriv", fmt.Sprint("--reuid=", uid), fmt.Sprint("--regid=", uid), "--clear-groups",
		"--no-new-privs", "--bounding-set=" + caps, "--inh-caps=-all"}
	for _, arg := range append(c.Command, c.Args...) {
		args = append(args, r.Replace(arg))
	}
	run(t, "unshare", args...)
}

// mounts returns the paths of a container's mounts, each with its folder. That of
// a claim is made, for the group, as storage is.
func (p *pod) mounts(t *testing.T, c container) (change []string) {
	t.Helper()
	for _, m := range c.VolumeMounts {
		folder := p.folders[m.Name]
		if folder == "" {
			folder = t.TempDir()
			p.folders[m.Name] = folder
			for _, err := range []error{os.Chown(folder, 0, user), os.Chmod(folder, 0o2770)} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		change = append(change, m.MountPath, folder)
		if m.Name == "spool" || m.Name == "data" {
			p.own = append(p.own, folder)
		}
	}
	return change
}

// settle writes the folders into the files of settings.
func (p *pod) settle(t *testing.T, r *strings.Replacer) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.folders["config"], "*.y*ml"))
	if err != nil || p.folders["config"] == "" {
		return
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lay(t, name, []byte(r.Replace(string(text))))
	}
}

// checkPrograms runs what is installed: an agent on simulated GPUs and the
// collector, with the chart's arguments, settings, tokens and certificates.
func checkPrograms(t *testing.T, c *cluster) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Log("not root: the programs of the chart are not run")
		return
	}
	bin, err := filepath.Abs(os.Getenv("GPUMETER_BIN"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(t.TempDir()), 0o755); err != nil { // others may pass
		t.Fatal(err)
	}
	ingest, metrics := address(t), address(t)
	_, port, _ := net.SplitHostPort(ingest)
	collector := c.place(t, places["StatefulSet"]+"/gpumeter-collector")
	collector.start(t, program(collector, bin), "=:9410", "="+ingest)

	agent := c.place(t, places["DaemonSet"]+"/gpumeter-agent")
	left := filepath.Join(agent.folders["spool"], "left", "by-another-user")
	write(t, left, nil)
	if err := os.Chown(filepath.Dir(left), 1234, 1234); err != nil {
		t.Fatal(err)
	}
	agent.start(t, agent.Spec.Template.Spec.InitContainers[0])
	eventually(t, "the spool is the agent's", func() bool {
		info, err := os.Stat(left)
		return err == nil && info.Sys().(*syscall.Stat_t).Uid == user
	})
	meter := program(agent, bin)
	meter.Args = append(meter.Args, "--window=10s", "--nvml="+filepath.Join(bin, "sim", "libnvidia-ml.so.1"))
	agent.start(t, meter, "=:9409", "="+metrics, ":9410", ":"+port)

	ca := filepath.Join(collector.folders["tls"], "ca.crt")
	eventually(t, "the collector is ready", func() bool { return ask(t, ingest, "gpumeter-collector.gpu.svc", ca, "/readyz", "") != "" })
	eventually(t, "eight GPUs on the agent's page", func() bool {
		return strings.Count(ask(t, metrics, "gpumeter-agent", filepath.Join(agent.folders["tls"], "ca.crt"), "/metrics", ""), "\ngpu_info{") == 8
	})
	token, _ := c.get(t, places["Secret"]+"/gpumeter-tokens")
	reader, err := base64.StdEncoding.DecodeString(token.Data["reader"])
	if err != nil {
		t.Fatal(err)
	}
	stored := regexp.MustCompile(`(?m)^gpumeter_collector_records_total(\{[^}]*\})? [1-9]`)
	eventually(t, "records in the collector", func() bool {
		return stored.MatchString(ask(t, ingest, "gpumeter-collector.gpu.svc", ca, "/metrics", string(reader)))
	})
	if page := ask(t, ingest, "gpumeter-collector.gpu.svc", ca, "/metrics", ""); stored.MatchString(page) {
		t.Error("the collector's metrics are shown to strangers")
	}
}

// program is the container of a pod, with its program where make puts it.
func program(p *pod, bin string) container {
	c := p.Spec.Template.Spec.Containers[0]
	c.Command = append([]string{filepath.Join(bin, c.Command[0])}, c.Command[1:]...)
	return c
}

// ask returns the page of a server that goes by a name; empty if there is none.
func ask(t *testing.T, addr, name, ca, path, token string) string {
	t.Helper()
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}
