package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/agent/scan"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// cloudConfig says where the node stands, as far as the operator says it, and
// who else is asked.
type cloudConfig struct {
	usage.Cloud `yaml:",inline"`
	Ask         string `yaml:"ask"`
}

// Words of --cloud.
const (
	cloudAuto = "auto" // the cloud's metadata service, Kubernetes, Slurm and the firmware's tables
	cloudOff  = "off"
)

func (c *cloudConfig) flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Ask, "cloud", cloudAuto, "who is asked where the node stands: auto (the cloud's metadata service, Kubernetes, Slurm and the firmware), or off; what the flags below say counts in any case")
	fs.StringVar(&c.Provider, "cloud-provider", "", "cloud that the node is rented from: aws, azure, google, oracle, coreweave, …")
	fs.StringVar(&c.Account, "cloud-account", "", "account, subscription, project or tenancy")
	fs.StringVar(&c.Region, "cloud-region", "", "region")
	fs.StringVar(&c.Zone, "cloud-zone", "", "zone")
	fs.StringVar(&c.InstanceType, "cloud-instance-type", "", "instance type")
	fs.StringVar(&c.InstanceID, "cloud-instance-id", "", "instance id")
	fs.StringVar(&c.Reservation, "cloud-reservation", "", "reservation id")
	fs.StringVar(&c.Cluster, "cloud-cluster", "", "cluster")
	fs.StringVar(&c.NodePool, "cloud-node-pool", "", "node pool")
	fs.StringVar(&c.Rack, "cloud-rack", "", "rack or NVLink domain")
}

func (c *cloudConfig) validate() error {
	if c.Ask != cloudAuto && c.Ask != cloudOff {
		return fmt.Errorf("cloud %q is not auto or off", c.Ask)
	}
	return nil
}

// checkExpected says what is wrong with --expected-gpus.
func checkExpected(n int) error {
	if n < 0 || n > usage.MaxBatchGPUs {
		return fmt.Errorf("%d expected GPUs are not between 0 and %d", n, usage.MaxBatchGPUs)
	}
	return nil
}

// new returns what finds out where a node stands.
func (c *cloudConfig) new(node string, log *slog.Logger) *cloud.Finder {
	return cloud.New(cloud.Config{Off: c.Ask == cloudOff, Given: c.Cloud, NodeName: node, Log: log})
}

// elsewhere counts the GPUs on the bus that a frame cannot show.
func elsewhere(f *metric.Frame) int {
	return scan.Elsewhere(scan.Input{Frame: *f, Bus: busGPUs("/sys/bus/pci/devices"), Files: deviceFiles("/dev")})
}
