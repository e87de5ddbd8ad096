package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gpumeter/gpumeter/cmd/internal/file"
	"github.com/gpumeter/gpumeter/usage"
)

// demoNode is a node of a real agent on the simulated driver. Its cloud is
// that of a tranche of the example contracts.
type demoNode struct {
	name    string
	tranche string
	cloud   usage.Cloud
	gpus    int
	model   string // in the driver's scenario
	// life is what its GPUs do, as lines of a scenario (docs/simulator.md).
	life []string
}

// demoNodes has one node in each cloud, each with another life, so that
// within minutes every live line of a report has something to say.
var demoNodes = []demoNode{
	{
		name: "aws-use1-live", tranche: "aws/h100-training", gpus: 8, model: "h100",
		cloud: usage.Cloud{Provider: "aws", Account: "111122223333", Region: "us-east-1", InstanceType: "p5.48xlarge"},
		life: []string{
			"# a training job with a checkpoint every five minutes",
			"gpu * util square period=5m on=280s high=97 low=4",
			"gpu * process pid=self name=python memory=64GiB",
		},
	},
	{
		name: "az-eastus-live", tranche: "azure/h100-training", gpus: 8, model: "h100",
		cloud: usage.Cloud{Provider: "azure", Account: "11111111-2222-3333-4444-555555555555", Region: "eastus", InstanceType: "Standard_ND96isr_H100_v5"},
		life: []string{
			"# half of it computes; half is held and idle",
			"gpu 0-3 util walk period=40s min=55 max=99",
			"gpu 0-7 process pid=self name=python memory=40GiB",
		},
	},
	{
		name: "gcp-usc1-live", tranche: "google/t4-inference", gpus: 4, model: "t4",
		cloud: usage.Cloud{Provider: "google", Account: "example-ml-prod", Region: "us-central1", InstanceType: "n1-standard-32"},
		life: []string{
			"# short bursts, as requests come: a gauge read every 15 s misses them",
			"gpu * util square period=1s on=0.4s",
			"gpu 0-2 process pid=self name=triton memory=6GiB",
		},
	},
	{
		name: "oci-iad-live", tranche: "oracle/h100-serving", gpus: 8, model: "h100",
		cloud: usage.Cloud{Provider: "oracle", Account: "ocid1.tenancy.oc1..example", Region: "us-ashburn-1", InstanceType: "BM.GPU.H100.8"},
		life: []string{
			"# one GPU falls off the bus after four minutes and comes back after twenty",
			"gpu * util sine period=8m min=20 max=85",
			"gpu * process pid=self name=vllm memory=70GiB",
			"gpu 5 at 4m xid 79",
			"gpu 5 lost from=4m to=20m",
			"gpu 5 reset at 20m",
		},
	},
	{
		name: "cw-usw01-live", tranche: "coreweave/h100-research", gpus: 8, model: "h100",
		cloud: usage.Cloud{Provider: "coreweave", Account: "example-labs", Region: "US-WEST-01", InstanceType: "gd-8xh100ib-i128"},
		life: []string{
			"# notebooks on six, nobody on two; the driver calls on GPU 7 never return",
			"gpu 0-5 util walk period=3m min=0 max=45",
			"gpu 0-5 process pid=self name=jupyter memory=20GiB",
			"fault * gpu 7 block from=6m",
		},
	},
}

// demoScenario writes the scenario of the driver of demoNodes[i]. Its times
// count from when the file is written.
func demoScenario(i int, seed uint64) string {
	n := demoNodes[i]
	lines := []string{
		"# the simulated driver of " + n.name + "; docs/simulator.md explains the format",
		fmt.Sprintf("seed %d", seed%1_000_000*10+uint64(i)), // UUIDs follow from it
		"start file",
		fmt.Sprintf("gpus %d %s", n.gpus, n.model),
	}
	return strings.Join(append(lines, n.life...), "\n") + "\n"
}

// node prepares the agent of demoNodes[i]: its folder and its driver's
// scenario.
func (d *demo) node(i int, library string) (demoAgent, error) {
	n := &demoNodes[i]
	folder, err := filepath.Abs(filepath.Join(d.dir, demoAgentsFolder, n.name))
	if err != nil {
		return demoAgent{}, fmt.Errorf("agent %s: %w", n.name, err)
	}
	scenario := filepath.Join(folder, "scenario")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return demoAgent{}, fmt.Errorf("agent %s: %w", n.name, err)
	}
	if err := file.Replace(scenario, []byte(demoScenario(i, d.state.Seed)), 0o600); err != nil {
		return demoAgent{}, fmt.Errorf("agent %s: %w", n.name, err)
	}
	return demoAgent{
		name: n.name, folder: folder,
		args: []string{
			"--collector", d.server.url, "--listen", "127.0.0.1:0", "--nvml", library, "--node", n.name,
			"--cloud-provider", n.cloud.Provider, "--cloud-account", n.cloud.Account, "--cloud-region", n.cloud.Region,
			"--cloud-instance-type", n.cloud.InstanceType,
		},
		env: []string{"GPUMETER_SIM_SCENARIO=" + scenario},
	}, nil
}

// findSimulator returns the simulated driver library that was built beside
// this program.
func findSimulator() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the simulated driver: %w", err)
	}
	return beside(self, "sim", "libnvidia-ml.so.1")
}
