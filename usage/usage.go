// Package usage is the vocabulary of the accounting lane: records of what a
// GPU did for whom, the batches that carry them, and their wire form.
//
// A record is an immutable statement in integer milliseconds. What was not
// observed is not in its sums: end − start − observed is the time that nobody
// can speak for, and never idle time.
package usage

import (
	"cmp"
	"fmt"
)

// Basis says how the holder of a GPU is known.
type Basis string

// From the strongest to the weakest. BasisNone means that no source of
// holders works, so that held and free cannot be told apart.
const (
	BasisScheduler Basis = "scheduler" // Slurm
	BasisKubelet   Basis = "kubelet"   // pod resources
	BasisProcess   Basis = "process"   // the driver's process list
	BasisMemory    Basis = "memory"    // memory in use counts as held
	BasisNone      Basis = "none"
)

// Holder is who had the GPU. The zero Holder is nobody; with a Basis other
// than BasisNone, that nobody is a finding: a working source found no holder.
type Holder struct {
	Basis Basis `json:"basis"`
	// Kind tells what Name names: "pod", "job", "container", "user".
	Kind string `json:"kind,omitempty"`
	// Group is the namespace or account, Name the pod, job, container or user.
	Group string `json:"group,omitempty"`
	Name  string `json:"name,omitempty"`
	// Part is the container of a pod or the step of a job.
	Part string `json:"part,omitempty"`
	// Labels are those of the pod that may leave the node, as JoinLabels writes
	// them: "cost-centre=42,team=search".
	Labels string `json:"labels,omitempty"`
}

// Held reports whether the GPU had a known holder.
func (h Holder) Held() bool { return h.Kind != "" }

// Sums are the milliseconds of one GPU by state, and what else adds up over
// time. They are plain integers, so that any two spans add up exactly.
type Sums struct {
	UnhealthyMs   int64 `json:"unhealthy_ms,omitempty"`
	UnallocatedMs int64 `json:"unallocated_ms,omitempty"`
	IdleMs        int64 `json:"idle_ms,omitempty"`
	UnmeasuredMs  int64 `json:"unmeasured_ms,omitempty"`
	BusyMs        int64 `json:"busy_ms,omitempty"`
	// SMActiveMs is the integral of SM activity over SMKnownMs of the time;
	// SMKnownMs is zero where the GPU does not report SM activity.
	SMActiveMs int64 `json:"sm_active_ms,omitempty"`
	SMKnownMs  int64 `json:"sm_known_ms,omitempty"`
	// EnergyMJ is the energy of EnergyKnownMs of the time, in millijoules.
	EnergyMJ      int64 `json:"energy_mj,omitempty"`
	EnergyKnownMs int64 `json:"energy_known_ms,omitempty"`
}

// ObservedMs is the time that the five states cover.
func (s Sums) ObservedMs() int64 {
	return s.UnhealthyMs + s.UnallocatedMs + s.IdleMs + s.UnmeasuredMs + s.BusyMs
}

// Add adds o to s.
func (s *Sums) Add(o Sums) {
	s.UnhealthyMs += o.UnhealthyMs
	s.UnallocatedMs += o.UnallocatedMs
	s.IdleMs += o.IdleMs
	s.UnmeasuredMs += o.UnmeasuredMs
	s.BusyMs += o.BusyMs
	s.SMActiveMs += o.SMActiveMs
	s.SMKnownMs += o.SMKnownMs
	s.EnergyMJ += o.EnergyMJ
	s.EnergyKnownMs += o.EnergyKnownMs
}

// Record is what one GPU did for one holder in one window, or in a part of it.
// Records of one GPU either share their bounds exactly (several holders in one
// window) or do not overlap.
type Record struct {
	GPU     string `json:"gpu"`      // UUID
	StartMs int64  `json:"start_ms"` // Unix milliseconds, UTC
	EndMs   int64  `json:"end_ms"`   // exclusive
	Holder  Holder `json:"holder"`
	Sums
	// Reason says why time is missing (unobserved) or lost (unhealthy).
	Reason string `json:"reason,omitempty"`
}

// EventKind names what happened.
type EventKind string

// Event kinds of wire v1.
const (
	EventAgentStart EventKind = "agent_start" // Value: when the node had booted, Unix milliseconds; 0 is unknown
	EventAgentStop  EventKind = "agent_stop"
	EventPause      EventKind = "pause"
	EventResume     EventKind = "resume"
	EventClockStep  EventKind = "clock_step" // Value: milliseconds that the wall clock jumped forward
	EventXid        EventKind = "xid"        // Value: the code
	EventUnhealthy  EventKind = "unhealthy"  // Detail: the evidence
	EventHealthy    EventKind = "healthy"
	EventUnobserved EventKind = "unobserved" // Detail: the reason
	EventObserved   EventKind = "observed"
	EventDropped    EventKind = "dropped" // Value: records lost to a full spool, or events beyond the limit; Detail says which
	EventGoodbye    EventKind = "goodbye" // the GPU (or, without GPU, the node) was decommissioned
)

