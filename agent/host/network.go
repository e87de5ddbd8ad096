package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/shirou/gopsutil/v3/net"

	"github.com/gpumeter/gpumeter/metric"
)

var networkRows = []row[net.IOCountersStat]{
	network("io", metric.Bytes, "Bytes over the interface.", "system.network.io", "receive",
		func(n *net.IOCountersStat) float64 { return float64(n.BytesRecv) }),
	network("io", metric.Bytes, "Bytes over the interface.", "system.network.io", "transmit",
		func(n *net.IOCountersStat) float64 { return float64(n.BytesSent) }),
	network("errors", metric.Count, "Packets that were lost to an error.", "system.network.errors", "receive",
		func(n *net.IOCountersStat) float64 { return float64(n.Errin) }),
	network("errors", metric.Count, "Packets that were lost to an error.", "system.network.errors", "transmit",
		func(n *net.IOCountersStat) float64 { return float64(n.Errout) }),
	network("dropped", metric.Count, "Packets that were dropped without an error.", "system.network.packet.dropped", "receive",
		func(n *net.IOCountersStat) float64 { return float64(n.Dropin) }),
	network("dropped", metric.Count, "Packets that were dropped without an error.", "system.network.packet.dropped", "transmit",
		func(n *net.IOCountersStat) float64 { return float64(n.Dropout) }),
}

func network(what string, unit metric.Unit, help, otel, direction string, value func(*net.IOCountersStat) float64) row[net.IOCountersStat] {
	return row[net.IOCountersStat]{metric.Desc{Name: "host.network." + what, Unit: unit, Kind: metric.Counter, Help: help,
		Labels: []metric.Label{{Name: "interface"}, {Name: "direction", Value: direction}},
		OTel:   metric.Alias{Name: otel, Attributes: []metric.Label{{Name: "network.interface.name"}, {Name: "network.io.direction", Value: direction}}}}, value}
}

// noNIC matches interfaces that carry no traffic of the node's own: the
// loopback, the node's end of containers' and virtual machines' links, bridges
// and tunnels between them, and queues.
var noNIC = regexp.MustCompile(`^(` +
	`lo|dummy\d+|ifb\d+|nodelocaldns|kube-ipvs\d+|` +
	`(veth|cali|cilium|lxc|azv|gke|eni|tap|vnet|vmnet).+|` + // links into containers and machines
	`(docker|podman|cni|cbr|virbr|lxdbr|kube-bridge|weave|ovs-|ovn-|br-).*|` + // bridges
	`(flannel|vxlan|genev|geneve|tunl|gre|gretap|erspan|sit|ip6tnl|ip6gre|ip_vti|ip6_vti).*` + // tunnels
	`)$`)

func readNetwork(ctx context.Context, d *devices[net.IOCountersStat]) ([]metric.Reading, error) {
	all, err := interfaces(ctx)
	if err != nil {
		return nil, fmt.Errorf("read network: %w", err)
	}
	there := make(map[string]*net.IOCountersStat, len(all))
	for i := range all {
		if !noNIC.MatchString(all[i].Name) {
			there[all[i].Name] = &all[i]
		}
	}
	return d.read(there), nil
}

// interfaces returns the counters of every interface of the node. What
// HOST_PROC/net shows is the reader's own network, a container's; that of the
// first process is the node's.
func interfaces(ctx context.Context) ([]net.IOCountersStat, error) {
	if proc := os.Getenv("HOST_PROC"); proc != "" {
		if all, err := net.IOCountersByFileWithContext(ctx, true, filepath.Join(proc, "1", "net", "dev")); err == nil {
			return all, nil
		}
	}
	return net.IOCountersWithContext(ctx, true)
}
