package metric

// Severity says what an error asks of the people who run a GPU.
type Severity uint8

// Severities, from the least to the worst.
const (
	Unstated    Severity = iota // nobody says
	Record                      // nothing to do
	Application                 // the job's own error, or one that a restart of the job ends
	Service                     // reset the GPU at the next opportunity, or open a ticket
	Reset                       // drain the node and reset the GPU
	Replace                     // reboot the node, or have the hardware repaired
)

// String returns the word for a severity: "record", "reset"; empty for
// Unstated.
func (s Severity) String() string {
	return [...]string{"", "record", "application", "service", "reset", "replace"}[min(s, Replace)]
}

// fatalXids are the errors after which a GPU is not usable until it is reset,
// its node rebooted or its board replaced. The list follows NVIDIA's Xid
// catalogue of 2025-10: reset GPU, restart VM or node, check mechanicals.
// 144–150 (NVLink 5) are not in it: their severity stands in the kernel's line
// and not in the code.
var fatalXids = map[int]bool{
	46: true, 48: true, 54: true, 62: true, 64: true, 74: true, 79: true,
	95: true, 109: true, 110: true, 119: true, 120: true, 136: true,
	140: true, 143: true, 151: true, 155: true, 158: true, 167: true,
	169: true, 172: true, 173: true,
}

// FatalXid reports whether an Xid by itself makes a GPU unhealthy.
func FatalXid(code int) bool { return fatalXids[code] }
