// Package kubelet asks the kubelet of this node which pods have which GPUs,
// through its pod-resources API on a Unix socket.
//
// What it lists is what was allocated, whether or not anything runs there. It
// does not say by which pod UID, label or process.
package kubelet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	api "k8s.io/kubelet/pkg/apis/podresources/v1"
)

// DefaultSocket is where kubelets listen.
const DefaultSocket = "/var/lib/kubelet/pod-resources/kubelet.sock"

// ErrAbsent means that there is no kubelet here: its socket does not exist.
var ErrAbsent = errors.New("no kubelet socket")

const (
	// maxList bounds an answer, in bytes: what kubelets themselves expect of
	// their clients, and far above 250 pods with all of a node's devices.
	maxList = 16 << 20
	// maxWait is how long a connection waits at most before it tries again: a
	// kubelet that is back is found within one round of questions.
	maxWait = 5 * time.Second
)

// Use is one GPU device that one container of a pod has.
type Use struct {
	Namespace, Pod, Container string
	Device                    Device
}

// Client asks one kubelet over one connection that it keeps. Its methods may be
// called concurrently.
type Client struct {
	socket string
	conn   *grpc.ClientConn
	pods   api.PodResourcesListerClient
}

// New returns a client for a socket; DefaultSocket if it is empty. Nothing is
// connected before the first List.
func New(socket string) (*Client, error) {
	if socket == "" {
		socket = DefaultSocket
	}
	conn, err := grpc.NewClient("unix:"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // the socket's permissions are its protection
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0), // kept: a new one costs more than the question
		grpc.WithReadBufferSize(4<<10), grpc.WithWriteBufferSize(4<<10),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxList), grpc.WaitForReady(true)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: maxWait},
			MinConnectTimeout: maxWait,
		}))
	if err != nil {
		return nil, fmt.Errorf("address kubelet socket %s: %w", socket, err)
	}
	return &Client{socket: socket, conn: conn, pods: api.NewPodResourcesListerClient(conn)}, nil
}

// List returns all uses of GPUs on this node, in the kubelet's order. It is
// ErrAbsent if there is no socket. It returns when ctx ends, at the latest.
func (c *Client) List(ctx context.Context) ([]Use, error) {
	if _, err := os.Stat(c.socket); errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAbsent
	}
	answer, err := c.pods.List(ctx, &api.ListPodResourcesRequest{})
	if status.Code(err) == codes.Unavailable {
		// The connection was to a kubelet that is gone; WaitForReady makes the
		// second question wait for another.
		answer, err = c.pods.List(ctx, &api.ListPodResourcesRequest{})
	}
	if err != nil {
		return nil, fmt.Errorf("list pods of kubelet %s: %w", c.socket, err)
	}
	return uses(answer), nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// uses keeps what is about GPUs.
func uses(answer *api.ListPodResourcesResponse) []Use {
	var out []Use
	for _, pod := range answer.GetPodResources() {
		for _, ct := range pod.GetContainers() {
			for _, d := range devicesOf(ct) {
				out = append(out, Use{Namespace: pod.GetNamespace(), Pod: pod.GetName(), Container: ct.GetName(), Device: d})
			}
		}
	}
	return out
}

// devicesOf returns the GPUs of a container, from device plugins and from
// dynamic resource allocation.
func devicesOf(ct *api.ContainerResources) []Device {
	var out []Device
	for _, group := range ct.GetDevices() {
		for _, id := range group.GetDeviceIds() {
			if d, ok := ParseDevice(id); ok {
				out = append(out, d)
			}
		}
	}
	for _, claim := range ct.GetDynamicResources() {
		for _, r := range claim.GetClaimResources() {
			if d, ok := ParseClaim(r.GetDriverName(), r.GetDeviceName()); ok {
				out = append(out, d)
			}
		}
	}
	return out
}
