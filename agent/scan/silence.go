package scan

import (
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// reason is one row of the table of why a GPU does not answer.
type reason struct {
	word   string // metric.Reason…
	level  Level
	what   string
	remedy string
}

const askAgain = "Scan again with a longer --wait."

var reasons = []reason{
	{metric.ReasonLost, Critical, "The GPU is gone from the bus.", "Drain the node and reboot it; if the GPU is lost again, have the board replaced."},
	{metric.ReasonGone, Critical, "The driver no longer lists the GPU.", "Drain the node and reboot it; look into the kernel log for the cause."},
	{"reset_required", Critical, "The driver does not use the GPU before it is reset.", resetNow},
	{metric.ReasonHang, Critical, "A driver call about the GPU does not return.", "Drain the node and reboot it: a reset may hang as well."},
	{metric.ReasonError, Critical, "The driver answers with an error.", "Drain the GPU, reset it and scan again."},
	{metric.ReasonPermission, Unknown, "This user may not look at the GPU.", "Run as a user who may open /dev/nvidia*, or in a container that has the GPU."},
	{metric.ReasonNeverSeen, Unknown, "The GPU did not answer in time.", askAgain},
	{metric.ReasonNotSampled, Unknown, "The GPU did not answer in time.", askAgain},
	{metric.ReasonWorkerExit, Unknown, "The driver library ended the process that asked it.", "Look at the detail, and whether nvidia-smi works."},
}

// silence says why a GPU did not answer. Where nothing is known of any GPU it is
// the node that is at fault, and a rule of its own says why.
func silence(r *Report, l *metric.Look) (Finding, bool) {
	if !r.Frame.Driver.Up {
		return Finding{}, false
	}
	word := l.Reason
	if word == "" && l.Condition == metric.Lost {
		word = metric.ReasonLost
	}
	f := Finding{Rule: "gpu-unobserved", Level: Unknown, What: "The GPU could not be looked at.", Evidence: word, Remedy: askAgain}
	for _, row := range reasons {
		if row.word == word {
			f.Level, f.What, f.Remedy = row.level, row.what, row.remedy
		}
	}
	if l.Condition == metric.Lost {
		f.Rule, f.Level = "gpu-lost", Critical
	}
	if word == metric.ReasonHang && r.asleep() {
		f.Level, f.Remedy = Unknown, wakeUp
	}
	return f, true
}

// longLook is how long a GPU that sleeps may take to wake up.
const longLook = 30 * time.Second

const wakeUp = "Scan again with --wait 40s: this node's GPUs sleep when nobody uses them, and may be slow to wake up."

// asleep reports whether a GPU that has not answered may only be waking up: the
// scan was short, and a GPU that did answer says that the driver keeps none awake.
func (r *Report) asleep() bool {
	for i := range r.Frame.Looks {
		if v, known := valueOf(&r.Frame.Looks[i], "gpu.persistence.mode", ""); known && v == 0 {
			return r.Looked < longLook
		}
	}
	return false
}

// drivers says the same of the driver as a whole.
var drivers = []reason{
	{metric.ReasonNoDriver, Unknown, "There is no driver library.", "Install the NVIDIA driver, or name its library with --nvml."},
	{metric.ReasonNotLoaded, Unknown, "The kernel's driver is not loaded.", "Load it (modprobe nvidia), and look into the kernel log if that does not work."},
	{metric.ReasonMismatch, Critical, "The driver's library and its kernel module are of different versions: no new work starts.", "Drain the node, then load the driver anew or reboot."},
	{metric.ReasonPermission, Unknown, "This user may not use the driver.", "Run as a user who may open /dev/nvidia*, or in a container that has GPUs."},
	{metric.ReasonHang, Critical, "The driver does not answer.", "Drain the node and reboot it; look into the kernel log for the cause."},
	{metric.ReasonNeverSeen, Unknown, "The driver did not answer in time.", "Scan again with a longer --wait; start nvidia-persistenced if that helps."},
	{metric.ReasonWorkerExit, Unknown, "The driver library ended the process that asked it.", "Look at the detail, and whether nvidia-smi works."},
	{metric.ReasonError, Critical, "The driver does not start.", "Look at the detail and into the kernel log."},
}

func driverDown(r *Report) []Finding {
	d := &r.Frame.Driver
	if d.Up {
		return nil
	}
	f := Finding{Rule: "driver", Level: Unknown, What: "The driver could not be asked.", Evidence: d.Reason, Remedy: askAgain}
	for _, row := range drivers {
		if row.word == d.Reason {
			f.Level, f.What, f.Remedy = row.level, row.what, row.remedy
		}
	}
	if d.Detail != "" {
		f.Evidence += ": " + d.Detail
	}
	if n := len(r.Bus); n > 0 {
		f.Evidence += "; " + count(n, "GPU") + " on the bus"
	}
	return []Finding{f}
}
