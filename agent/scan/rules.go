package scan

import "fmt"

// rule is one row of the table of what can be wrong with a GPU.
type rule struct {
	name   string
	level  Level
	what   string
	remedy string
	shows  test
}

// Sentences that several rules end in.
const (
	resetNow   = "Drain the GPU and reset it; if it comes back, open a ticket with the provider."
	resetSoon  = "Reset the GPU when its job has ended."
	replace    = "Take the GPU out of service and have the board replaced."
	checkLinks = "Have the provider check the NVLinks, bridges and switches; reset the GPU when its job has ended."
	checkCool  = "Have the provider check the node's cooling and air flow."
)

// gpuRules is the table, in the order in which findings of one level stand.
var gpuRules = []rule{
	{"recovery-action", Critical, "The driver asks for a recovery of the GPU.", "Drain the GPU and do what the driver asks for.", recoveryAction},
	{"ecc-uncorrected", Critical, "Memory errors that could not be corrected since the driver was loaded.", resetNow,
		above("gpu.ecc.errors", "volatile_uncorrected", 0)},
	{"row-remap-failed", Critical, "A memory row could not be remapped.", replace, above("gpu.row_remap.failure", "", 0)},
	{"memory-unrepairable", Critical, "The memory has a defect that cannot be repaired.", replace, above("gpu.memory.unrepairable", "", 0)},
	{"sram-threshold", Critical, "More SRAM errors than a board should have.", replace, above("gpu.ecc.sram.threshold_exceeded", "", 0)},
	{"nvlink-all-down", Critical, "No NVLink is up, while other GPUs of this node have theirs.", checkLinks, allLinksDown},
	{"fabric-not-registered", Critical, "The GPU is not registered with the NVLink fabric: CUDA does not start on it.",
		"Check that the fabric manager runs and has the driver's version.", is("gpu.fabric.state", 1)},
	{"fabric-unhealthy", Critical, "The GPU's part of the NVLink fabric is unhealthy.", checkLinks, is("gpu.fabric.health.summary", 2)},

	{"row-remap-pending", Warning, "A memory row waits for a reset to be remapped.", resetSoon, above("gpu.row_remap.pending", "", 0)},
	{"page-retirement-pending", Warning, "A memory page waits for a reset to be retired.", resetSoon, above("gpu.page_retirement.pending", "", 0)},
	{"repair-pending", Warning, "A channel waits for a reset to be repaired.", resetSoon, above("gpu.repair.pending", "channel", 0)},
	{"repair-pending", Warning, "A unit waits for a reset to be repaired.", resetSoon, above("gpu.repair.pending", "tpc", 0)},
	{"no-spare-rows", Warning, "Memory banks without spare rows: the next defect there cannot be repaired.", "Plan to have the board replaced.",
		above("gpu.row_remap.banks", "none", 0)},
	{"fabric-in-progress", Warning, "The GPU is still registering with the NVLink fabric.",
		"Wait a minute and scan again; then check that the fabric manager runs.", is("gpu.fabric.state", 2)},
	{"fabric-limited", Warning, "The GPU's part of the NVLink fabric has limited capacity.", checkLinks, is("gpu.fabric.health.summary", 3)},
	{"fabric-degraded", Warning, "The GPU's NVLink bandwidth is degraded.", checkLinks, above("gpu.fabric.trouble", "degraded_bandwidth", 0)},
	{"fabric-route", Warning, "A route of the NVLink fabric is unhealthy.", checkLinks, above("gpu.fabric.trouble", "route_unhealthy", 0)},
	{"fabric-configuration", Warning, "The NVLink fabric is configured wrongly.", "Have the provider check the fabric's configuration.", above("gpu.fabric.configuration", "", 0)},
	{"nvlink-down", Warning, "Some NVLinks are down.", checkLinks, someLinksDown},
	{"nvlink-recovery", Warning, "NVLinks had to be trained anew since the driver was loaded.", checkLinks, above("gpu.nvlink.errors", "recovery", 0)},
	{"nvlink-recovery-failed", Warning, "An NVLink did not recover from an error.", checkLinks, above("gpu.nvlink.errors", "recovery_failed", 0)},
	{"pcie-width", Warning, "The PCIe link has fewer lanes than GPU and slot can have.", "Have the provider reseat the board or check the slot.",
		below("gpu.pcie.width", "gpu.pcie.width.max", 0)},
	{"pcie-generation", Warning, "The PCIe link is slower than GPU and slot can be, under load.", "Have the provider reseat the board or check the slot.",
		underLoad(below("gpu.pcie.generation", "gpu.pcie.generation.max", 0))},
	{"throttled-by-heat", Warning, "The hardware holds the clocks down: the GPU is too hot.", checkCool, above("gpu.throttle.active", "hw_thermal", 0)},
	{"throttled-by-power-brake", Warning, "The hardware holds the clocks down: the node's power supply asks for it.",
		"Have the provider check the power supplies and their cables.", above("gpu.throttle.active", "hw_power_brake", 0)},
	{"throttled-by-driver", Warning, "The driver holds the clocks down: the GPU is hot.", checkCool, above("gpu.throttle.active", "sw_thermal", 0)},
	{"temperature", Warning, "The GPU is within 5 °C of slowing down.", checkCool, temperature},
	{"memory-temperature", Warning, "The memory is within 5 °C of its limit.", checkCool, near("gpu.memory.temperature", "memory_max", hot)},
	{"ecc-off", Warning, "Memory errors are neither detected nor corrected.", "Switch ECC on (nvidia-smi -e 1) and reset the GPU.", is("gpu.ecc.mode", 0)},
	{"vgpu-unlicensed", Warning, "The vGPU has no licence: it is slowed down.", "Check that the licence server can be reached.", unlicensed},

	{"nvlink-replay", Note, "Packets were sent again over NVLink since the driver was loaded.", "Watch whether the number grows.", above("gpu.nvlink.errors", "replay", 0)},
	{"power-capped", Note, "The power limit is lower than the board's own.", "Ask whoever set it whether it is meant.",
		below("gpu.power.limit.enforced", "gpu.power.limit.default", 0.01)},
	{"was-throttled", Note, "The hardware held the clocks down before, because of heat.", "Watch the temperature under load.",
		above("gpu.throttle", "hw_thermal", throttledLong)},
	{"persistence-off", Note, "The driver puts the GPU to sleep when nobody uses it: the first call then takes seconds.",
		"Start nvidia-persistenced.", is("gpu.persistence.mode", 0)},
}

