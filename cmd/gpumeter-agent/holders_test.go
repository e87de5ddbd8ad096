package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	api "k8s.io/kubelet/pkg/apis/podresources/v1"

	"github.com/gpumeter/gpumeter/agent"
)

// podList is a kubelet that always says the same.
type podList struct {
	api.UnimplementedPodResourcesListerServer
	list *api.ListPodResourcesResponse
}

func (p *podList) List(context.Context, *api.ListPodResourcesRequest) (*api.ListPodResourcesResponse, error) {
	return p.list, nil
}

// serveKubelet listens on a socket until the end of the test. GPUs are nvidia0,
// nvidia1, …, each in a pod of the same number.
func serveKubelet(t *testing.T, names ...string) (socket string) {
	t.Helper()
	list := &api.ListPodResourcesResponse{}
	for _, name := range names {
		list.PodResources = append(list.PodResources, &api.PodResources{Namespace: "research", Name: name, Containers: []*api.ContainerResources{{
			Name: "main", Devices: []*api.ContainerDevices{{ResourceName: "nvidia.com/gpu", DeviceIds: []string{"nvidia" + name[len(name)-1:]}}},
		}}})
	}
	socket = filepath.Join(t.TempDir(), "kubelet.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	api.RegisterPodResourcesListerServer(s, &podList{list: list})
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return socket
}

var holderInfo = regexp.MustCompile(`(?m)^gpu_holder_info\{(.*)\} 1$`)

// holdersOf waits for the holders of an agent's two GPUs and returns the labels
// of all.
func holdersOf(t *testing.T, n *node) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		page, _, err := n.page()
		if found := holderInfo.FindAllString(page, -1); err == nil && len(found) == 2 && strings.Count(page, `basis="kubelet"`) == 2 {
			return strings.Join(found, "\n")
		}
	}
	t.Fatal("the GPUs have no holders by the kubelet's word within 20 s")
	return ""
}

func TestHoldersAreToldHashedOrNotAtAll(t *testing.T) {
	socket := serveKubelet(t, "train-0", "train-1")
	f := func(setting string, told *regexp.Regexp) {
		t.Helper()
		n := startNode(t, "gpus 2 h100\n", "--holders", setting, "--kubelet-socket", socket, "--slurm", "off")
		got := holdersOf(t, n)
		if !told.MatchString(got) {
			t.Errorf("--holders %s shows\n%s\nwant %s", setting, got, told)
		}
		if setting != "on" && strings.Contains(got, "train") {
			t.Errorf("--holders %s tells a name:\n%s", setting, got)
		}
	}
	f("on", regexp.MustCompile(`group="research",kind="pod",name="train-0",part="main"`))
	f("hashed", regexp.MustCompile(`group="[0-9a-f]{16}",kind="pod",name="[0-9a-f]{16}"`))
	f("off", regexp.MustCompile(`basis="kubelet",gpu="0",kind="pod",uuid=`))
}

func TestStatusSaysWhichSourcesOfHoldersWork(t *testing.T) {
	n := startNode(t, "gpus 2 h100\n", "--kubelet-socket", serveKubelet(t, "train-0", "train-1"))
	holdersOf(t, n)
	body, err := agent.CallControl(t.Context(), filepath.Join(n.state, agent.Control), http.MethodGet, "/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := writeStatus(&b, body, "text"); err != nil {
		t.Fatal(err)
	}
	if want := regexp.MustCompile(`(?m)^holders from\n  slurm      \w+ .*\n  kubelet    works *\n  processes  `); !want.MatchString(b.String()) {
		t.Errorf("status is\n%s", b.String())
	}
}

func TestHolderSettingsThatContradictAreRefused(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		var c config
		fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
		c.flags(fs)
		if err := fs.Parse(args); err != nil {
			t.Fatal(err)
		}
		if err := c.validate(); err == nil || err.Error() != want {
			t.Errorf("%v: %v, want %s", args, err, want)
		}
	}
	f(`holders "yes" is not on, hashed or off`, "--holders", "yes")
	f(`holder-key-file is given, but holders is on`, "--holder-key-file", "/key")
	f(`kubelet-socket "here" is not auto, off or an absolute path`, "--kubelet-socket", "here")
	f(`slurm "on" is not auto or off`, "--slurm", "on")
	f(`slurm-job-files is given, but slurm is off`, "--slurm", "off", "--slurm-job-files", "/jobs")
	f(`pod-labels are given, but holders is off`, "--holders", "off", "--pod-labels", "team")
	f(`pod label "team=x" is no key of a label`, "--pod-labels", "team=x")
	f(`slurm-job-files "jobs" is not an absolute path`, "--slurm-job-files", "jobs")
}

func TestHolderSettingsStandInTheFileUnderTheirNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agent.yaml")
	text := "holders: off\nkubelet_socket: /run/k.sock\nslurm: off\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var c config
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	c.flags(fs)
	if err := fs.Parse([]string{"--slurm", "auto"}); err != nil {
		t.Fatal(err)
	}
	if err := c.load(file, fs); err != nil {
		t.Fatal(err)
	}
	if h := c.Holders; h.Names != "off" || h.Kubelet != "/run/k.sock" || h.Slurm != "auto" {
		t.Errorf("settings = %+v, want off, the socket, and auto of the flag", h)
	}
}
