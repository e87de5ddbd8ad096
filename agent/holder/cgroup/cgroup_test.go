package cgroup_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/holder/cgroup"
)

const (
	id  = "4cf71cd3b4ae3b2bc0ad0a2ac7c3bd3a86b3c8a3ee8d3e4a1e8bd9f2f0a1c2d3"
	uid = "05d2ef9a-1d5c-4a06-8c8e-9dcd8f2f3e11"
)

func TestParseKnowsRecordedPaths(t *testing.T) {
	under := strings.ReplaceAll(uid, "-", "_")
	f := func(path, pod, container string) {
		t.Helper()
		got := cgroup.Parse("0::" + path + "\n")
		if diff := cmp.Diff(cgroup.Place{Pod: pod, Container: container, Paths: []string{path}}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	f("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"+under+".slice/cri-containerd-"+id+".scope", uid, id)
	f("/kubepods.slice/kubepods-pod"+under+".slice/crio-"+id+".scope/container", uid, id)
	f("/kubepods/besteffort/pod"+uid+"/"+id, uid, id)
	f("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod"+under+".slice/cri-containerd-"+id+".scope", uid, id)
	f("/../../kubepods-besteffort-pod"+under+".slice/cri-containerd-"+id+".scope", uid, id)
	f("/kubepods.slice/kubepods-pod8d3e4a1e8bd9f2f0a1c2d34cf71cd3b4.slice/docker-"+id+".scope", "8d3e4a1e8bd9f2f0a1c2d34cf71cd3b4", id)
	f("/kubepods-besteffort-pod"+under+".slice:cri-containerd:"+id, uid, id)
	f("/system.slice/docker-"+id+".scope", "", id)
	f("/docker/"+id, "", id)
	f("/docker/"+id+"/docker/"+strings.Repeat("a", 64), "", id)
	f("/machine.slice/libpod-"+id+".scope/container", "", id)
	f("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-"+id+".scope", "", id)
	f("/lxc.payload.trainer/system.slice/ssh.service", "", "trainer")
	f("/lxc/trainer", "", "trainer")
	f("/ecs/0123456789abcdef0123456789abcdef/"+id, "", id)
	f("/user.slice/user-1000.slice/session-3.scope", "", "")
	f("/system.slice/podman.service", "", "")
	f("/user.slice/pod"+uid, "", "")
	f("/kubepods.slice/kubepods-podx.slice", "", "")
	f("/", "", "")
}

func TestParseReadsAllHierarchies(t *testing.T) {
	got := cgroup.Parse("12:memory:/kubepods/pod" + uid + "/" + id + "\n11:cpu,cpuacct:/kubepods/pod" + uid + "/" + id + "\n1:name=systemd:/\nrubbish\n3:x\n")
	want := cgroup.Place{Pod: uid, Container: id, Paths: []string{"/kubepods/pod" + uid + "/" + id, "/"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("place (-want +got):\n%s", diff)
	}
}

func TestParseReadsThisProcess(t *testing.T) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if p := cgroup.Parse(string(b)); len(p.Paths) == 0 {
		t.Errorf("%q has no path", b)
	}
}

// FuzzParse holds that pods and containers are words of a path.
func FuzzParse(f *testing.F) {
	f.Add("0::/kubepods/besteffort/pod" + uid + "/" + id + "\n")
	f.Add("1:name=systemd:/lxc/a\n0::/docker/" + id)
	f.Fuzz(func(t *testing.T, text string) {
		p := cgroup.Parse(text)
		all := strings.Join(p.Paths, "\n")
		if !strings.Contains(all, p.Container) {
			t.Errorf("container %q is not in %q", p.Container, all)
		}
		if p.Pod != "" && (!strings.Contains(strings.ReplaceAll(all, "_", "-"), "pod"+p.Pod) || !strings.Contains(all, "kubepods")) {
			t.Errorf("pod %q is not in %q", p.Pod, all)
		}
		for _, path := range p.Paths {
			if !strings.Contains(text, ":"+path) {
				t.Errorf("path %q is not in %q", path, text)
			}
		}
	})
}