// hot is how near to a limit a temperature is a warning, in °C, and
// throttledLong for how many seconds heat may have held the clocks down without
// a word.
const (
	hot           = 5
	throttledLong = 60
)

// recoveries are the driver's recovery actions, by number.
var recoveries = [...]string{"nothing", "a reset of the GPU", "a reboot of the node", "an end of the work between GPUs (drain P2P)",
	"a drain of the GPU, then its reset", "a recovery of the IMEX domain", "a reset of the bus", "a reboot of the system"}

func recoveryAction(s *subject) string {
	v, known := s.value("gpu.recovery.action", "")
	switch {
	case !known || v == 0:
		return ""
	case v >= 1 && v < float64(len(recoveries)):
		return "it asks for " + recoveries[int(v)]
	}
	return "it asks for action " + number(v)
}

func allLinksDown(s *subject) string {
	links, known := s.value("gpu.nvlink.links", "")
	up, said := s.value("gpu.nvlink.links.up", "")
	if !known || !said || links == 0 || up > 0 {
		return "" // a board without a bridge has links too, all down
	}
	for i := range s.report.Frame.Looks {
		other := &s.report.Frame.Looks[i]
		if v, _ := valueOf(other, "gpu.nvlink.links.up", ""); v > 0 {
			return fmt.Sprintf("0 of %s links are up, GPU %d has %s", number(links), other.GPU.Index, number(v))
		}
	}
	return ""
}

func someLinksDown(s *subject) string {
	links, known := s.value("gpu.nvlink.links", "")
	up, said := s.value("gpu.nvlink.links.up", "")
	if known && said && up > 0 && up < links {
		return fmt.Sprintf("%s of %s links are up", number(up), number(links))
	}
	return ""
}

// vgpuMode is the virtualization mode of a vGPU: other GPUs have no licence
// either, and need none.
const vgpuMode = 2

func unlicensed(s *subject) string {
	if mode, _ := s.value("gpu.virtualization.mode", ""); mode != vgpuMode {
		return ""
	}
	return is("gpu.vgpu.licensed", 0)(s)
}

// temperature knows both ways in which GPUs say their limit: as a temperature,
// and as how far they are from it.
func temperature(s *subject) string {
	if margin, known := s.value("gpu.temperature.margin", ""); known {
		slowdown, _ := s.value("gpu.temperature.margin.limit", "slowdown") // 0 or a little below
		if margin < slowdown+hot {
			return fmt.Sprintf("%s °C are left, and it slows down at %s", number(margin), number(slowdown))
		}
		return ""
	}
	return near("gpu.temperature", "slowdown", hot)(s)
}
