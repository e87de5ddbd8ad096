package kubelet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	api "k8s.io/kubelet/pkg/apis/podresources/v1"

	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
)

// node is a kubelet as far as its pod-resources API goes.
type node struct {
	api.UnimplementedPodResourcesListerServer
	list func(context.Context) (*api.ListPodResourcesResponse, error)
}

func (n *node) List(ctx context.Context, _ *api.ListPodResourcesRequest) (*api.ListPodResourcesResponse, error) {
	return n.list(ctx)
}

// serve listens on a socket until stop or the end of the test.
func serve(t *testing.T, socket string, list func(context.Context) (*api.ListPodResourcesResponse, error)) (stop func(), dials *int) {
	t.Helper()
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	counted := &counting{Listener: ln}
	s := grpc.NewServer(grpc.MaxSendMsgSize(64 << 20))
	api.RegisterPodResourcesListerServer(s, &node{list: list})
	done := make(chan error, 1)
	go func() { done <- s.Serve(counted) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			s.Stop()
			if err := <-done; err != nil {
				t.Errorf("serve: %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return stop, &counted.n
}

// counting counts connections. Its count is read after the server stopped.
type counting struct {
	net.Listener
	n int
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n++
	}
	return conn, err
}

func client(t *testing.T, socket string) *kubelet.Client {
	t.Helper()
	c, err := kubelet.New(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

// within asks with a time limit.
func within(t *testing.T, c *kubelet.Client, d time.Duration) ([]kubelet.Use, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return c.List(ctx)
}

const (
	gpuA = "GPU-8dd8ed19-3a2c-4b52-9b3c-16a4b0a3c001"
	gpuB = "GPU-8dd8ed19-3a2c-4b52-9b3c-16a4b0a3c002"
	migA = "MIG-1a2b3c4d-0000-5111-8222-333344445555"
)

func pod(namespace, name string, devices ...*api.ContainerDevices) *api.PodResources {
	return &api.PodResources{Namespace: namespace, Name: name,
		Containers: []*api.ContainerResources{{Name: "main", Devices: devices}}}
}

func devices(resource string, ids ...string) *api.ContainerDevices {
	return &api.ContainerDevices{ResourceName: resource, DeviceIds: ids}
}

func TestListNamesThePodOfEveryGPU(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "kubelet.sock")
	answer := &api.ListPodResourcesResponse{PodResources: []*api.PodResources{
		pod("research", "train-0", devices("nvidia.com/gpu", gpuA), devices("nvidia.com/hostdev", "0000:3b:00.1")),
		pod("serving", "chat-0", devices("nvidia.com/gpu.shared", gpuB+"::2")),
		pod("serving", "chat-1", devices("nvidia.com/mig-1g.10gb", migA)),
		pod("kube-system", "proxy"),
		{Namespace: "lab", Name: "claimed", Containers: []*api.ContainerResources{{Name: "ctr", DynamicResources: []*api.DynamicResource{{
			ClaimName: "gpu", ClaimNamespace: "lab", ClaimResources: []*api.ClaimResource{
				{DriverName: "gpu.nvidia.com", PoolName: "node-1", DeviceName: "gpu-3"},
				{DriverName: "compute-domain.nvidia.com", PoolName: "node-1", DeviceName: "channel-0"},
			}}}}}},
	}}
	serve(t, socket, func(context.Context) (*api.ListPodResourcesResponse, error) { return answer, nil })
	got, err := within(t, client(t, socket), 5*time.Second)
	want := []kubelet.Use{
		{Namespace: "research", Pod: "train-0", Container: "main", Device: kubelet.Device{UUID: gpuA}},
		{Namespace: "serving", Pod: "chat-0", Container: "main", Device: kubelet.Device{UUID: gpuB}},
		{Namespace: "serving", Pod: "chat-1", Container: "main", Device: kubelet.Device{UUID: migA}},
		{Namespace: "lab", Pod: "claimed", Container: "ctr", Device: kubelet.Device{Node: "nvidia3"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, uses (-want +got):\n%s", err, diff)
	}
}

func TestListSaysThatThereIsNoKubelet(t *testing.T) {
	c := client(t, filepath.Join(t.TempDir(), "kubelet.sock"))
	if _, err := within(t, c, time.Second); !errors.Is(err, kubelet.ErrAbsent) {
		t.Errorf("List without a socket: %v, want %v", err, kubelet.ErrAbsent)
	}
}

func TestListKeepsOneConnection(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "kubelet.sock")
	stop, dials := serve(t, socket, func(context.Context) (*api.ListPodResourcesResponse, error) {
		return &api.ListPodResourcesResponse{}, nil
	})
	c := client(t, socket)
	for range 20 {
		if _, err := within(t, c, 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if *dials != 1 {
		t.Errorf("20 questions took %d connections, want 1", *dials)
	}
}

func TestListReturnsInTimeWhenTheKubeletHangs(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "kubelet.sock")
	serve(t, socket, func(ctx context.Context) (*api.ListPodResourcesResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	start := time.Now()
	if _, err := within(t, client(t, socket), 200*time.Millisecond); err == nil {
		t.Error("a kubelet that hangs gave an answer")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("the question took %s, want about 200 ms", d)
	}
}

func TestListReturnsInTimeWhenNobodyAcceptsOrSpeaks(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "kubelet.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	start := time.Now()
	if _, err := within(t, client(t, socket), 200*time.Millisecond); err == nil {
		t.Error("a kubelet that does not speak gave an answer")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("the question took %s, want about 200 ms", d)
	}
}

func TestListFindsTheKubeletAfterItsRestart(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "kubelet.sock")
	answer := func(name string) func(context.Context) (*api.ListPodResourcesResponse, error) {
		return func(context.Context) (*api.ListPodResourcesResponse, error) {
			return &api.ListPodResourcesResponse{PodResources: []*api.PodResources{pod("n", name, devices("nvidia.com/gpu", gpuA))}}, nil
		}
	}
	stop, _ := serve(t, socket, answer("before"))
	c := client(t, socket)
	if got, err := within(t, c, 5*time.Second); err != nil || got[0].Pod != "before" {
		t.Fatalf("before the restart: %v, %v", got, err)
	}
	stop()
	if _, err := within(t, c, 100*time.Millisecond); err == nil {
		t.Error("a kubelet that is down gave an answer")
	}
	serve(t, socket, answer("after"))
	if got, err := within(t, c, 5*time.Second); err != nil || got[0].Pod != "after" {
		t.Errorf("after the restart: %v, %v", got, err)
	}
}

func TestListFailsOnWhatIsNoKubelet(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "kubelet.sock")
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := within(t, client(t, socket), 200*time.Millisecond); err == nil || errors.Is(err, kubelet.ErrAbsent) {
		t.Errorf("a plain file for a socket: %v, want an error that says so", err)
	}
}

func TestListTakesAHugeList(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "kubelet.sock")
	answer := &api.ListPodResourcesResponse{}
	other := make([]string, 200)
	for i := range other {
		other[i] = fmt.Sprintf("0000:%02x:00.%d-%s", i, i, strings.Repeat("x", 60))
	}
	for i := range 250 {
		answer.PodResources = append(answer.PodResources,
			pod("n", fmt.Sprintf("pod-%d", i), devices("example.com/nic", other...), devices("nvidia.com/gpu.shared", fmt.Sprintf("%s::%d", gpuA, i))))
	}
	serve(t, socket, func(context.Context) (*api.ListPodResourcesResponse, error) { return answer, nil })
	got, err := within(t, client(t, socket), 10*time.Second)
	if err != nil || len(got) != 250 {
		t.Errorf("%d uses, %v, want 250", len(got), err)
	}
}
