package fleet

import (
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// day is the unit of the table below.
const day = 24 * time.Hour

// pool is nodes of one kind under one account in one region. The table is the
// whole of the story; nodes and GPUs follow from it.
type pool struct {
	name  string // "CLOUD/TRANCHE", as the example contracts call it
	cloud usage.Cloud
	host  string // node names begin with it
	model string
	zone  string // of the cloud's contract and of the team's office hours
	nodes int
	per   int // GPUs in a node
	team  string
	work  work
	// The first early nodes arrive at once on day first; the rest follow from
	// later on, one each every.
	early        int
	first, later time.Duration
	every        time.Duration
	missing      int // nodes that are contracted and never come
	surplus      int // GPUs that are there and not contracted
	swapped      int // the last so many nodes have GPUs of the model other
	other        string
	blind        int  // the number of the node without a source of holders, from 1; 0 is none
	rack         int  // so many nodes are one NVLink domain
	stray        bool // nobody contracted it
}

// tableGPUs is about how many GPUs the table describes.
const tableGPUs = 350

// pools are sized for tableGPUs. Account names are those that the clouds
// use in their own documentation, or say "example".
var pools = []pool{
	{ // one node in eight came with H200 in place of H100
		name: "aws/h100-training", host: "aws-use1-h100", model: "H100", zone: "UTC",
		cloud: usage.Cloud{Provider: "aws", Account: "111122223333", Region: "us-east-1", Zone: "us-east-1d", InstanceType: "p5.48xlarge"},
		nodes: 8, per: 8, early: 8, swapped: 1, other: "H200", team: "foundation", work: training,
	},
	{
		name: "aws/a100-research", host: "aws-usw2-a100", model: "A100", zone: "UTC",
		cloud: usage.Cloud{Provider: "aws", Account: "444455556666", Region: "us-west-2", Zone: "us-west-2b", InstanceType: "p4d.24xlarge"},
		nodes: 4, per: 8, early: 4, team: "research", work: notebooks,
	},
	{ // somebody started it in the wrong region
		name: "aws/h100-elsewhere", host: "aws-eun1-h100", model: "H100", zone: "UTC",
		cloud: usage.Cloud{Provider: "aws", Account: "111122223333", Region: "eu-north-1", Zone: "eu-north-1a", InstanceType: "p5.48xlarge"},
		nodes: 1, per: 8, early: 1, first: 6*day + 9*time.Hour, team: "research", work: notebooks, stray: true,
	},
	{ // contracted from day 5, delivered from day 8 on, and never all of it
		name: "azure/h100-training", host: "az-eastus-h100", model: "H100", zone: "UTC",
		cloud: usage.Cloud{Provider: "azure", Account: "11111111-2222-3333-4444-555555555555", Region: "eastus", Zone: "2", InstanceType: "Standard_ND96isr_H100_v5"},
		nodes: 5, per: 8, early: 3, later: 8*day + 14*time.Hour, every: 62 * time.Hour, missing: 2, team: "foundation", work: training,
	},
	{ // bought ahead of need
		name: "azure/a100-reserve", host: "az-weu-a100", model: "A100", zone: "UTC",
		cloud: usage.Cloud{Provider: "azure", Account: "11111111-2222-3333-4444-555555555555", Region: "westeurope", Zone: "1", InstanceType: "Standard_ND96amsr_A100_v4"},
		nodes: 2, per: 8, early: 2, team: "batch", work: spare,
	},
	{ // contracted from day 10, delivered over the days after day 13
		name: "google/h200-training", host: "gcp-usc1-h200", model: "H200", zone: "America/Los_Angeles",
		cloud: usage.Cloud{Provider: "google", Account: "example-ml-prod", Region: "us-central1", Zone: "us-central1-b", InstanceType: "a3-ultragpu-8g"},
		nodes: 5, per: 8, early: 3, later: 13*day + 10*time.Hour, every: 31 * time.Hour, team: "multimodal", work: training,
	},
	{ // two GPUs more than contracted, one shared by two pods
		name: "google/a100-serving", host: "gcp-euw4-a100", model: "A100", zone: "America/Los_Angeles",
		cloud: usage.Cloud{Provider: "google", Account: "example-ml-prod", Region: "europe-west4", Zone: "europe-west4-a", InstanceType: "a2-highgpu-4g"},
		nodes: 4, per: 4, early: 4, surplus: 2, team: "gateway", work: serving,
	},
	{ // its second node has no source of holders
		name: "oracle/h100-serving", host: "oci-iad-h100", model: "H100", zone: "UTC",
		cloud: usage.Cloud{Provider: "oracle", Account: "ocid1.tenancy.oc1..example", Region: "us-ashburn-1", Zone: "AD-2", InstanceType: "BM.GPU.H100.8"},
		nodes: 4, per: 8, early: 4, team: "gateway", work: serving, blind: 2,
	},
	{ // NVL72 racks: 18 trays of 4
		name: "coreweave/gb200-training", host: "cw-use04-gb200", model: "GB200", zone: "America/New_York",
		cloud: usage.Cloud{Provider: "coreweave", Account: "example-labs", Region: "US-EAST-04", Zone: "US-EAST-04A", InstanceType: "gb200-4x"},
		nodes: 18, per: 4, early: 12, later: 3*day + 8*time.Hour, every: 5 * time.Hour, team: "foundation", work: training, rack: 18,
	},
	{
		name: "coreweave/h100-research", host: "cw-usw01-h100", model: "H100", zone: "America/New_York",
		cloud: usage.Cloud{Provider: "coreweave", Account: "example-labs", Region: "US-WEST-01", Zone: "US-WEST-01A", InstanceType: "gd-8xh100ib-i128"},
		nodes: 3, per: 8, early: 3, team: "research", work: notebooks,
	},
}

// product is what the driver and the data sheet say of a model.
type product struct {
	name        string
	memoryBytes uint64
	idleWatts   int64
	maxWatts    int64
}

const gib = 1 << 30

// products has every model in pools.
var products = map[string]product{
	"A100":  {"NVIDIA A100-SXM4-40GB", 40 * gib, 55, 400},
	"H100":  {"NVIDIA H100 80GB HBM3", 80 * gib, 70, 700},
	"H200":  {"NVIDIA H200", 141 * gib, 75, 700},
	"GB200": {"NVIDIA GB200", 186 * gib, 140, 1200},
}

// ofClouds returns the pools of the first n clouds, and about how many GPUs
// they are.
func ofClouds(n int) (table []pool, size int) {
	var seen []string
	for _, p := range pools {
		if !slices.Contains(seen, p.cloud.Provider) {
			seen = append(seen, p.cloud.Provider)
		}
		if len(seen) > n {
			return table, size
		}
		table, size = append(table, p), size+p.nodes*p.per
	}
	return table, tableGPUs
}

// scaled returns the pool for a fleet of about gpus GPUs, where the table has
// size of them.
func (p pool) scaled(gpus, size int) pool {
	scale := func(n int) int {
		if n == 0 {
			return 0
		}
		return max(1, (n*gpus+size/2)/size)
	}
	all := p.early == p.nodes
	p.nodes, p.early, p.missing = scale(p.nodes), scale(p.early), scale(p.missing)
	if p.early = min(p.early, p.nodes); all {
		p.early = p.nodes
	}
	p.blind, p.swapped = min(p.blind, p.nodes), min(scale(p.swapped), p.nodes-1)
	if late := p.nodes - p.early; late > 0 && p.every > 0 {
		p.every = min(p.every, 6*day/time.Duration(late)).Truncate(time.Minute)
	}
	return p
}

// modelOf returns what a node's GPUs are.
func (p *pool) modelOf(index int) string {
	if index >= p.nodes-p.swapped {
		return p.other
	}
	return p.model
}

// arrival returns when a node writes its first record, from day 0.
func (p *pool) arrival(index int) time.Duration {
	if index < p.early {
		return p.first
	}
	return p.later + time.Duration(index-p.early)*p.every
}
