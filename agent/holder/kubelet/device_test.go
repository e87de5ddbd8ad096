package kubelet_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
)

func TestParseDeviceReadsTheWordsOfEveryPlugin(t *testing.T) {
	f := func(id string, want kubelet.Device) {
		t.Helper()
		got, ok := kubelet.ParseDevice(id)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("ParseDevice(%q) known %v (-want +got):\n%s", id, ok, diff)
		}
	}
	f(gpuA, kubelet.Device{UUID: gpuA})
	f(gpuA+"::0", kubelet.Device{UUID: gpuA})
	f(gpuA+"-7", kubelet.Device{UUID: gpuA}) // HAMi, Volcano
	f(migA, kubelet.Device{UUID: migA})
	f(migA+"::11", kubelet.Device{UUID: migA})
	f("MIG-"+gpuA+"/5/0", kubelet.Device{UUID: gpuA, Part: &kubelet.Part{Instance: 5}})
	f("MIG-"+gpuA+"/13/1::2", kubelet.Device{UUID: gpuA, Part: &kubelet.Part{Instance: 13, Compute: 1}})
	f("nvidia0", kubelet.Device{Node: "nvidia0"})
	f("nvidia15/gi5", kubelet.Device{Node: "nvidia15", Part: &kubelet.Part{Instance: 5, Compute: -1}})
	f("nvidia2/vgpu3", kubelet.Device{Node: "nvidia2"})
	f("nvidia2/gi7/vgpu3", kubelet.Device{Node: "nvidia2", Part: &kubelet.Part{Instance: 7, Compute: -1}})
}

func TestParseDeviceLeavesOtherDevicesAlone(t *testing.T) {
	for _, id := range []string{"", "0", "0000:3b:00.1", "GPU-", "GPU-8dd8ed19", "MIG-8dd8ed19/5/0", "nvidia", "nvidiactl", "nvidia-1", "nvidia01",
		"nvidia0/gi", "nvidia0/gi-1", "MIG-" + gpuA, "MIG-" + gpuA + "/5", "MIG-" + gpuA + "/5/x", strings.Repeat("9", 1<<10), "gpu-0"} {
		if d, ok := kubelet.ParseDevice(id); ok {
			t.Errorf("ParseDevice(%q) = %+v, want no GPU", id, d)
		}
	}
}

func TestParseClaimReadsTheNamesOfTheDriver(t *testing.T) {
	f := func(name string, want kubelet.Device) {
		t.Helper()
		got, ok := kubelet.ParseClaim("gpu.nvidia.com", name)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("ParseClaim(%q) known %v (-want +got):\n%s", name, ok, diff)
		}
	}
	f("gpu-0", kubelet.Device{Node: "nvidia0"})
	f("gpu-12", kubelet.Device{Node: "nvidia12"})
	f("gpu-0-mig-1g18gb-19-0", kubelet.Device{Node: "nvidia0", Part: &kubelet.Part{Instance: -1, Compute: -1, Profile: "1g.18gb"}})
	f("gpu-0-mig-9-0-1", kubelet.Device{Node: "nvidia0", Part: &kubelet.Part{Instance: -1, Compute: -1}})
	for _, x := range [][2]string{{"gpu.nvidia.com", "gpu-vfio-0"}, {"gpu.nvidia.com", "channel-0"}, {"compute-domain.nvidia.com", "gpu-0"}, {"gpu.nvidia.com", ""}} {
		if d, ok := kubelet.ParseClaim(x[0], x[1]); ok {
			t.Errorf("ParseClaim(%q, %q) = %+v, want no GPU", x[0], x[1], d)
		}
	}
}

// FuzzParseDevice holds that an id names a GPU by the bytes it has, and that a
// share of a GPU is that GPU.
func FuzzParseDevice(f *testing.F) {
	for _, s := range []string{gpuA, migA + "::1", "MIG-" + gpuA + "/5/0", "nvidia3/gi4/vgpu5", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		d, ok := kubelet.ParseDevice(id)
		if !ok {
			return
		}
		if (d.UUID == "") == (d.Node == "") {
			t.Fatalf("%q has UUID %q and node %q, want one of them", id, d.UUID, d.Node)
		}
		if !strings.Contains(id, d.UUID+d.Node) {
			t.Errorf("%q is said to be %q, which is not in it", id, d.UUID+d.Node)
		}
		if share, ok := kubelet.ParseDevice(id + "::3"); !ok || !cmp.Equal(d, share) {
			t.Errorf("a share of %q is %+v (%v), want %+v", id, share, ok, d)
		}
	})
}

// FuzzParseClaim holds that a claim's device is a device node of a GPU.
func FuzzParseClaim(f *testing.F) {
	f.Add("gpu-0-mig-1g18gb-19-0")
	f.Add("gpu-7")
	f.Fuzz(func(t *testing.T, name string) {
		d, ok := kubelet.ParseClaim("gpu.nvidia.com", name)
		if !ok {
			return
		}
		if want := "gpu-" + strings.TrimPrefix(d.Node, "nvidia"); !strings.HasPrefix(name, want) {
			t.Errorf("%q is said to be on %s", name, d.Node)
		}
		if (d.Part != nil) != strings.Contains(name, "-mig-") {
			t.Errorf("%q is said to be divided: %v", name, d.Part != nil)
		}
	})
}
