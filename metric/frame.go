package metric

import "time"

// MaxHold is how many sampling intervals a look may speak for: what lies
// further back is unobserved.
const MaxHold = 3

// GPU is the identity of one GPU: what stays the same while it runs.
type GPU struct {
	UUID        string // "GPU-…", the key everywhere
	Index       int    // NVML index; changes across reboots, never a key
	Name        string // product name in NVML's words: "NVIDIA H100 80GB HBM3"
	Serial      string // board serial, empty where the GPU has none
	PCI         string // bus id, "00000000:9B:00.0"
	VBIOS       string
	MemoryBytes uint64

	// What follows is empty where the driver does not say.
	Device       string // "nvidia3", its name below /dev
	Part         string // board part number
	Architecture string // "hopper"
	Capability   string // CUDA compute capability, "9.0"
	GSP          string // firmware version
	InfoROM      string // image version
	Platform     Platform
	// Fabric and Clique are the NVLink domain: a cluster UUID, and the part of it
	// within which GPUs reach each other.
	Fabric, Clique string
}

// Platform is the place of a GPU in its rack, as its hardware reports it: what
// a renter can quote to a provider. Numbers are in decimal.
type Platform struct {
	Chassis string // serial number
	Slot    string // of the tray in the chassis
	Tray    string // index among the compute trays
	Host    string // of the tray
	Module  string // of the host
}

// Condition says whether a GPU could be looked at.
type Condition uint8

const (
	// Unobserved means that nothing is known of this GPU now. See Look.Reason.
	Unobserved Condition = iota
	// Good means that the GPU answered.
	Good
	// Lost means that the driver says that the GPU is gone from the bus.
	Lost
)

// Reasons why a GPU, or a whole node, is not observed. They travel in records
// and on series, so the words are part of the interface.
const (
	ReasonNeverSeen  = "never_seen"  // known from before, not answered since the agent started
	ReasonHang       = "driver_hang" // a driver call does not return
	ReasonNoDriver   = "no_driver"   // the driver library is not there
	ReasonNotLoaded  = "driver_not_loaded"
	ReasonMismatch   = "driver_mismatch" // library and kernel module differ
	ReasonPermission = "no_permission"
	ReasonWorkerExit = "worker_exit" // the worker process died and is being replaced
	ReasonPaused     = "paused"      // gpumeter-agent pause
	ReasonError      = "driver_error"
	ReasonLost       = "gpu_lost"
	ReasonAgentDown  = "agent_down" // the agent was not running
	ReasonGone       = "gpu_gone"   // the driver no longer lists a GPU it listed before
	ReasonSuspended  = "suspended"  // the node slept
	ReasonNotSampled = "not_sampled"
	ReasonMissing    = "missing_sibling" // the node should have one more GPU, and the driver shows none
	ReasonElsewhere  = "elsewhere"       // given to a virtual machine, or not to be seen from this container
)

// Process is one process that holds a GPU, as the driver lists it.
type Process struct {
	PID         int
	MemoryBytes uint64 // 0 where the driver does not say
}

// Look is one look at one GPU.
type Look struct {
	GPU       GPU
	Condition Condition
	Reason    string // why it is not Good; empty when Good
	// At is when the look ended, Since when the span it speaks for began:
	// Util and SMActive are averages over (Since, At]. Both are readings of
	// the boot clock (CLOCK_BOOTTIME). Since == At speaks for no time yet.
	Since, At time.Duration
	// Util is the share of (Since, At] in which a kernel was resident, 0–1; of a
	// divided GPU, the sum of its instances', each times its part of the slices.
	Util Share
	// SMActive is the share of SM cycles that were active over (Since, At].
	SMActive Share
	// Processes holds the GPU's processes; valid when ProcessesKnown.
	Processes      []Process
	ProcessesKnown bool
	// Readings holds what the GPU said, in table order.
	Readings []Reading
	// MIG says that the GPU is divided. Its Instances are then those that the
	// driver lists, and Util is unknown where they may not be all there were;
	// energy, power, temperature and errors are the GPU's alone.
	MIG       bool
	Instances []Instance
}

// Instance is a MIG GPU instance: a part of a GPU with memory and engines of
// its own.
type Instance struct {
	ID      int    // the driver's GPU instance id
	Profile string // "1g.10gb"
	Slices  int    // compute slices that it has
	Of      int    // compute slices that its GPU has
	// Util and SMActive are over the span of the look, of the instance's own
	// slices: 1 is an instance that was busy all the time.
	Util, SMActive Share
	Readings       []Reading
	Compute        []ComputeInstance
}

// ComputeInstance is a part of a GPU instance: what a process sees as its GPU.
type ComputeInstance struct {
	ID             int
	UUID           string // "MIG-…"
	Slices         int
	Processes      []Process
	ProcessesKnown bool
}

// Share is a share of time that may be unknown. The zero Share is unknown.
type Share struct {
	Known bool
	Value float64 // 0–1, meaningful only if Known
}

// KnownShare returns a known share.
func KnownShare(v float64) Share { return Share{Known: true, Value: v} }

// Origin says through which door an error report came.
type Origin uint8

// Where an error report can come from.
const (
	FromDriver Origin = iota // an NVML event
	FromKernel               // the kernel's log
)

// Xid is one error report of the driver about a GPU, or about an NVSwitch (from
// FirstSwitchCode on).
type Xid struct {
	UUID string        // empty in a kernel line about a GPU that is not known yet, and for a switch
	PCI  string        // bus id where the report has it, "0000:9b:00" (see BusID)
	Code int           // a kernel line without a code, about a GPU that fell off the bus, means 79
	At   time.Duration // boot clock: of the kernel line, or when the agent learned of it
	// Late is by how much earlier than At it may have happened: how long it may
	// have waited in the driver's queue.
	Late time.Duration
	// More is how many further reports of the same this one stands for, where
	// there were too many to keep each.
	More uint64
	// Origin and Detail say where it was read, and the rest of the line.
	Origin Origin
	Detail string
	// Severity is what the line itself says, where it says it; else Unstated.
	Severity Severity
}

// Driver is the state of the driver library on a node.
type Driver struct {
	Up      bool
	Reason  string // why not Up
	Detail  string // for people: the error, with the paths that were tried
	Version string // of the kernel driver, "580.82.07"
	NVML    string // of the library
	// GPUs is how many GPUs the driver counts, also of those that do not answer;
	// 0 where it does not say.
	GPUs int
	// Load counts the times that the driver was seen to start anew (reload,
	// reboot, GPU reset of all). A change ends unhealthy states.
	Load uint64
}

// Nameless is a GPU that the driver counts and that never said who it is: one
// that was lost, or hung, before anybody knew it.
type Nameless struct {
	Index  int    // the driver's
	Reason string // why; ReasonNeverSeen while it may still answer
}

// Frame is one look at one node. It holds every GPU the node is known to
// have had; those that could not be looked at are there with their reason. The
// holder of a Frame must not change it.
type Frame struct {
	Boot     time.Duration // CLOCK_BOOTTIME of the frame
	Wall     time.Time     // wall clock at the same moment
	Driver   Driver
	Looks    []Look
	Nameless []Nameless // in the order of their index
	Xids     []Xid      // since the frame before
}
