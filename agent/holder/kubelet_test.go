package holder_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	api "k8s.io/kubelet/pkg/apis/podresources/v1"

	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// The tests of this file go the whole way: a gRPC server on a socket, the client,
// the finder, the meter. The looks are of a synthetic clock, the server is not.

// server is a kubelet as far as its pod-resources API goes.
type server struct {
	api.UnimplementedPodResourcesListerServer
	mu   sync.Mutex // guards what follows
	pods []*api.PodResources
}

func (s *server) List(context.Context, *api.ListPodResourcesRequest) (*api.ListPodResourcesResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &api.ListPodResourcesResponse{PodResources: s.pods}, nil
}

func (s *server) set(pods ...*api.PodResources) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods = pods
}

// having is a pod "c" in the namespace "n" that a device plugin gave devices.
func having(name string, ids ...string) *api.PodResources {
	return &api.PodResources{Namespace: "n", Name: name, Containers: []*api.ContainerResources{
		{Name: "c", Devices: []*api.ContainerDevices{{ResourceName: "nvidia.com/gpu", DeviceIds: ids}}}}}
}

// claiming is a pod that was given devices dynamically.
func claiming(name string, devices ...string) *api.PodResources {
	claim := &api.DynamicResource{ClaimName: name + "-gpu", ClaimNamespace: "n"}
	for _, d := range devices {
		claim.ClaimResources = append(claim.ClaimResources, &api.ClaimResource{DriverName: "gpu.nvidia.com", PoolName: "node-1", DeviceName: d})
	}
	return &api.PodResources{Namespace: "n", Name: name, Containers: []*api.ContainerResources{{Name: "c", DynamicResources: []*api.DynamicResource{claim}}}}
}

// ofServer returns a finder that asks a server, once the server has answered.
func ofServer(t *testing.T, s *server, proc string) *holder.Finder {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "kubelet.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	api.RegisterPodResourcesListerServer(g, s)
	client, err := kubelet.New(socket)
	if err != nil {
		t.Fatal(err)
	}
	f := find(t, holder.Config{Kubelet: client, Proc: proc})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.Serve(ln) })
	wg.Go(func() { f.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		_ = client.Close()
		g.Stop()
		wg.Wait()
	})
	for range 1000 {
		if f.Sources()[0].State == holder.SourceWorks {
			return f
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("the kubelet does not answer: %+v", f.Sources())
	return nil
}

func TestServedPodThatComesAndGoesHasItsSeconds(t *testing.T) {
	p := newProc(t)
	p.add(10, "/kubepods/besteffort/pod"+podX+"/"+container)
	s := &server{}
	f := ofServer(t, s, p.dir)
	got := sumsOf(t, 1, f, func(sec int) metric.Look {
		l := look(gpuA, 0)
		s.set()
		if sec%6 >= 1 && sec%6 <= 3 { // ten times a minute, for three seconds
			l = look(gpuA, 0, 10)
			s.set(having("x", gpuA))
		}
		l.Util = metric.KnownShare(float64(sec%7) / 8)
		if sec%6 == 1 || sec%6 == 4 {
			time.Sleep(60 * time.Millisecond) // an answer younger than that is as good as a new one
		}
		return l
	})
	x, nobody := got[podHolder("x")], got[usage.Holder{Basis: usage.BasisKubelet}]
	if x.BusyMs+x.IdleMs != 30_000 || nobody.BusyMs+nobody.UnallocatedMs != 30_000 || len(got) != 2 {
		t.Errorf("sums = %+v, want half a minute for pod x and for nobody", got)
	}
}

func TestServedPodsShareATimeSlicedGPU(t *testing.T) {
	s := &server{}
	s.set(having("x", gpuA+"::0"), having("y", gpuA+"::1"))
	got := sumsOf(t, 3, ofServer(t, s, t.TempDir()), func(sec int) metric.Look {
		l := look(gpuA, 0)
		l.Util = metric.KnownShare(float64(sec%13) / 13)
		return l
	})
	if x, y := got[podHolder("x")], got[podHolder("y")]; x.ObservedMs() != 90_000 || y.ObservedMs() != 90_000 || x.BusyMs-y.BusyMs > 1 || y.BusyMs-x.BusyMs > 1 || len(got) != 2 {
		t.Errorf("sums = %+v, want half of three minutes each", got)
	}
}

// sevenths is a GPU of seven instances, whose UUIDs are such.
func sevenths() metric.Look {
	l := divided(0)
	for i := range l.Instances {
		l.Instances[i].Compute[0].UUID = mig(i)
	}
	l.Instances[6].Profile = "1g.20gb"
	return l
}

func mig(i int) string { return fmt.Sprintf("MIG-1a2b3c4d-0000-5111-8222-33334444000%d", i) }

func TestServedPodsHaveASeventhEach(t *testing.T) {
	s := &server{}
	s.set(having("pod-0", mig(0)), having("pod-1", mig(1)), having("pod-2", "MIG-"+gpuA+"/9/0"), having("pod-3", "nvidia3/gi10"),
		having("pod-4", mig(4)), having("pod-4b", mig(4)+"::1"), claiming("pod-6", "gpu-3-mig-1g20gb-15-6"))
	got := sumsOf(t, 7, ofServer(t, s, t.TempDir()), func(sec int) metric.Look {
		l := sevenths()
		util := 0.0
		for i := range l.Instances {
			u := float64((sec+i)%11) / 11
			l.Instances[i].Util = metric.KnownShare(u)
			util += u / 7
		}
		l.Util = metric.KnownShare(util)
		return l
	})
	for name, want := range map[string]int64{"pod-0": 60_000, "pod-1": 60_000, "pod-2": 60_000, "pod-3": 60_000, "pod-4": 30_000, "pod-4b": 30_000, "pod-6": 60_000} {
		// A seventh of a minute is no whole number of milliseconds; all together are.
		if sums := got[podHolder(name)]; sums.ObservedMs() < want-1 || sums.ObservedMs() > want+1 || sums.BusyMs == 0 {
			t.Errorf("%s has %+v, want %d ms, part of it busy", name, sums, want)
		}
	}
	if nobody := got[usage.Holder{Basis: usage.BasisKubelet}]; nobody.ObservedMs() < 59_999 || nobody.ObservedMs() > 60_001 || len(got) != 8 {
		t.Errorf("%d holders, nobody has %+v, want a minute of the instance that no pod has", len(got), nobody)
	}
}

func TestServedClaimHasItsGPU(t *testing.T) {
	s := &server{}
	s.set(claiming("x", "gpu-3"), claiming("other", "gpu-2"))
	f := ofServer(t, s, t.TempDir())
	other := look(gpuB, 1)
	other.GPU.Device = "nvidia2"
	check(t, f, other, podHolder("other"))
	got := sumsOf(t, 1, f, func(int) metric.Look {
		l := look(gpuA, 0)
		l.Util = metric.KnownShare(1)
		return l
	})
	if x := got[podHolder("x")]; x.BusyMs != 60_000 || len(got) != 1 {
		t.Errorf("sums = %+v, want a minute for pod x", got)
	}
}