// Event is something that happened on a node.
type Event struct {
	AtMs   int64     `json:"at_ms"` // Unix milliseconds, UTC
	Kind   EventKind `json:"kind"`
	GPU    string    `json:"gpu,omitempty"`
	Value  int64     `json:"value,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

// Evidence says how records were obtained.
type Evidence string

// EvidenceAgent is metered by our agent; EvidencePrometheus is derived from
// another exporter's samples. Where both speak of one GPU and minute, the
// agent's record counts.
const (
	EvidenceAgent      Evidence = "agent"
	EvidencePrometheus Evidence = "prometheus"
)

// Cloud is where a node stands and under whose account. Empty means unknown;
// nothing is guessed.
type Cloud struct {
	Provider     string `json:"provider,omitempty" yaml:"provider"`
	Account      string `json:"account,omitempty" yaml:"account"`
	Region       string `json:"region,omitempty" yaml:"region"`
	Zone         string `json:"zone,omitempty" yaml:"zone"`
	InstanceType string `json:"instance_type,omitempty" yaml:"instance_type"`
	InstanceID   string `json:"instance_id,omitempty" yaml:"instance_id"`
	Reservation  string `json:"reservation,omitempty" yaml:"reservation"`
	Cluster      string `json:"cluster,omitempty" yaml:"cluster"`
	NodePool     string `json:"node_pool,omitempty" yaml:"node_pool"`
	// Rack is the rack or the NVLink domain.
	Rack string `json:"rack,omitempty" yaml:"rack"`
}

// Compare orders clouds by their fields, the widest first.
func (c Cloud) Compare(o Cloud) int {
	return cmp.Or(cmp.Compare(c.Provider, o.Provider), cmp.Compare(c.Account, o.Account), cmp.Compare(c.Region, o.Region),
		cmp.Compare(c.Zone, o.Zone), cmp.Compare(c.Cluster, o.Cluster), cmp.Compare(c.NodePool, o.NodePool), cmp.Compare(c.Rack, o.Rack),
		cmp.Compare(c.Reservation, o.Reservation), cmp.Compare(c.InstanceType, o.InstanceType), cmp.Compare(c.InstanceID, o.InstanceID))
}

// Node is one machine.
type Node struct {
	Name      string `json:"name"`
	MachineID string `json:"machine_id,omitempty"`
	Cloud     Cloud  `json:"cloud"`
	Driver    string `json:"driver,omitempty"` // version
	Agent     string `json:"agent,omitempty"`  // version of the agent
	// ExpectedGPUs is how many GPUs a node of this instance type has; zero
	// where nobody says.
	ExpectedGPUs int `json:"expected_gpus,omitempty"`
}

// GPU is the inventory entry of one GPU.
type GPU struct {
	UUID        string `json:"uuid"`
	Model       string `json:"model"`          // as it is bought: "H100"
	Name        string `json:"name,omitempty"` // as the driver calls it
	Index       int    `json:"index"`
	Serial      string `json:"serial,omitempty"`
	PCI         string `json:"pci,omitempty"`
	MemoryBytes uint64 `json:"memory_bytes,omitempty"`
}

// Batch is all that one agent closed at one window edge. It says by itself
// where its records come from: it needs no other batch to be understood.
type Batch struct {
	Version  int      `json:"v"`     // wire version, 1
	Agent    string   `json:"agent"` // 32 hex digits, minted with the spool
	Epoch    string   `json:"epoch"` // 32 hex digits; a new one whenever continuity of Seq cannot be shown
	Seq      uint64   `json:"seq"`   // from 1, never used twice within (Agent, Epoch)
	Prev     string   `json:"prev_hash,omitempty"`
	Evidence Evidence `json:"evidence"`
	// IntervalMs is the sampling interval behind the records.
	IntervalMs int64 `json:"interval_ms"`
	// ClockOffsetMs is wall clock minus label clock when the batch was sealed.
	ClockOffsetMs int64    `json:"clock_offset_ms,omitempty"`
	Node          Node     `json:"node"`
	GPUs          []GPU    `json:"gpus"`
	Records       []Record `json:"records"`
	Events        []Event  `json:"events,omitempty"`
}

// ID is the identity of a batch: the same ID with the same content changes
// nothing, however often and in whatever order it arrives.
type ID struct {
	Agent, Epoch string
	Seq          uint64
}

// ID returns the identity of b.
func (b *Batch) ID() ID { return ID{b.Agent, b.Epoch, b.Seq} }

// String returns agent/epoch/seq with the ids shortened, for logs.
func (id ID) String() string {
	return fmt.Sprintf("%.8s/%.8s/%d", id.Agent, id.Epoch, id.Seq)
}
