package scan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gpumeter/gpumeter/metric"
)

// nodeRules are about the node as a whole.
var nodeRules = []func(*Report) []Finding{driverDown, noGPU, nameless, missing, sibling, strayErrors, firmware, kernelLog}

// noGPU is about a driver that counts no GPU where the bus has none either.
func noGPU(r *Report) []Finding {
	if d := &r.Frame.Driver; !d.Up || d.GPUs > 0 || len(r.Frame.Looks) > 0 || len(r.Bus) > 0 {
		return nil
	}
	return []Finding{{Rule: "no-gpu", Level: Unknown, What: "The driver shows no GPU.", Evidence: "0 GPUs, and none on the bus",
		Remedy: "Look whether this node, or container, should have one."}}
}

// nameless is about GPUs that the driver counts and that did not say who they
// are. Where others answer, and are kept awake, it is not the driver that is slow.
func nameless(r *Report) []Finding {
	answered := 0
	for i := range r.Frame.Looks {
		if r.Frame.Looks[i].Condition == metric.Good {
			answered++
		}
	}
	d := &r.Frame.Driver
	n := d.GPUs - len(r.Frame.Looks)
	if !d.Up || n <= 0 {
		return nil
	}
	f := Finding{Rule: "gpu-nameless", Level: Unknown, What: count(n, "GPU") + " of the driver's did not say who they are.",
		Evidence: fmt.Sprintf("the driver counts %d, and %d answered within %s%s", d.GPUs, answered, r.Looked.Round(100e6), whichNameless(r)),
		Remedy:   "Scan again with a longer --wait."}
	if n == 1 {
		f.What = "A GPU of the driver's did not say who it is."
	}
	lost := slices.ContainsFunc(r.Frame.Nameless, func(n metric.Nameless) bool { return n.Reason == metric.ReasonLost })
	switch {
	case lost:
		f.Level, f.Remedy = Critical, "Drain the node and reboot it; if a GPU is lost again, have the board replaced."
	case r.asleep():
		f.Remedy = wakeUp
	case answered > 0:
		f.Level, f.Remedy = Critical, "Drain the node and look into the kernel log; if it is so at the next scan, reboot."
	}
	return []Finding{f}
}

// whichNameless says what is known of GPUs that did not say who they are.
func whichNameless(r *Report) string {
	out := ""
	for _, n := range r.Frame.Nameless {
		out += fmt.Sprintf("; the one at index %d: %s", n.Index, n.Reason)
	}
	return out
}

// missing is about GPUs on the bus that the driver does not show.
func missing(r *Report) []Finding {
	if !r.Frame.Driver.Up {
		return nil
	}
	shown := map[string]bool{}
	for i := range r.Frame.Looks {
		if id, ok := metric.BusID(r.Frame.Looks[i].GPU.PCI); ok {
			shown[id] = true
		}
	}
	var out []Finding
	for _, d := range r.Bus {
		if id, ok := metric.BusID(d.PCI); ok && !shown[id] {
			out = append(out, absent(d, id, r.Files > 0 && r.Files <= len(shown)))
		}
	}
	return out
}

// sibling is about GPUs that a node of this type has, and that are neither shown
// nor on the bus.
func sibling(r *Report) []Finding {
	shown := max(r.Frame.Driver.GPUs, len(r.Frame.Looks))
	n := r.Expected - shown - len(missing(r))
	if !r.Frame.Driver.Up || n <= 0 {
		return nil
	}
	return []Finding{{Rule: "sibling-missing", Level: Critical, What: count(n, "GPU") + " that this node should have " + be(n) + " not there.",
		Evidence: fmt.Sprintf("%d shown of %d (%s)", shown, r.Expected, r.Basis),
		Remedy:   "Stop and start the instance, so that it comes up on another machine, or have the provider replace the board."}}
}

func be(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// Elsewhere counts the GPUs on the bus that the driver cannot show, and that are
// not at fault: given to another kernel driver, or not to be seen from here.
func Elsewhere(in Input) int {
	n := 0
	for _, f := range missing(&Report{Input: in}) {
		if f.Rule != "gpu-missing" {
			n++
		}
	}
	return n
}

// absent says why a GPU on the bus is not shown. hidden says that all GPUs whose
// device files are here are shown.
func absent(d Device, id string, hidden bool) Finding {
	f := Finding{Rule: "gpu-missing", PCI: id}
	switch {
	case d.Bound != "" && d.Bound != "nvidia":
		f.Rule, f.What = "gpu-elsewhere", "A GPU on the bus belongs to another kernel driver."
		f.Evidence, f.Remedy = "bound to "+d.Bound, "Nothing, if it was given to a virtual machine."
	case d.Bound != "" && hidden:
		f.Rule, f.What = "gpu-hidden", "A GPU on the bus cannot be seen from here."
		f.Evidence, f.Remedy = "its device file is not here", "Nothing, if this is a container; scan the node itself to see it."
	default:
		f.Level, f.What = Critical, "A GPU is on the bus and the driver does not show it."
		f.Evidence, f.Remedy = "no kernel driver has it", "Look into the kernel log for the cause, then reboot the node."
		if d.Bound != "" {
			f.Evidence = "bound to " + d.Bound
		}
	}
	return f
}

// firmware is about GPUs whose firmware does not answer, as the kernel's log has
// it without an error code.
func firmware(r *Report) []Finding {
	if r.Log.Firmware == 0 {
		return nil
	}
	return []Finding{{Rule: "firmware-timeout", Level: Warning, What: "The firmware of a GPU did not answer the driver in time.",
		Evidence: count(int(r.Log.Firmware), "line") + " of the kernel log", //nolint:gosec // bounded by the log's size
		Remedy:   "Watch for Xid 119; a firmware that goes on so hangs the driver, and a reboot ends it."}}
}

// kernelLog is about what of the log could not be read.
func kernelLog(r *Report) []Finding {
	if t := r.Log.Trouble; t != "" {
		return []Finding{{Rule: "kernel-log", What: "The kernel log was not read: errors of this boot are not known.",
			Evidence: t, Remedy: "Run as root, or with CAP_SYSLOG, to see them."}}
	}
	if r.Log.Lost > 0 {
		return []Finding{{Rule: "kernel-log", What: "The kernel log has lost its beginning: errors of this boot may be missing.",
			Evidence: count(int(r.Log.Lost), "record") + " overwritten", Remedy: "Look into the journal (journalctl -k)."}} //nolint:gosec // as above
	}
	return nil
}

// plain makes one line of plain text of what came from outside.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\ufffd' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
